//! Laws of the command line, which runs as a process of its own.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::admin::world::World;

/// What a command said and how it ended.
#[derive(Debug)]
pub struct Said {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Said {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap()
    }
}

fn northgate(data_dir: &Path, address: &str, arguments: &[&str], input: &str) -> Said {
    let mut child = Command::new(crate::PROGRAM)
        .args(["--admin-listen", address])
        .args(arguments)
        .env_clear()
        .env("NORTHGATE_DATA_DIR", data_dir)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Who does not read it has ended before, which is for the test to judge.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Said { code: output.status.code().unwrap(), out: text(output.stdout), err: text(output.stderr) }
}

impl World {
    pub async fn run(&self, arguments: &[&str], input: &str) -> Said {
        let (dir, address) = (self.place.dir.path().to_owned(), self.address.to_string());
        let arguments: Vec<String> = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        let input = input.to_owned();
        // On another thread, since the server runs on this one.
        let said = tokio::task::spawn_blocking(move || {
            let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
            northgate(&dir, &address, &arguments, &input)
        });
        said.await.unwrap()
    }
}

#[tokio::test]
async fn app_create_prints_an_app_id_and_a_secret_that_log_in() {
    let world = World::start().await;
    let said = world.run(&["app", "create", "Meters", "--json"], "").await;
    assert_eq!(said.code, 0, "{said:?}");
    let created = said.json();
    let (app_id, secret) = (created["appId"].as_str().unwrap(), created["secret"].as_str().unwrap());
    assert!(world.login(app_id, secret).await.is_ok());
}

#[tokio::test]
async fn app_create_takes_the_secret_that_the_application_has_from_standard_input() {
    let world = World::start().await;
    let arguments =
        ["app", "create", "Old", "--app-id", "a/b", "--secret-stdin", "--json", "--rotation", "reusable"];
    let said = world.run(&arguments, "pass word\n").await;
    assert_eq!((said.code, said.json()), (0, json!({"appId": "a/b", "name": "Old"})));
    assert!(world.login("a/b", "pass word").await.is_ok());
    let shown = world.run(&["app", "show", "a/b", "--json"], "").await.json();
    assert_eq!(shown["overrides"], json!({"rotation": "reusable"}));
}

#[tokio::test]
async fn the_word_default_returns_a_field_of_the_policy_to_the_configuration() {
    let world = World::start().await;
    world.application("a").await;
    assert_eq!(
        world.run(&["app", "set", "a", "--max-grants", "3", "--rotation", "reusable"], "").await.code,
        0
    );
    let said = world.run(&["app", "set", "a", "--max-grants", "default", "--rotation", "default"], "").await;
    assert_eq!(said.code, 0, "{said:?}");
    let shown = world.run(&["app", "show", "a", "--json"], "").await.json();
    assert_eq!((&shown["overrides"], &shown["policy"]["maxGrants"]), (&json!({}), &json!(32)));
}

#[tokio::test]
async fn a_bad_value_of_a_policy_flag_is_refused_with_the_name_of_the_flag() {
    let world = World::start().await;
    for (flag, value, values) in [
        ("--max-grants", "0", "1 to 1024, or default"),
        ("--max-grants", "many", "1 to 1024, or default"),
        ("--access-lifetime", "31d", "from 1s to 30d, or default"),
        ("--on-reuse", "forget", "deny, close, default"),
    ] {
        let said = world.run(&["app", "set", "a", flag, value], "").await;
        assert_eq!(said.code, 2, "{said:?}");
        assert!(said.err.contains(flag) && said.err.contains(values), "{said:?}");
    }
}

#[tokio::test]
async fn people_are_told_that_a_secret_is_shown_once() {
    let world = World::start().await;
    let said = world.run(&["app", "create", "Meters", "--app-id", "a"], "").await;
    assert!(said.out.starts_with("application  Meters\nappId        a\nsecret       ngs_"), "{said:?}");
    assert!(said.err.contains("shown this once"), "{said:?}");
}

#[tokio::test]
async fn an_application_goes_through_its_life_on_the_command_line() {
    let world = World::start().await;
    world.application("a").await;
    for (arguments, expected) in [
        (
            &["app", "list"][..],
            "APPID  STATE   CREATED                   NAME\na      active  2023-11-14T22:13:20.000Z  the a\n",
        ),
        (
            &["app", "set", "a", "--name", "B", "--retry-window", "90s"],
            "retry-window      1m 30s         this application",
        ),
        (&["app", "freeze", "a"], "state    frozen"),
        (&["app", "unfreeze", "a"], "state    active"),
        (&["app", "revoke", "a", "--yes"], "tokens from  2023-11-14T22:13:26.000Z"),
        (&["app", "secret", "add", "a", "--label", "next"], "id      2\nsecret  ngs_"),
        (&["app", "secret", "retire", "a", "1", "--after", "7d"], "2023-11-21T22:13:20.000Z  first"),
        (&["app", "secret", "list", "a"], "next"),
        (&["app", "secret", "retire", "a", "1", "--revoke"], "2023-11-14T22:13:20.000Z  first"),
        (&["app", "show", "a"], "tokens from  2023-11-14T22:13:27.000Z"),
        (&["clock", "check"], "nothing lies more than 300 s ahead of 2023-11-14T22:13:20.000Z"),
        (&["clock", "repair", "--yes"], "nothing lies more than 300 s ahead"),
        (&["key", "list"], "1    current"),
        (&["key", "rotate"], "2    next"),
        (&["key", "rotate", "--at-once"], "3    current"),
        (&["app", "delete", "a", "--yes"], "a is deleted"),
        (&["app", "list"], "no applications"),
    ] {
        let said = world.run(arguments, "").await;
        assert!(said.code == 0 && said.out.contains(expected), "{arguments:?}: {said:?}");
    }
}

#[tokio::test]
async fn allow_rules_are_set_and_removed_on_the_command_line() {
    let world = World::start().await;
    let created = ["app", "create", "n", "--app-id", "a", "--allow", "GET /iocm/app/dm"];
    assert_eq!(world.run(&created, "").await.code, 0);
    let set = ["app", "set", "a", "--allow", "GET /iocm/app/dm", "--allow", "POST,PUT /iocm/app/sub"];
    let said = world.run(&set, "").await;
    assert!(said.out.contains("ALLOW\nGET /iocm/app/dm\nPOST,PUT /iocm/app/sub\n"), "{said:?}");
    let said = world.run(&["app", "set", "a", "--name", "m"], "").await;
    assert!(said.out.contains("GET /iocm/app/dm"), "{said:?}");
    let said = world.run(&["app", "set", "a", "--allow-all"], "").await;
    assert!(said.out.contains("no allow rules: it may make any call"), "{said:?}");
    let said = world.run(&["app", "set", "a", "--allow", "/iocm"], "").await;
    assert!(said.code == 1 && said.err.contains("methods, a space and a path"), "{said:?}");
    assert_eq!(world.run(&["app", "set", "a", "--allow", "* /a", "--allow-all"], "").await.code, 2);
}

#[tokio::test]
async fn an_application_is_found_whatever_its_app_id() {
    let world = World::start().await;
    for app_id in ["..", "a/b", "ü ?#%", "--"] {
        world.application(app_id).await;
        let said = world.run(&["app", "show", "--json", "--", app_id], "").await;
        assert_eq!(said.json()["appId"], app_id);
    }
}

#[tokio::test]
async fn an_application_is_not_deleted_by_mistake() {
    let world = World::start().await;
    world.application("a").await;
    let said = world.run(&["app", "delete", "a"], "").await;
    assert!(said.code == 1 && said.err.contains("--yes"), "{said:?}");
    assert_eq!(world.auth.registry().count(), 1);
}

#[tokio::test]
async fn an_import_tells_what_it_did_not_create_and_fails_when_a_row_was_not_good() {
    let world = World::start().await;
    let file = world.place.dir.path().join("apps.csv");
    std::fs::write(&file, "secret,APP_ID\npass,a\nword,b\n").unwrap();
    let file = file.to_str().unwrap();
    let said = world.run(&["app", "import", file], "").await;
    assert_eq!((said.code, said.out.as_str()), (0, "2 created, 0 unchanged, 0 in conflict, 0 invalid\n"));
    std::fs::write(file, "\u{feff}secret;APP_ID\npass;a\nother;b\n;c\n  \"s\";d\np+q;e\n").unwrap();
    let said = world.run(&["app", "import", file], "").await;
    let (places, summary): (Vec<&str>, Vec<&str>) =
        said.out.lines().partition(|line| line.starts_with("row "));
    assert!(places[0].starts_with("row 2: b conflict: "), "{said:?}");
    assert_eq!(places[1], "row 3: c invalid: the secret is empty");
    assert!(places[2].starts_with("row 4: d invalid: write its secret without the space"), "{said:?}");
    assert_eq!(summary, ["1 created, 1 unchanged, 1 in conflict, 2 invalid"]);
    let (warning, error) = said.err.split_once('\n').unwrap();
    assert!(warning.starts_with("warning: row 5: the secret contains + % or &"), "{said:?}");
    assert_eq!((said.code, error), (1, "error: 3 rows were not imported\n"));
    assert!(world.login("e", "p+q").await.is_ok());
}

#[tokio::test]
async fn a_refusal_is_the_servers_sentence_and_exit_code_1() {
    let world = World::start().await;
    let said = world.run(&["app", "show", "nobody"], "").await;
    let sentence = "error: there is no application with the appId nobody\n";
    assert_eq!((said.code, said.err.as_str(), said.out.as_str()), (1, sentence, ""));
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_said_with_what_to_do() {
    let world = World::start().await;
    // Bound and released: no server listens there.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let said = northgate(world.place.dir.path(), &free.to_string(), &["app", "list"], "");
    let sentence = format!(
        "error: no Northgate answers at http://{free}: start it with `northgate serve`, or name it with --admin-listen or --server\n"
    );
    assert_eq!((said.code, said.err), (1, sentence));
}

#[tokio::test]
async fn without_the_admin_token_a_command_says_where_it_looked() {
    let world = World::start().await;
    let elsewhere = tempfile::tempdir().unwrap();
    let said = northgate(elsewhere.path(), &world.address.to_string(), &["app", "list"], "");
    let path = elsewhere.path().join("admin-token").display().to_string();
    assert!(said.code == 1 && said.err.contains(&path) && said.err.contains("--data-dir"), "{said:?}");
}

#[tokio::test]
async fn a_wrong_command_line_is_exit_code_2() {
    let world = World::start().await;
    assert_eq!(world.run(&["app", "create"], "").await.code, 2);
    assert_eq!(world.run(&["app", "create", "n", "--secret", "s"], "").await.code, 2);
}

#[tokio::test]
async fn app_credential_registers_a_key_from_a_file_and_removes_it() {
    let world = World::start().await;
    world.application("a").await;
    let file = world.place.dir.path().join("key.pem");
    std::fs::write(&file, crate::admin::credentials::PEM).unwrap();
    let add = ["app", "credential", "add", "a", "--label", "x", "--public-key", file.to_str().unwrap()];
    let said = world.run(&add, "").await;
    assert!(said.code == 0 && said.out.contains("Ed25519"), "{said:?}");
    let said = world.run(&["app", "credential", "list", "a", "--json"], "").await;
    assert_eq!(said.json()["credentials"][0]["label"], "x");
    let said = world.run(&["app", "credential", "remove", "a", "1"], "").await;
    assert_eq!((said.code, said.out.as_str()), (0, "no credentials\n"));
    // One thing at a time, and one at least.
    assert_eq!(world.run(&["app", "credential", "add", "a"], "").await.code, 2);
    let two = ["app", "credential", "add", "a", "--san-dns", "a", "--subject", "CN=a"];
    assert_eq!(world.run(&two, "").await.code, 2);
}
