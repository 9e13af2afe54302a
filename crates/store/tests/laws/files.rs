//! Laws of the embedded store's files: one process at a time, no newer format, backup and restore.

use std::error::Error;
use std::fs;
use std::os::unix::fs::PermissionsExt;

use northgate_core::clock::Timestamp;
use northgate_core::high_water::Marks;
use northgate_core::registry::STEADY;
use northgate_core::store::{Closing, Store};
use northgate_store::embedded::{DATABASE, EmbeddedStore, restore};

use crate::laws::world::{HOUR, World};

fn open_error(world: &World) -> String {
    let error = match EmbeddedStore::open(world.data_dir.path(), 1, Box::new(|| Timestamp::from_millis(0))) {
        Ok(_) => panic!("it was opened"),
        Err(error) => error,
    };
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

#[tokio::test]
async fn a_second_store_on_one_data_directory_is_refused() {
    let world = World::new().await;
    let refusal = open_error(&world);
    let owner = format!("is in use by the process {}", std::process::id());
    assert!(refusal.contains(&owner), "{refusal}");
}

#[tokio::test]
async fn a_file_of_a_newer_version_is_refused_and_left_as_it_is() {
    let mut world = World::new().await;
    world.stop();
    let database = world.data_dir.path().join(DATABASE);
    let connection = rusqlite::Connection::open(&database).unwrap();
    connection.pragma_update(None, "user_version", 99).unwrap();
    drop(connection);
    let before = fs::read(&database).unwrap();
    let refusal = open_error(&world);
    assert!(refusal.contains("it was written by a newer Northgate (format 99"), "{refusal}");
    assert_eq!(fs::read(&database).unwrap(), before);
}

#[tokio::test]
async fn a_file_of_the_first_format_is_brought_to_this_one_with_all_that_is_in_it() {
    let mut world = World::new().await;
    let application = world.application("a").await;
    let grant = world.open(&application, 1).await;
    world.stop();
    let first = "DROP TABLE credentials; DROP TABLE spent; DROP TABLE forgotten;
        ALTER TABLE applications DROP COLUMN calls_per_minute;
        ALTER TABLE applications DROP COLUMN allow;
        ALTER TABLE applications DROP COLUMN bind_tokens;
        ALTER TABLE applications DROP COLUMN access_tokens;
        ALTER TABLE applications DROP COLUMN dpop;
        ALTER TABLE applications DROP COLUMN tokens_from;
        ALTER TABLE applications DROP COLUMN owner; PRAGMA user_version = 1;";
    let connection = rusqlite::Connection::open(world.data_dir.path().join(DATABASE)).unwrap();
    connection.execute_batch(first).unwrap();
    drop(connection);
    world.start().await;
    assert!(world.embedded().grant(grant).await.unwrap().is_some());
    let found = world.embedded().registry().application(application.number).unwrap();
    assert_eq!(found.overrides, application.overrides);
}

#[tokio::test]
async fn a_file_of_another_program_is_refused() {
    let mut world = World::new().await;
    world.stop();
    let database = world.data_dir.path().join(DATABASE);
    fs::remove_file(&database).unwrap();
    rusqlite::Connection::open(&database).unwrap().execute_batch("CREATE TABLE theirs (x)").unwrap();
    let refusal = open_error(&world);
    assert!(refusal.contains("it is an SQLite file of another program"), "{refusal}");
}

#[tokio::test]
async fn nobody_else_can_read_the_data() {
    let world = World::new().await;
    world.application("a").await;
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    for entry in fs::read_dir(world.data_dir.path()).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(mode(&path), 0o600, "{}", path.display());
    }
}

#[tokio::test]
async fn a_backup_holds_what_was_answered_before_it_and_can_be_restored() {
    let mut world = World::new().await;
    let application = world.application("a").await;
    let before = world.open(&application, 1).await;
    let backup = world.data_dir.path().join("backup.db");
    world.embedded().backup(&backup).await.unwrap();
    let after = world.open(&application, 2).await;
    world.stop();
    let kept = restore(world.data_dir.path(), &backup).unwrap().unwrap();
    assert!(kept.join(DATABASE).exists());
    world.start().await;
    assert!(world.embedded().grant(before).await.unwrap().is_some());
    assert_eq!(world.embedded().grant(after).await.unwrap(), None);
}

/// Where the mark of what was forgotten was lost, a clock that was set back brought it back to life.
#[tokio::test]
async fn the_marks_of_what_was_forgotten_are_kept_over_restarts_and_in_backups() {
    let mut world = World::new().await;
    let application = world.application("a").await;
    let key = world.open(&application, 1).await;
    world.store().close(Closing { grant: key, revocation: world.revocation() }).await.unwrap();
    world.advance(2 * HOUR);
    world.store().registry().forget_revocations(world.now(), STEADY);
    let single_use = world.now();
    world.store().registry().high_water().raise(Marks { single_use, ..Marks::NOTHING });
    let marks = world.store().registry().high_water().get();
    assert!(marks.tokens > Timestamp::EPOCH);
    // A commit, which may fold the revocation away.
    world.open(&application, 2).await;
    let backup = world.data_dir.path().join("backup.db");
    world.embedded().backup(&backup).await.unwrap();
    world.restart().await;
    assert_eq!(world.store().registry().high_water().get(), marks);
    world.stop();
    restore(world.data_dir.path(), &backup).unwrap();
    world.start().await;
    assert_eq!(world.store().registry().high_water().get(), marks);
}

#[tokio::test]
async fn a_number_given_after_the_backup_is_not_given_again_after_its_restore() {
    let mut world = World::new().await;
    world.application("a").await;
    let backup = world.data_dir.path().join("backup.db");
    world.embedded().backup(&backup).await.unwrap();
    let lost = world.application("b").await;
    world.stop();
    restore(world.data_dir.path(), &backup).unwrap();
    world.start().await;
    assert!(world.application("c").await.number > lost.number);
}

#[tokio::test]
async fn a_backup_is_not_restored_under_a_running_store() {
    let world = World::new().await;
    let backup = world.data_dir.path().join("backup.db");
    world.embedded().backup(&backup).await.unwrap();
    let refusal = restore(world.data_dir.path(), &backup).unwrap_err().to_string();
    assert!(refusal.contains("is in use by the process"), "{refusal}");
}

#[tokio::test]
async fn what_is_no_backup_is_not_restored() {
    let mut world = World::new().await;
    world.application("a").await;
    world.stop();
    let text = world.data_dir.path().join("notes.txt");
    fs::write(&text, "this is no database, but long enough to look like one".repeat(100)).unwrap();
    assert!(restore(world.data_dir.path(), &text).is_err());
    world.start().await;
    assert_eq!(world.embedded().registry().count(), 1);
}
