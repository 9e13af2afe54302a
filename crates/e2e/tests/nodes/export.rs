//! Laws of export and import: an installation moves from one store to the other and no application notices.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Output, Stdio};

use crate::installation::{command, migrated, refusal};
use northgate_testkit::application::Application;
use northgate_testkit::northgate::{Northgate, northgate};

/// Tokens as an application holds them.
struct Held {
    access: String,
    refresh: String,
    /// The refresh token before, whose answer may have been lost.
    before: String,
    /// The access token of a grant that was closed.
    ended: String,
}

async fn hold(application: &Application) -> Held {
    let before = application.login().await.member("refreshToken");
    let pair = application.refresh(&before).await;
    let ended = application.login().await.member("accessToken");
    assert_eq!(application.logout(&ended).await.status, 204);
    Held { access: pair.member("accessToken"), refresh: pair.member("refreshToken"), before, ended }
}

/// Whether everything that was given before works as it did.
async fn works(application: &Application, held: &Held) {
    assert_eq!(application.verify(&held.access).await.status, 200);
    assert_eq!(application.verify(&held.ended).await.status, 403);
    let again = application.refresh(&held.before).await;
    assert_eq!(again.status, 200, "{again:?}");
    assert_eq!(again.member("refreshToken"), held.refresh);
    assert_eq!(application.login().await.status, 200);
}

/// A command of an embedded installation that is stopped.
fn embedded(home: &Path, arguments: &[&str]) -> Output {
    northgate(home).args(arguments).output().unwrap()
}

fn said(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn with_secret(home: &Northgate, arguments: &[&str], secret: &str) {
    let mut child = northgate(home.home.path())
        .args(arguments)
        .args(["--admin-listen", &home.private.to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(secret.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());
}

#[tokio::test]
async fn tokens_secrets_and_policies_work_on_in_the_other_store_and_back_again() {
    let server = Northgate::start(&[]);
    let demo = Application::demo(&server);
    with_secret(&server, &["app", "create", "old", "--app-id", "old", "--secret-stdin"], "hunter2-hunter2");
    server.tell(&[
        "app",
        "set",
        &demo.app_id,
        "--access-lifetime",
        "10m",
        "--max-grants",
        "7",
        "--owner",
        "Meters",
    ]);
    let old = Application::new(&server, "old", "hunter2-hunter2");
    let frozen = Application::created(&server, "frozen");
    let token_of_frozen = frozen.login().await.member("refreshToken");
    server.tell(&["app", "freeze", &frozen.app_id]);
    // Its number is not to be given again.
    let gone = Application::created(&server, "gone");
    server.tell(&["app", "delete", &gone.app_id, "--yes"]);
    let ended = old.login().await.member("refreshToken");
    server.tell(&["app", "revoke", "old", "--yes"]);
    let (held, of_old) = (hold(&demo).await, hold(&old).await);
    let before: serde_json::Value = shown(&server, &demo);
    let told = refusal(&embedded(server.home.path(), &["export", "moved"]));
    assert!(told.contains("is in use by the process"), "{told}");
    let (home, _) = server.end("-TERM");

    let told = said(&embedded(home.path(), &["export", "moved"]));
    assert!(told.contains("3 applications with 3 secrets, 4 grants and 2 revocations"), "{told}");
    assert_eq!(home.path().join("moved").metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let url = migrated().await;
    let (file, at_node) = (home.path().join("moved"), tempfile::tempdir().unwrap());
    let told = said(&command(at_node.path(), &url, &["import", file.to_str().unwrap()]));
    assert!(told.starts_with("3 applications with 3 secrets, 4 grants and 2 revocations came in"), "{told}");

    let node = Northgate::start_in(at_node, &[("NORTHGATE_DATABASE_URL", &url)]);
    let moved = |application: &Application| Application::new(&node, &application.app_id, &application.secret);
    works(&moved(&demo), &held).await;
    works(&moved(&old), &of_old).await;
    assert_eq!(moved(&old).refresh(&ended).await.status, 400);
    let refused = moved(&frozen).refresh(&token_of_frozen).await;
    assert!(refused.status == 400 && refused.body.contains("100449"), "{refused:?}");
    for member in ["owner", "policy"] {
        assert_eq!(shown(&node, &demo)[member], before[member], "{member}");
    }
    node.tell(&["key", "rotate"]);
    let next = moved(&demo).refresh(&held.refresh).await.member("refreshToken");
    Application::created(&node, "new");
    let database = northgate_testkit::postgres::server().client(&url).await;
    let numbers = database.query_one("SELECT max(number) FROM applications", &[]).await.unwrap();
    assert_eq!(numbers.get::<_, i32>(0), 5);
    let (at_node, _) = node.end("-TERM");

    // What was forgotten stays over in the other store.
    let marks = "UPDATE forgotten SET tokens_until = 1700000000000, single_use_until = 1700000000001";
    database.batch_execute(marks).await.unwrap();
    said(&command(at_node.path(), &url, &["export", "back"]));
    let back = at_node.path().join("back");
    let home = tempfile::tempdir().unwrap();
    said(&embedded(home.path(), &["import", back.to_str().unwrap()]));
    said(&embedded(home.path(), &["export", "again"]));
    for file in [&back, &home.path().join("again")] {
        let text = fs::read_to_string(file).unwrap();
        let marks = r#""forgottenTokens":1700000000000,"forgottenSingleUse":1700000000001"#;
        assert!(text.lines().next().unwrap().contains(marks), "{}", file.display());
    }
    let server = Northgate::start_in(home, &[]);
    let moved = Application::new(&server, &demo.app_id, &demo.secret);
    assert_eq!(moved.verify(&held.access).await.status, 200);
    assert_eq!(moved.verify(&held.ended).await.status, 403);
    // A retry inside the window of what the node was asked last.
    assert_eq!(moved.refresh(&held.refresh).await.member("refreshToken"), next);
    assert_eq!(moved.refresh(&next).await.status, 200);
    let old = Application::new(&server, "old", "hunter2-hunter2");
    assert_eq!(old.verify(&of_old.access).await.status, 200);
    assert_eq!(old.refresh(&of_old.refresh).await.status, 200);
    assert!(server.tell(&["key", "list"]).contains("2    next"));
}

fn shown(server: &Northgate, application: &Application) -> serde_json::Value {
    serde_json::from_str(&server.tell(&["app", "show", &application.app_id, "--json"])).unwrap()
}

#[tokio::test]
async fn a_store_that_is_not_empty_takes_nothing_in() {
    let server = Northgate::start(&[]);
    // The first application is there; a store without one is empty.
    server.printed();
    let (home, _) = server.end("-TERM");
    said(&embedded(home.path(), &["export", "moved"]));
    let told = refusal(&embedded(home.path(), &["import", "moved"]));
    assert!(told.contains("holds an installation already"), "{told}");
    let url = migrated().await;
    said(&command(home.path(), &url, &["import", "moved"]));
    let told = refusal(&command(home.path(), &url, &["import", "moved"]));
    assert!(told.contains("holds an installation already"), "{told}");
    // Nor does it leave a key that opens nothing.
    let elsewhere = tempfile::tempdir().unwrap();
    let file = home.path().join("moved");
    refusal(&command(elsewhere.path(), &url, &["import", file.to_str().unwrap()]));
    assert!(!elsewhere.path().join("northgate-data/keyring.key").exists());
    let told = refusal(&embedded(home.path(), &["export", "moved"]));
    assert!(told.contains("is there already"), "{told}");
}

#[tokio::test]
async fn a_file_that_is_wrong_torn_changed_or_newer_is_refused_and_nothing_comes_in() {
    let server = Northgate::start(&[]);
    Application::created(&server, "second");
    let (home, _) = server.end("-TERM");
    said(&embedded(home.path(), &["export", "moved"]));
    let good = fs::read_to_string(home.path().join("moved")).unwrap();
    let lines: Vec<&str> = good.lines().collect();
    let torn_before_the_end = format!("{}\n{}\n", lines[0], lines[1]);
    let url = migrated().await;
    let into = tempfile::tempdir().unwrap();
    for (text, expected) in [
        ("", "is no file of `northgate export`"),
        ("appId,secret\na,b\n", "is no file of `northgate export`"),
        (&good[..good.len() / 2], "is incomplete"),
        (&torn_before_the_end, "is incomplete"),
        (&good.replace("\"second\"", "\"fecond\""), "was changed or damaged"),
        (&good.replacen("\"version\":3", "\"version\":4", 1), "by a newer Northgate (format 4"),
        (&good.replacen("\"appId\"", "\"appID\"", 1), "line 2 of"),
    ] {
        fs::write(into.path().join("file"), text).unwrap();
        for output in
            [embedded(into.path(), &["import", "file"]), command(into.path(), &url, &["import", "file"])]
        {
            let told = refusal(&output);
            assert!(told.contains(expected), "{expected} is not in {told}");
        }
    }
    assert!(!into.path().join("northgate-data/keyring.toml").exists());
    fs::write(into.path().join("file"), &good).unwrap();
    said(&embedded(into.path(), &["import", "file"]));
    said(&command(into.path(), &url, &["import", "file"]));
}
