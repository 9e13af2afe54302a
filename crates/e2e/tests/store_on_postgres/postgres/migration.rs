//! Laws of the tables: made once, changed beside nodes that run, and never touched where they are not ours.

use std::error::Error;
use std::time::Duration;

use northgate_core::actor::Actor;
use northgate_core::clock::Timestamp;
use northgate_core::policy::Overrides;
use northgate_store::postgres::{ConnectError, PostgresSettings, PostgresStore, VERSION, migrate};

use super::node::{Installation, NOW};
use northgate_testkit::postgres::{Place, at, server};

async fn refusal(settings: PostgresSettings) -> String {
    match PostgresStore::connect(settings, Box::new(|| Timestamp::from_millis(0))).await {
        Ok(_) => panic!("it connected"),
        Err(error) => error.to_string(),
    }
}

async fn change(place: &Place, statements: &str) {
    server().client(&place.url()).await.batch_execute(statements).await.unwrap();
}

#[tokio::test]
async fn a_database_that_cannot_be_reached_is_told_in_a_sentence() {
    let place = server().place().await;
    let nowhere = at("postgres://northgate@127.0.0.1:1/postgres");
    let settings =
        PostgresSettings { database: nowhere, connect_timeout: Duration::from_secs(5), ..place.settings() };
    let told = refusal(settings).await;
    assert!(
        told.starts_with("the database cannot be reached") && told.contains("check database.url"),
        "{told}"
    );
}

/// The tests have one PostgreSQL, which is new enough: here it says that it is another.
#[tokio::test]
async fn a_server_that_is_too_old_is_told_with_its_version_and_left_as_it_is() {
    let place = server().place().await;
    let pretend = "CREATE FUNCTION current_setting(text) RETURNS text LANGUAGE sql AS $$ SELECT '120022' $$";
    change(&place, pretend).await;
    // Its own functions are behind ours then.
    let database = at(&format!("{},pg_catalog", place.url()));
    let settings = PostgresSettings { database, ..place.settings() };
    let sentence = "the database server is too old (version number 120022): PostgreSQL 13 or newer is needed";
    assert_eq!(migrate(&settings).await.unwrap_err().to_string(), sentence);
    assert_eq!(refusal(settings).await, sentence);
    change(&place, "CREATE TABLE northgate_schema (theirs text)").await;
}

#[tokio::test]
async fn a_database_that_was_not_migrated_is_told_what_to_do() {
    let told = refusal(server().place().await.settings()).await;
    assert!(told.contains("run `northgate migrate`"), "{told}");
}

#[tokio::test]
async fn a_database_of_a_version_that_leaves_this_one_behind_is_refused_and_left_as_it_is() {
    let place = Installation::new().await.place;
    change(&place, "UPDATE northgate_schema SET version = 99, oldest_node = 99").await;
    let told = refusal(place.settings()).await;
    assert!(told.contains("by a newer Northgate (format 99") && told.contains("use that version"), "{told}");
    let migrated = migrate(&place.settings()).await;
    assert!(matches!(migrated, Err(ConnectError::Newer { found: 99 })), "{migrated:?}");
}

#[tokio::test]
async fn tables_of_another_program_are_refused_and_left_as_they_are() {
    let place = server().place().await;
    change(&place, "CREATE TABLE grants (theirs text)").await;
    let migrated = migrate(&place.settings()).await.unwrap_err();
    assert!(migrated.to_string().contains("give Northgate a database of its own"), "{migrated}");
    change(&place, "SELECT theirs FROM grants").await;
}

#[tokio::test]
async fn migrating_twice_or_from_many_nodes_at_once_is_migrating_once() {
    let place = server().place().await;
    let migrations = (0..4).map(|_| tokio::spawn(async move { migrate(&place.settings()).await }));
    let mut from = Vec::new();
    for migration in migrations.collect::<Vec<_>>() {
        match migration.await.unwrap() {
            Ok(version) => from.push(version),
            Err(error) => panic!("{error}: {:?}", error.source()),
        }
    }
    from.sort_unstable();
    assert_eq!(from, [0, VERSION, VERSION, VERSION]);
    assert_eq!(migrate(&place.settings()).await.unwrap(), VERSION);
}

#[tokio::test]
async fn a_node_works_on_and_starts_beside_a_migration_to_the_next_version() {
    let installation = Installation::new().await;
    let running = installation.node().await;
    let app = running.customer("app", Overrides::default()).await;
    let pair = running.login(&app).await;
    let next = "
        ALTER TABLE applications ADD COLUMN next text;
        ALTER TABLE secrets ADD COLUMN next bigint NOT NULL DEFAULT 0;
        ALTER TABLE grants ADD COLUMN next bigint;
        ALTER TABLE revocations ADD COLUMN next text;
        CREATE TABLE next (application int PRIMARY KEY);
        UPDATE northgate_schema SET version = version + 1";
    change(&installation.place, next).await;
    let started = installation.node().await;
    for node in [&running, &started] {
        let pair = node.login(&app).await;
        node.refresh(&app, &pair.refresh_token, NOW).await.unwrap();
        node.auth.add_secret(&app.id, "another".to_owned(), None, &Actor::LOCAL, NOW).await.unwrap();
        node.auth.logout(&pair.access_token, NOW).await.unwrap();
    }
    started.refresh(&app, &pair.refresh_token, NOW).await.unwrap();
}
