//! Laws about backups.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use northgate_core::app_id::AppId;
use northgate_core::store::Store;
use northgate_store::embedded::{EmbeddedStore, restore};

use crate::admin::world::{START, World};

#[tokio::test]
async fn a_backup_holds_what_was_there_and_leaves_no_file_behind() {
    let world = World::start().await;
    world.application("a").await;
    let url = format!("http://{}/admin/v1/backup", world.address);
    let request = world.http.get(url).bearer_auth(&world.token);
    let answer = request.send().await.unwrap();
    assert_eq!(answer.status(), 200);
    let bytes = answer.bytes().await.unwrap();
    assert!(!world.place.dir.path().join("backup.tmp").exists());

    let other = tempfile::tempdir().unwrap();
    let file = other.path().join("copy");
    fs::write(&file, bytes).unwrap();
    let data_dir = other.path().join("data");
    restore(&data_dir, &file).unwrap();
    let store = EmbeddedStore::open(&data_dir, 10, Box::new(|| START)).unwrap();
    assert!(store.registry().find(&AppId::parse("a").unwrap()).is_some());
}

#[tokio::test]
async fn a_copy_left_by_a_killed_process_is_in_nobodys_way() {
    let world = World::start().await;
    fs::write(world.place.dir.path().join("backup.tmp"), "half").unwrap();
    let url = format!("http://{}/admin/v1/backup", world.address);
    let answer = world.http.get(url).bearer_auth(&world.token).send().await.unwrap();
    assert_eq!(answer.status(), 200);
}

#[tokio::test]
async fn a_backup_is_private_and_replaces_no_file_unasked() {
    let world = World::start().await;
    let file = world.place.dir.path().join("copy.db");
    let name = file.to_str().unwrap();
    assert_eq!(world.run(&["backup", name], "").await.code, 0);
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let said = world.run(&["backup", name], "").await;
    assert!(said.code == 1 && said.err.contains("--force"), "{said:?}");
    assert_eq!(world.run(&["backup", name, "--force"], "").await.code, 0);
    let said = world.run(&["restore", name], "").await;
    assert!(said.code == 1 && said.err.contains("in use"), "{said:?}");
}
