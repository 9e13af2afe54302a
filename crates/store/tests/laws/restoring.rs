//! Laws of restoring: what is wrong with a backup is said before anything is touched, and what is restored starts.

use std::error::Error;
use std::fs;
use std::path::PathBuf;

use northgate_core::clock::Timestamp;
use northgate_core::store::Store;
use northgate_store::embedded::{DATABASE, EmbeddedStore, restore};
use rusqlite::Connection;

use crate::laws::world::World;

fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

/// A store that was stopped, and a backup of it with something in every table.
async fn stopped() -> (World, PathBuf) {
    let mut world = World::new().await;
    let application = world.application("a").await;
    world.open(&application, 1).await;
    world.open(&application, 2).await;
    let backup = world.data_dir.path().join("backup.db");
    world.embedded().backup(&backup).await.unwrap();
    world.stop();
    (world, backup)
}

/// Only whether SQLite could read it was looked at: the next start failed, with the good database already moved away.
#[tokio::test]
async fn what_a_start_would_refuse_is_refused_by_restore_with_the_reason_and_touches_nothing() {
    let row = "INSERT OR REPLACE INTO";
    for (change, reason) in [
        ("PRAGMA user_version = 99", "it was written by a newer Northgate (format 99"),
        ("PRAGMA user_version = 0", "it is an SQLite file of another program"),
        ("PRAGMA application_id = 7", "it is an SQLite file of another program"),
        ("DROP TABLE grants", "no such table: grants"),
        ("UPDATE applications SET rotation = 'often'", "table applications with number 1 is damaged"),
        ("UPDATE applications SET allow = 'ALL OF IT'", "table applications with number 1 is damaged"),
        ("UPDATE applications SET revision = -1", "table applications with number 1 is damaged"),
        (
            "PRAGMA foreign_keys = off; UPDATE secrets SET application = 4294967296;
             UPDATE applications SET number = 4294967296",
            "table applications with number 4294967296 is damaged",
        ),
        (&format!("{row} grants VALUES (1, x'0102', x'')"), "table grants with application 1 is damaged"),
        (&format!("{row} grants VALUES (1, x'', x'01')"), "table grants with application 1 is damaged"),
        (&format!("{row} journal VALUES (1, x'09')"), "table journal with batch 1 is damaged"),
        (&format!("{row} journal VALUES (1, x'0100')"), "table journal with batch 1 is damaged"),
        (
            &format!("DELETE FROM journal; {row} journal VALUES (3, x''), (5, x'')"),
            "its journal has 2 rows from 3 to 5",
        ),
        (
            &format!("DELETE FROM journal; {row} journal VALUES (0, x'')"),
            "its journal has 1 rows from 0 to 0",
        ),
        ("UPDATE sqlite_sequence SET seq = 4294000000", "its highest application number is 4294000000"),
        (
            &format!(
                "PRAGMA foreign_keys = off; {row} credentials VALUES (9, 1, 'l', 1, 'subject', x'434e')"
            ),
            "a row of table credentials belongs to no row of table applications",
        ),
        (
            "INSERT INTO credentials VALUES (1, 1, 'l', 1, 'spell', x'00')",
            "table credentials with application 1 and id 1 is damaged",
        ),
    ] {
        let (mut world, backup) = stopped().await;
        Connection::open(&backup).unwrap().execute_batch(change).unwrap();
        is_refused(&world, &backup, reason);
        world.start().await;
        assert_eq!(world.embedded().registry().count(), 1, "{change}");
    }
}

#[tokio::test]
async fn a_file_that_is_torn_empty_or_no_file_is_refused_and_touches_nothing() {
    let (world, backup) = stopped().await;
    let whole = fs::read(&backup).unwrap();
    for (bytes, reason) in [
        (&whole[..whole.len() - 4096], "malformed"),
        (&whole[..4096], "malformed"),
        (&whole[..100], "malformed"),
        (&b"this is no database, but long enough to look like one".repeat(100)[..], "not a database"),
        (&b""[..], "it is empty"),
    ] {
        fs::write(&backup, bytes).unwrap();
        is_refused(&world, &backup, reason);
    }
    let mut damaged = whole.clone();
    let page = damaged.len() - 4096;
    damaged[page..page + 200].fill(0xff);
    fs::write(&backup, damaged).unwrap();
    is_refused(&world, &backup, "damaged");
    is_refused(&world, world.data_dir.path(), "it is not a regular file");
    is_refused(&world, &world.data_dir.path().join("missing"), "it cannot be read");
}

fn is_refused(world: &World, backup: &std::path::Path, reason: &str) {
    let database = world.data_dir.path().join(DATABASE);
    let before = fs::read(&database).unwrap();
    let refusal = with_causes(&restore(world.data_dir.path(), backup).unwrap_err());
    assert!(refusal.starts_with("cannot use the backup ") && refusal.contains(reason), "{reason}: {refusal}");
    assert_eq!(fs::read(&database).unwrap(), before, "{reason}");
    let left = fs::read_dir(world.data_dir.path()).unwrap().map(|entry| entry.unwrap().file_name());
    let left: Vec<String> = left.map(|name| name.into_string().unwrap()).collect();
    assert!(!left.iter().any(|name| name.contains("incoming") || name.contains("before")), "{left:?}");
}

/// Copies of all files of a database are as good as its backup.
#[tokio::test]
async fn a_copied_database_is_restored_with_what_its_wal_holds() {
    let world = World::new().await;
    let application = world.application("a").await;
    let grant = world.open(&application, 1).await;
    let other = tempfile::tempdir().unwrap();
    for name in ["northgate.db", "northgate.db-wal"] {
        fs::copy(world.data_dir.path().join(name), other.path().join(name)).unwrap();
    }
    let mut restored = World::new().await;
    restored.stop();
    restore(restored.data_dir.path(), &other.path().join(DATABASE)).unwrap();
    restored.start().await;
    assert!(restored.embedded().grant(grant).await.unwrap().is_some());
}

/// The record of the highest number begins with the first application: before that nothing was skipped.
#[tokio::test]
async fn a_backup_from_before_the_first_application_skips_numbers_too() {
    let mut world = World::new().await;
    let backup = world.data_dir.path().join("backup.db");
    world.embedded().backup(&backup).await.unwrap();
    let lost = world.application("a").await;
    world.stop();
    restore(world.data_dir.path(), &backup).unwrap();
    world.start().await;
    assert!(world.application("b").await.number.0 > lost.number.0 + 1_000);
}

/// A start said only that some row is damaged.
#[tokio::test]
async fn a_start_names_the_damaged_row() {
    for (change, reason) in [
        (
            "UPDATE applications SET state = 'active', dpop = 'maybe'",
            "table applications with number 1 is damaged",
        ),
        ("INSERT OR REPLACE INTO journal VALUES (1, x'0900')", "table journal with batch 1 is damaged"),
        (
            "INSERT OR REPLACE INTO grants VALUES (1, x'00', x'')",
            "table grants with application 1 is damaged",
        ),
        ("INSERT INTO spent VALUES (1, 1, x'00')", "table spent with application 1 and minute 1 is damaged"),
    ] {
        let (world, _) = stopped().await;
        let database = world.data_dir.path().join(DATABASE);
        Connection::open(database).unwrap().execute_batch(change).unwrap();
        let clock = Box::new(|| Timestamp::from_millis(0));
        let error = EmbeddedStore::open(world.data_dir.path(), 1, clock).err().unwrap();
        let said = with_causes(&error);
        assert!(said.contains(reason), "{change}: {said}");
    }
}
