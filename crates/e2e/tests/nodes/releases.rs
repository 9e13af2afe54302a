//! Laws of upgrades: what each release has left behind, on both stores, opens in this one, and no application notices.
//!
//! `tests/releases/VERSION` has an installation of that release. That of the present version is made by
//! `cargo test -p northgate-e2e --test nodes releases::keep -- --ignored`, when it is released.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::{Deserialize, Serialize};
use tempfile::TempDir;

use crate::installation::{command, migrated, place};
use northgate_testkit::application::Application;
use northgate_testkit::northgate::Northgate;
use northgate_testkit::postgres::programs::debian_programs;
use northgate_testkit::repository;

/// Refresh tokens of a kept installation outlast the support of its release.
const LASTING: (&str, &str) = ("NORTHGATE_POLICY_REFRESH_LIFETIME", "3650d");
const EMBEDDED: &str = "embedded";
const POSTGRES: &str = "postgres";

/// What the applications of a kept installation hold.
#[derive(Serialize, Deserialize)]
struct Held {
    active: Credentials,
    frozen: Credentials,
    refresh_token: String,
    /// Of a grant that was logged out.
    ended: String,
    /// Issued before the keyring was rotated.
    of_an_earlier_key: String,
}

#[derive(Serialize, Deserialize)]
struct Credentials {
    app_id: String,
    secret: String,
}

impl Credentials {
    fn of(application: &Application) -> Credentials {
        Credentials { app_id: application.app_id.clone(), secret: application.secret.clone() }
    }

    fn at(&self, server: &Northgate) -> Application {
        Application::new(server, &self.app_id, &self.secret)
    }
}

fn kept() -> Vec<PathBuf> {
    let releases = fs::read_dir(repository("tests/releases")).unwrap();
    releases.map(|release| release.unwrap().path()).filter(|path| path.is_dir()).collect()
}

fn run(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// The directory of a server of the release, unpacked, and what its applications hold.
fn unpacked(release: &Path, store: &str) -> (TempDir, Held) {
    let home = tempfile::tempdir().unwrap();
    run(Command::new("tar")
        .arg("-xzf")
        .arg(release.join(store).with_extension("tar.gz"))
        .arg("-C")
        .arg(home.path()));
    let held = fs::read(release.join(store).with_extension("json")).unwrap();
    (home, serde_json::from_slice(&held).unwrap())
}

async fn goes_on(server: &Northgate, held: &Held) {
    let active = held.active.at(server);
    for token in [&held.refresh_token, &held.of_an_earlier_key] {
        let pair = active.refresh(token).await;
        assert_eq!(pair.status, 200, "{pair:?}");
        assert_eq!(active.verify(&pair.member("accessToken")).await.status, 200);
    }
    assert_eq!(active.login().await.status, 200);
    assert_eq!(active.refresh(&held.ended).await.status, 400);
    assert!(held.frozen.at(server).login().await.body.contains("100449"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_data_directory_of_each_release_opens_and_its_applications_go_on() {
    assert!(!kept().is_empty());
    for release in kept() {
        let (home, held) = unpacked(&release, EMBEDDED);
        let server = Northgate::start_in(home, &[LASTING]);
        goes_on(&server, &held).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_of_each_release_is_migrated_and_its_applications_go_on() {
    for release in kept() {
        let (home, held) = unpacked(&release, POSTGRES);
        let url = place().await.url();
        let mut load = Command::new(debian_programs().join("psql"));
        load.args(["--quiet", "--no-psqlrc", "-v", "ON_ERROR_STOP=1", "-f"])
            .arg(home.path().join("dump.sql"))
            .arg(&url);
        run(&mut load);
        let output = command(home.path(), &url, &["migrate"]);
        assert!(output.status.success(), "{output:?}");
        let server = Northgate::start_in(home, &[LASTING, ("NORTHGATE_DATABASE_URL", &url)]);
        goes_on(&server, &held).await;
    }
}

async fn fill(server: &Northgate) -> Held {
    let (active, frozen) = (Application::created(server, "active"), Application::created(server, "frozen"));
    let of_an_earlier_key = active.login().await.member("refreshToken");
    server.tell(&["key", "rotate"]);
    let ended = active.login().await;
    assert_eq!(active.logout(&ended.member("accessToken")).await.status, 204);
    assert_eq!(frozen.login().await.status, 200);
    server.tell(&["app", "freeze", &frozen.app_id]);
    let refresh_token =
        active.refresh(&active.login().await.member("refreshToken")).await.member("refreshToken");
    Held {
        active: Credentials::of(&active),
        frozen: Credentials::of(&frozen),
        refresh_token,
        ended: ended.member("refreshToken"),
        of_an_earlier_key,
    }
}

/// Without the owner and the times of the machine that made it.
fn pack(folder: &Path, store: &str, home: &Path, held: &Held) {
    let mut pack = Command::new("tar");
    pack.args(["--sort=name", "--owner=0", "--group=0", "--mtime=@0", "-czf"]);
    run(pack.arg(folder.join(store).with_extension("tar.gz")).arg("-C").arg(home).arg("."));
    let held = serde_json::to_string_pretty(held).unwrap() + "\n";
    fs::write(folder.join(store).with_extension("json"), held).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "makes the kept installation of the present version anew"]
async fn keep() {
    let folder = repository("tests/releases").join(env!("CARGO_PKG_VERSION"));
    fs::create_dir_all(&folder).unwrap();

    let server = Northgate::start(&[LASTING]);
    let held = fill(&server).await;
    let (home, _) = server.end("-TERM");
    pack(&folder, EMBEDDED, home.path(), &held);

    let url = migrated().await;
    let server = Northgate::start(&[LASTING, ("NORTHGATE_DATABASE_URL", &url)]);
    let held = fill(&server).await;
    let (home, _) = server.end("-TERM");
    let mut dump = Command::new(debian_programs().join("pg_dump"));
    run(dump.args(["--no-owner", "--no-privileges", "-f"]).arg(home.path().join("dump.sql")).arg(&url));
    pack(&folder, POSTGRES, home.path(), &held);
}
