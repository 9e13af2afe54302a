//! Laws about backups.

use std::fs;

use northgate_core::application::AppId;
use northgate_core::store::Store;
use northgate_store::embedded::{EmbeddedStore, restore};

use crate::world::{START, World};

#[tokio::test]
async fn a_backup_holds_what_was_there_and_leaves_no_file_behind() {
    let world = World::start().await;
    world.application("a").await;
    let url = format!("http://{}/admin/backup", world.address);
    let request = world.http.get(url).bearer_auth(&world.token);
    let answer = request.send().await.unwrap();
    assert_eq!(answer.status(), 200);
    let bytes = answer.bytes().await.unwrap();
    assert!(!world.dir.path().join("backup.tmp").exists());

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
    fs::write(world.dir.path().join("backup.tmp"), "half").unwrap();
    let url = format!("http://{}/admin/backup", world.address);
    let answer = world.http.get(url).bearer_auth(&world.token).send().await.unwrap();
    assert_eq!(answer.status(), 200);
}
