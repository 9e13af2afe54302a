//! Operating a server that runs: freezing, backing up, stopping.

use std::fs;

use northgate_testkit::application::Application;
use northgate_testkit::northgate::{Northgate, northgate};

#[tokio::test]
async fn freezing_ends_verify_login_and_refresh_at_once_and_unfreezing_restores_them() {
    let server = Northgate::start(&[]);
    let (demo, other) = (Application::demo(&server), Application::created(&server, "Other"));
    let pair = demo.login().await;
    let (access, refresh) = (pair.member("accessToken"), pair.member("refreshToken"));
    let others = other.login().await.member("accessToken");

    server.tell(&["app", "freeze", &demo.app_id]);
    assert_eq!(demo.verify(&access).await.status, 403);
    assert_eq!(demo.login().await.member("error_code"), "100449");
    assert_eq!(demo.refresh(&refresh).await.member("error_code"), "100449");
    assert_eq!(other.verify(&others).await.status, 200);

    server.tell(&["app", "unfreeze", &demo.app_id]);
    assert_eq!(demo.verify(&access).await.status, 200);
    assert_eq!(demo.refresh(&refresh).await.status, 200);
    assert_eq!(demo.login().await.status, 200);
}

#[tokio::test]
async fn a_backup_of_a_serving_server_is_restored_with_the_tokens_given_before_it() {
    let server = Northgate::start(&[]);
    let demo = Application::demo(&server);
    let (kept, refreshed) = (demo.login().await, demo.login().await);
    server.tell(&["backup", "copy.db"]);
    // After the backup: the record that is restored does not know of this.
    let ahead = demo.refresh(&refreshed.member("refreshToken")).await;
    let late = Application::created(&server, "Late");
    let (home, _) = server.end("-TERM");

    let restored = northgate(home.path()).args(["restore", "copy.db"]).output().unwrap();
    assert!(restored.status.success(), "{restored:?}");
    let said = String::from_utf8(restored.stdout).unwrap();
    assert_eq!(said, "copy.db was restored into northgate-data\n");
    let server = Northgate::start_in(home, &[]);
    let demo = Application::new(&server, &demo.app_id, &demo.secret);
    for pair in [&kept, &refreshed, &ahead] {
        assert_eq!(demo.verify(&pair.member("accessToken")).await.status, 200);
    }
    assert_eq!(demo.refresh(&kept.member("refreshToken")).await.status, 200);
    assert_eq!(demo.refresh(&ahead.member("refreshToken")).await.status, 200);
    let late = Application::new(&server, &late.app_id, &late.secret);
    assert_eq!(late.login().await.status, 401);
}

#[test]
fn a_backup_that_is_none_is_refused_and_changes_nothing() {
    let server = Northgate::start(&[]);
    let (home, _) = server.end("-TERM");
    fs::write(home.path().join("copy.db"), "not a database").unwrap();
    let before = fs::read(home.path().join("northgate-data/northgate.db")).unwrap();
    let restored = northgate(home.path()).args(["restore", "copy.db"]).output().unwrap();
    let said = String::from_utf8(restored.stderr).unwrap();
    assert!(said.starts_with("error: cannot use the backup copy.db: "), "{said}");
    assert_eq!(restored.status.code(), Some(1));
    assert_eq!(fs::read(home.path().join("northgate-data/northgate.db")).unwrap(), before);
}

#[tokio::test]
async fn a_stop_is_a_success_even_with_open_connections() {
    for signal in ["-TERM", "-INT"] {
        let server = Northgate::start(&[]);
        let demo = Application::demo(&server);
        // Its connections stay open.
        let pair = demo.login().await;
        assert_eq!(demo.verify(&pair.member("accessToken")).await.status, 200);
        let (_, status) = server.end(signal);
        assert_eq!(status.code(), Some(0), "{signal}");
    }
}
