//! Backup, restore, export and import by root and by the user of the service: the service can use what they leave, and errors name
//! the file. Only root can become another user and mount a volume; for anybody else nothing is tested here.

use std::fs::{self, DirBuilder, File, Permissions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

use northgate_testkit::application::Application;
use northgate_testkit::northgate::{Northgate, SERVICE_USER, northgate, northgate_of_service};

/// Who runs a command in a home.
type Runs = fn(&Path) -> Command;

/// A home with an empty data directory, both of the user of the service.
fn home_of_service() -> Option<TempDir> {
    let home = tempfile::tempdir().unwrap();
    give(home.path(), SERVICE_USER).ok()?;
    let data = home.path().join("northgate-data");
    DirBuilder::new().mode(0o700).create(&data).unwrap();
    give(&data, SERVICE_USER).ok()?;
    Some(home)
}

fn give(path: &Path, user: u32) -> std::io::Result<()> {
    chown(path, Some(user), Some(user))
}

#[track_caller]
fn content(runs: Runs, home: &Path, arguments: &[&str]) -> Output {
    let output = runs(home).args(arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    output
}

#[track_caller]
fn refused(output: &Output, reasons: &[&str]) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    for reason in reasons {
        assert!(said.contains(reason), "{reason} is not in {said}");
    }
}

/// All files below the home, but for the program that was put there.
fn owners(directory: &Path) -> Vec<(PathBuf, u32)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let metadata = path.symlink_metadata().unwrap();
        if metadata.is_dir() {
            found.extend(owners(&path));
        }
        found.push((path, metadata.uid()));
    }
    found
}

#[track_caller]
fn all_is_of_the_service(home: &Path) {
    for (path, owner) in owners(&home.join("northgate-data")) {
        assert_eq!(owner, SERVICE_USER, "{}", path.display());
    }
    for file in ["copy.db", "all.export"] {
        assert_eq!(fs::metadata(home.join(file)).unwrap().uid(), SERVICE_USER, "{file}");
    }
}

/// Takes a backup and an export, restores and imports them, and serves the token that was issued before.
async fn everything_is_done_by(runs: Runs) {
    let Some(home) = home_of_service() else { return };
    let server = Northgate::start_as_service(home);
    let demo = Application::demo(&server);
    let access = demo.login().await.member("accessToken");
    let address = server.private.to_string();
    content(runs, server.home.path(), &["backup", "copy.db", "--admin-listen", &address]);
    let (home, _) = server.end("-TERM");
    content(runs, home.path(), &["export", "all.export"]);
    content(runs, home.path(), &["restore", "copy.db"]);
    all_is_of_the_service(home.path());
    let home = it_serves(home, &demo, &access).await;

    let data = home.path().join("northgate-data");
    fs::remove_dir_all(&data).unwrap();
    DirBuilder::new().mode(0o700).create(&data).unwrap();
    give(&data, SERVICE_USER).unwrap();
    content(runs, home.path(), &["import", "all.export"]);
    all_is_of_the_service(home.path());
    it_serves(home, &demo, &access).await;
}

async fn it_serves(home: TempDir, demo: &Application, access: &str) -> TempDir {
    let server = Northgate::start_as_service(home);
    let demo = Application::new(&server, &demo.app_id, &demo.secret);
    assert_eq!(demo.verify(access).await.status, 200);
    assert_eq!(demo.login().await.status, 200);
    server.end("-TERM").0
}

#[tokio::test]
async fn the_service_uses_what_root_backs_up_exports_restores_and_imports() {
    everything_is_done_by(northgate).await;
}

#[tokio::test]
async fn the_service_backs_up_exports_restores_and_imports_itself() {
    everything_is_done_by(northgate_of_service).await;
}

/// "cannot use the data directory: Permission denied" left open which of its files it was.
#[test]
fn a_file_that_the_service_cannot_use_is_named_with_its_owner() {
    let Some(home) = home_of_service() else { return };
    let server = Northgate::start_as_service(home);
    server.tell(&["backup", "copy.db"]);
    DirBuilder::new().mode(0o755).create(server.home.path().join("of-root")).unwrap();
    let address = server.private.to_string();
    let backup = ["backup", "of-root/copy.db", "--admin-listen", &address];
    let output = northgate_of_service(server.home.path()).args(backup).output().unwrap();
    refused(&output, &["could not write of-root/copy.db: Permission denied"]);
    let (home, _) = server.end("-TERM");
    let (home, data) = (home.path(), home.path().join("northgate-data"));
    let says = |arguments: &[&str], reasons: &[&str]| {
        refused(&northgate_of_service(home).args(arguments).output().unwrap(), reasons);
    };
    says(&["export", "of-root/all.export"], &["could not write of-root/all.export", "Permission denied"]);

    give(&home.join("copy.db"), 0).unwrap();
    says(&["restore", "copy.db"], &["cannot use the backup copy.db", "Permission denied"]);
    give(&home.join("copy.db"), SERVICE_USER).unwrap();

    for name in ["northgate.db", "northgate.lock"] {
        give(&data.join(name), 0).unwrap();
        let expected =
            format!("northgate-data/{name} belongs to the user 0, and this process runs as the user");
        for arguments in [&["restore", "copy.db"][..], &["export", "all.export"], &["serve", "--dev"]] {
            says(arguments, &[&expected, "65534", "`chown`"]);
        }
        give(&data.join(name), SERVICE_USER).unwrap();
    }
    give(&data.join("keyring.toml"), 0).unwrap();
    says(&["export", "all.export"], &["could not read northgate-data/keyring.toml", "Permission denied"]);
    give(&data, 0).unwrap();
    says(&["restore", "copy.db"], &["northgate-data", "Permission denied"]);
}

/// Nothing says which user the service has where its directory belongs to root.
#[test]
fn root_is_reminded_of_a_data_directory_that_belongs_to_root() {
    let Some(home) = home_of_service() else { return };
    let server = Northgate::start_as_service(home);
    server.tell(&["backup", "copy.db"]);
    let (home, _) = server.end("-TERM");
    let said = |data: &str| {
        let output = content(northgate, home.path(), &["restore", "copy.db", "--data-dir", data]);
        String::from_utf8(output.stderr).unwrap()
    };
    fs::set_permissions(home.path(), Permissions::from_mode(0o755)).unwrap();
    DirBuilder::new().mode(0o700).create(home.path().join("of-root")).unwrap();
    assert!(said("of-root").contains("of-root belongs to root"));
    assert!(!said("northgate-data").contains("belongs to root"));
}

/// A volume of its own in a directory.
struct Volume(PathBuf);

impl Volume {
    fn mount(directory: PathBuf, size: &str) -> Option<Volume> {
        fs::create_dir(&directory).unwrap();
        let options = format!("mode=700,size={size}");
        let mount =
            Command::new("mount").args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(&directory).output();
        mount.is_ok_and(|mount| mount.status.success()).then_some(Volume(directory))
    }
}

/// Leaves so many bytes of a volume free.
fn fill_up_to(left: u64, filler: &Path) {
    let mut file = File::create(filler).unwrap();
    while file.write_all(&[0; 4096]).is_ok() {}
    file.set_len(file.metadata().unwrap().len() - left).unwrap();
}

impl Drop for Volume {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

#[test]
fn backup_and_restore_say_how_much_room_they_need_and_change_nothing_without_it() {
    let home = tempfile::tempdir().unwrap();
    let Some(data) = Volume::mount(home.path().join("northgate-data"), "20m") else { return };
    let Some(target) = Volume::mount(home.path().join("target"), "16k") else { return };
    let server = Northgate::start_in(home, &[]);
    refused(
        &server.run(&["backup", "target/copy.db"]),
        &["the backup needs ", " KiB in target, whose volume has 16 KiB free"],
    );
    assert_eq!(fs::read_dir(&target.0).unwrap().count(), 0);
    server.tell(&["backup", "copy.db"]);

    let filler = data.0.join("filler");
    fill_up_to(32 << 10, &filler);
    refused(
        &server.run(&["backup", "other.db"]),
        &["a copy of the database needs ", "northgate-data, whose volume has"],
    );
    let (home, _) = server.end("-TERM");
    let before = fs::read(data.0.join("northgate.db")).unwrap();
    let output = northgate(home.path()).args(["restore", "copy.db"]).output().unwrap();
    refused(&output, &["the restored database, beside the present one, needs ", "KiB in northgate-data"]);
    assert!(
        fs::read(data.0.join("northgate.db")).unwrap() == before && !data.0.join("before-restore-1").exists()
    );
    fs::remove_file(filler).unwrap();
    content(northgate, home.path(), &["restore", "copy.db"]);
    drop((data, target));
}
