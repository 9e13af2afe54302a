//! Laws of upgrades: what each release has left behind, on both stores and as an export, opens in this one, and no application notices.
//!
//! `tests/releases/VERSION` has an installation of that release. That of the present version is made by
//! `cargo test -p northgate-e2e --test nodes releases::keep -- --ignored`, when it is released.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tempfile::TempDir;

use crate::installation::{command, migrated, place};
use northgate_testkit::application::Application;
use northgate_testkit::clock_shim;
use northgate_testkit::northgate::{Northgate, northgate};
use northgate_testkit::postgres::programs::debian_programs;
use northgate_testkit::repository;

const EXPORT: &str = "installation.export";
const EMBEDDED: &str = "embedded";
const POSTGRES: &str = "postgres";

/// What the applications of a kept installation hold.
#[derive(Serialize, Deserialize)]
struct Held {
    /// When it was kept, in milliseconds since the Unix epoch. It is opened with this clock, so that nothing has expired.
    at_ms: u64,
    active: Credentials,
    /// The same application with its other secrets: one that is in use, and one that was retired.
    second: Credentials,
    retired: Credentials,
    imported: Credentials,
    frozen: Credentials,
    access_token: String,
    refresh_token: String,
    /// The refresh token before, whose answer may have been lost.
    before: String,
    /// Of a grant that was logged out.
    ended: String,
    /// Issued before the keyring was rotated.
    of_an_earlier_key: String,
    /// The applications as `app show --json` printed them.
    shown: Vec<Value>,
}

#[derive(Clone, Serialize, Deserialize)]
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

// The clock that the shim sets off is that of this machine.
#[allow(clippy::disallowed_methods)]
fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as u64
}

/// Serves it at the time at which it was kept.
fn serve(home: TempDir, held: &Held, settings: &[(&str, &str)]) -> Northgate {
    let clock = home.path().join("clock");
    clock_shim::set(&clock, held.at_ms as i64 - now_ms() as i64);
    let (library, clock) = (clock_shim::library().to_str().unwrap(), clock.to_str().unwrap().to_owned());
    Northgate::start_in(
        home,
        &[&[("LD_PRELOAD", library), ("CLOCK_OFFSET", clock.as_str())], settings].concat(),
    )
}

async fn goes_on(server: &Northgate, held: &Held) {
    let active = held.active.at(server);
    assert_eq!(active.verify(&held.access_token).await.status, 200);
    let again = active.refresh(&held.before).await;
    assert_eq!((again.status, again.member("refreshToken")), (200, held.refresh_token.clone()), "{again:?}");
    for token in [&held.refresh_token, &held.of_an_earlier_key] {
        let pair = active.refresh(token).await;
        assert_eq!(pair.status, 200, "{pair:?}");
        assert_eq!(active.verify(&pair.member("accessToken")).await.status, 200);
    }
    assert_eq!(active.refresh(&held.ended).await.status, 400);
    for (credentials, status) in
        [(&held.active, 200), (&held.second, 200), (&held.imported, 200), (&held.retired, 401)]
    {
        assert_eq!(credentials.at(server).login().await.status, status, "{}", credentials.app_id);
    }
    assert!(held.frozen.at(server).login().await.body.contains("100449"));
    for kept in &held.shown {
        let shown = show(server, kept["appId"].as_str().unwrap());
        for member in ["name", "owner", "state", "policy", "allow", "createdAt"] {
            has(&shown[member], &kept[member], member);
        }
    }
}

fn show(server: &Northgate, app_id: &str) -> Value {
    serde_json::from_str(&server.tell(&["app", "show", app_id, "--json"])).unwrap()
}

/// A later version may add members.
fn has(shown: &Value, kept: &Value, name: &str) {
    if let Value::Object(members) = kept {
        members.iter().for_each(|(name, kept)| has(&shown[name], kept, name));
    } else {
        assert_eq!(shown, kept, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_data_directory_of_each_release_opens_and_its_applications_go_on() {
    assert!(!kept().is_empty());
    for release in kept() {
        let (home, held) = unpacked(&release, EMBEDDED);
        goes_on(&serve(home, &held, &[]), &held).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_of_each_release_is_imported_and_its_applications_go_on() {
    for release in kept() {
        let (home, held) = unpacked(&release, EMBEDDED);
        fs::remove_dir_all(home.path().join("northgate-data")).unwrap();
        run(northgate(home.path()).args(["import", EXPORT]));
        goes_on(&serve(home, &held, &[]), &held).await;
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
        goes_on(&serve(home, &held, &[("NORTHGATE_DATABASE_URL", &url)]), &held).await;
    }
}

async fn fill(server: &Northgate) -> Held {
    let (active, frozen) = (Application::created(server, "active"), Application::created(server, "frozen"));
    let policy = ["--owner", "Metering", "--retry-window", "5m", "--max-grants", "20"];
    server.tell(&[&["app", "set", &active.app_id], &policy[..]].concat());
    let retired = another_secret(server, &active);
    let second = another_secret(server, &active);
    server.tell(&["app", "secret", "retire", &active.app_id, "2"]);
    let imported = Credentials { app_id: "legacy-1".to_owned(), secret: "a secret from long ago".to_owned() };
    let rows = format!("appId,secret,name\n{},{},Legacy\n", imported.app_id, imported.secret);
    fs::write(server.home.path().join("legacy.csv"), rows).unwrap();
    server.tell(&["app", "import", "legacy.csv"]);
    server.tell(&["app", "set", &imported.app_id, "--allow", "GET,POST /iocm/app/dm", "--on-reuse", "close"]);
    let of_an_earlier_key = active.login().await.member("refreshToken");
    server.tell(&["key", "rotate"]);
    let ended = active.login().await;
    assert_eq!(active.logout(&ended.member("accessToken")).await.status, 204);
    assert_eq!(frozen.login().await.status, 200);
    server.tell(&["app", "freeze", &frozen.app_id]);
    let before = active.login().await.member("refreshToken");
    let pair = active.refresh(&before).await;
    let shown = [&active.app_id, &imported.app_id, &frozen.app_id].map(|app_id| show(server, app_id)).into();
    Held {
        at_ms: now_ms(),
        active: Credentials::of(&active),
        second,
        retired,
        imported,
        frozen: Credentials::of(&frozen),
        access_token: pair.member("accessToken"),
        refresh_token: pair.member("refreshToken"),
        before,
        ended: ended.member("refreshToken"),
        of_an_earlier_key,
        shown,
    }
}

fn another_secret(server: &Northgate, application: &Application) -> Credentials {
    let added = server.tell(&["app", "secret", "add", &application.app_id, "--json"]);
    let added: Value = serde_json::from_str(&added).unwrap();
    Credentials { app_id: application.app_id.clone(), secret: added["secret"].as_str().unwrap().to_owned() }
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

    let server = Northgate::start(&[]);
    let held = fill(&server).await;
    // As after a loss of power: the WAL holds a part of the database. An export would move that into the database.
    let (home, _) = server.end("-KILL");
    let copy = tempfile::tempdir().unwrap();
    run(Command::new("cp").arg("-a").arg(home.path().join(".")).arg(copy.path()));
    run(northgate(copy.path()).args(["export", EXPORT]));
    fs::rename(copy.path().join(EXPORT), home.path().join(EXPORT)).unwrap();
    pack(&folder, EMBEDDED, home.path(), &held);

    let url = migrated().await;
    let server = Northgate::start(&[("NORTHGATE_DATABASE_URL", &url)]);
    let held = fill(&server).await;
    let (home, _) = server.end("-TERM");
    fs::write(home.path().join("dump.sql"), dump(&url)).unwrap();
    pack(&folder, POSTGRES, home.path(), &held);
}

/// Without the schema of this test, so that it can be loaded into any.
fn dump(url: &str) -> String {
    let mut dump = Command::new(debian_programs().join("pg_dump"));
    let output = dump.args(["--no-owner", "--no-privileges"]).arg(url).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let schema = url.rsplit_once("search_path%3D").unwrap().1;
    let text = String::from_utf8(output.stdout).unwrap().replace(&format!("{schema}."), "");
    let names_schema = |line: &&str| line.starts_with("CREATE SCHEMA") || line.contains("'search_path'");
    text.lines().filter(|line| !names_schema(line)).map(|line| format!("{line}\n")).collect()
}
