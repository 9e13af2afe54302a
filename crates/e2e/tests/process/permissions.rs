//! Owners and modes: what is made is private, what others could use is corrected or refused, and Kubernetes' secrets are taken.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::Path;
use std::process::{Command, Output};

use northgate_testkit::application::Application;
use northgate_testkit::northgate::{Northgate, northgate};

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

/// Starts a server that is not expected to run.
fn refusal(home: &Path) -> String {
    said(&northgate(home).args(["serve", "--dev"]).output().unwrap())
}

fn said(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[tokio::test]
async fn a_data_directory_that_others_can_use_is_made_private_and_the_log_says_so() {
    let server = Northgate::start(&[]);
    let demo = Application::demo(&server);
    assert_eq!(demo.login().await.status, 200);
    let (home, _) = server.end("-TERM");
    let data = home.path().join("northgate-data");
    set_mode(&data, 0o777);
    for name in ["northgate.db", "northgate.db-wal", "northgate.lock"] {
        set_mode(&data.join(name), 0o666);
    }
    let server = Northgate::start_in(home, &[]);
    assert_eq!(Application::new(&server, &demo.app_id, &demo.secret).login().await.status, 200);
    let data = server.home.path().join("northgate-data");
    assert_eq!(mode(&data), 0o700);
    for name in ["northgate.db", "northgate.db-wal", "northgate.lock"] {
        assert_eq!(mode(&data.join(name)), 0o600, "{name}");
    }
}

/// Closing it to others would lock them out of their own files.
#[test]
fn a_directory_with_files_of_others_is_refused_and_stays_as_it_is() {
    let home = tempfile::tempdir().unwrap();
    let shared = home.path().join("northgate-data");
    fs::create_dir(&shared).unwrap();
    fs::write(shared.join("theirs.txt"), "").unwrap();
    for open in [0o777, 0o755] {
        set_mode(&shared, open);
        let said = refusal(home.path());
        assert!(said.contains("it is not Northgate's alone"), "{said}");
        assert_eq!(mode(&shared), open);
    }
    assert_eq!(fs::read_dir(&shared).unwrap().count(), 1);
}

/// A secret that others could read may be known to them: hiding it now would not help.
#[test]
fn a_secret_that_others_can_read_is_refused() {
    for name in ["keyring.toml", "admin-token"] {
        for exposed in [0o644, 0o604, 0o660, 0o602] {
            let server = Northgate::start(&[]);
            let (home, _) = server.end("-TERM");
            set_mode(&home.path().join("northgate-data").join(name), exposed);
            let said = refusal(home.path());
            assert!(said.contains(name) && said.contains("chmod 600"), "{said}");
        }
    }
}

#[test]
fn a_lock_file_that_is_a_symbolic_link_is_refused_and_what_it_leads_to_is_untouched() {
    let home = tempfile::tempdir().unwrap();
    let data = home.path().join("northgate-data");
    fs::create_dir(&data).unwrap();
    set_mode(&data, 0o700);
    let victim = home.path().join("victim");
    fs::write(&victim, "precious").unwrap();
    symlink(&victim, data.join("northgate.lock")).unwrap();
    let said = refusal(home.path());
    assert!(said.contains("northgate.lock is not a regular file"), "{said}");
    assert_eq!(fs::read_to_string(&victim).unwrap(), "precious");
}

/// Whatever the umask is.
#[test]
fn without_a_umask_every_file_is_private() {
    let server = Northgate::start_without_umask();
    server.tell(&["key", "rotate"]);
    server.tell(&["backup", "copy.db"]);
    let (home, _) = server.end("-TERM");
    let restored = Command::new("bash")
        .args(["-c", r#"umask 0; exec "$0" restore copy.db"#, northgate_testkit::program()])
        .env_clear()
        .current_dir(home.path())
        .output()
        .unwrap();
    assert!(restored.status.success(), "{restored:?}");
    assert_eq!(mode(&home.path().join("copy.db")), 0o600);
    let data = home.path().join("northgate-data");
    for directory in [&data, &data.join("before-restore-1"), &data.join("tls")] {
        assert_eq!(mode(directory) & 0o022, 0, "{}", directory.display());
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() && !path.ends_with("cert.pem") {
                assert_eq!(mode(&path), 0o600, "{}", path.display());
            }
        }
    }
    assert_eq!((mode(&data), mode(&data.join("before-restore-1"))), (0o700, 0o700));
}

#[test]
fn a_configuration_with_the_password_of_the_database_must_be_private() {
    let home = tempfile::tempdir().unwrap();
    let config = home.path().join("northgate.toml");
    let check =
        || northgate(home.path()).args(["config", "check", "--config", "northgate.toml"]).output().unwrap();
    for url in ["postgres://u:hunter2@h/d", "postgres://u@h/d?password=hunter2"] {
        fs::write(&config, format!("[database]\nurl = '{url}'\n")).unwrap();
        for exposed in [0o644, 0o604, 0o660] {
            set_mode(&config, exposed);
            let said = said(&check());
            assert!(
                said.contains("holds the password of the database") && said.contains("chmod 600"),
                "{said}"
            );
            assert!(!said.contains("hunter2"), "{said}");
        }
        set_mode(&config, 0o600);
        assert!(!said(&check()).contains("holds the password of the database"));
    }
    // Without a password there is nothing to hide.
    fs::write(&config, "[database]\nurl = 'postgres://u@h/d'\n").unwrap();
    set_mode(&config, 0o644);
    assert!(!said(&check()).contains("holds the password of the database"));
}

/// Kubernetes mounts a secret as root's, readable to a group of the process, which runs as another user. As root only, which
/// alone can make such files; the rule itself is tested beside `exposure.rs` for any user.
#[test]
fn secrets_as_kubernetes_mounts_them_are_read_and_those_that_anybody_can_read_are_not() {
    let home = tempfile::tempdir().unwrap();
    set_mode(home.path(), 0o755);
    let (program, url) = (home.path().join("northgate"), home.path().join("url"));
    fs::copy(northgate_testkit::program(), &program).unwrap();
    // No server listens there: an error about the connection means that the file was read.
    fs::write(&url, "postgres://u:p@127.0.0.1:1/d\n").unwrap();
    if chown(&url, Some(0), Some(4_242)).is_err() {
        println!("only root can make files of root: nothing is tested here");
        return;
    }
    let as_another_user = |groups: &str| {
        let mut command = Command::new("setpriv");
        command.args(["--reuid", "65534", "--regid", "65534", "--groups", groups]).arg(&program);
        command.args(["migrate", "--data-dir", "data"]).current_dir(home.path()).env_clear();
        said(&command.env("NORTHGATE_DATABASE_URL_FILE", &url).output().unwrap())
    };
    for (taken, groups) in [(0o440, "4242"), (0o640, "4242"), (0o440, "77,4242")] {
        set_mode(&url, taken);
        let said = as_another_user(groups);
        assert!(said.contains("cannot be reached"), "{taken:o} {said}");
    }
    for refused in [0o444, 0o644, 0o660] {
        set_mode(&url, refused);
        let said = as_another_user("4242");
        assert!(said.contains("chmod 600"), "{refused:o} {said}");
    }
}

/// Root started the server once, or restored a backup: afterwards the server's own user could not open what root had made.
#[test]
fn what_root_makes_in_the_directory_of_another_user_belongs_to_that_user() {
    let server = Northgate::start(&[]);
    server.tell(&["backup", "copy.db"]);
    let (home, _) = server.end("-TERM");
    let data = home.path().join("northgate-data");
    if chown(&data, Some(65_534), Some(65_534)).is_err() {
        println!("only root can give files away: nothing is tested here");
        return;
    }
    let restored = northgate(home.path()).args(["restore", "copy.db"]).output().unwrap();
    assert!(restored.status.success(), "{restored:?}");
    fs::remove_file(data.join("admin-token")).unwrap();
    let (home, _) = Northgate::start_in(home, &[]).end("-TERM");
    let data = home.path().join("northgate-data");
    let owner = |name: &str| fs::metadata(data.join(name)).unwrap().uid();
    for name in ["northgate.db", "northgate.db-wal", "northgate.lock", "admin-token", "before-restore-1"] {
        assert_eq!(owner(name), 65_534, "{name}");
    }
    // A file of a third user could be read and replaced by that user.
    chown(data.join("northgate.db"), Some(12_345), None).unwrap();
    let said = refusal(home.path());
    assert!(said.contains("northgate.db belongs to the user 12345"), "{said}");
}
