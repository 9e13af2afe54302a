//! Laws of `northgate status`, and of the man pages and completions.

use std::fs;

use northgate_testkit::northgate::{Northgate, northgate};

#[test]
fn status_shows_a_ready_server_on_one_screen_and_ends_with_0() {
    let server = Northgate::start(&[]);
    let output = server.run(&["status"]);
    let shown = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{shown}");
    for part in ["state         ready", "store         embedded", "northgate-data/tls/cert.pem", "current"] {
        assert!(shown.contains(part), "{part} is not in\n{shown}");
    }
    assert!(shown.lines().count() < 24, "{shown}");
}

#[test]
fn status_ends_with_3_where_the_server_runs_and_is_not_ready_and_with_1_where_none_runs() {
    let server = Northgate::start(&[]);
    // The first answer comes after the start has written what it has to.
    server.tell(&["status"]);
    let data = server.home.path().join("northgate-data");
    fs::rename(data.join("northgate.db"), data.join("moved.db")).unwrap();
    northgate_testkit::wait_until("the server notices", || server.run(&["status"]).status.code() == Some(3));
    let said = String::from_utf8(server.run(&["status", "--json"]).stderr).unwrap();
    assert!(said.starts_with("{\"detail\":\"the server is not ready: "), "{said}");
    let nowhere = tempfile::tempdir().unwrap();
    fs::create_dir(nowhere.path().join("northgate-data")).unwrap();
    let mut status = northgate(nowhere.path());
    assert_eq!(
        status.args(["status", "--admin-listen", "127.0.0.1:1"]).output().unwrap().status.code(),
        Some(1)
    );
}

#[test]
fn every_command_has_a_man_page_and_every_shell_its_completions() {
    let home = tempfile::tempdir().unwrap();
    for (what, files) in [
        ("man", &["northgate.1", "northgate-serve.1", "northgate-app-create.1", "northgate-status.1"][..]),
        ("completions", &["northgate.bash", "_northgate", "northgate.fish"][..]),
    ] {
        let output = northgate(home.path()).args(["generate", what, what]).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        for file in files {
            assert!(fs::metadata(home.path().join(what).join(file)).unwrap().len() > 100, "{file}");
        }
    }
    let page = fs::read_to_string(home.path().join("man/northgate.1")).unwrap();
    assert!(page.contains("Exit codes"), "{page}");
    assert!(!home.path().join("man/northgate-generate.1").exists());
}
