//! Laws about importing applications.

use serde_json::{Value, json};

use crate::admin::world::World;

async fn import(world: &World, rows: Value) -> Vec<String> {
    let (status, answer) = world.post("/admin/v1/import", json!({"rows": rows})).await;
    assert_eq!(status, 200, "{answer}");
    let rows = answer["rows"].as_array().unwrap();
    rows.iter()
        .map(|row| format!("{} {}", row["appId"].as_str().unwrap(), row["result"].as_str().unwrap()))
        .collect()
}

#[tokio::test]
async fn an_imported_application_logs_in_with_the_secret_that_it_has() {
    let world = World::start().await;
    let rows = json!([{"appId": "a", "secret": "pass"}, {"appId": "b/c", "secret": "word", "name": "Bee"}]);
    assert_eq!(import(&world, rows).await, ["a created", "b/c created"]);
    assert!(world.login("b/c", "word").await.is_ok() && world.login("a", "word").await.is_err());
    assert_eq!(world.get("/admin/v1/applications/a").await["name"], "a");
    assert_eq!(world.get("/admin/v1/applications/b%2Fc").await["name"], "Bee");
}

#[tokio::test]
async fn an_import_can_be_repeated_and_changes_nothing_that_is_there() {
    let world = World::start().await;
    import(&world, json!([{"appId": "a", "secret": "pass"}])).await;
    let again = json!([{"appId": "a", "secret": "pass", "name": "n"}, {"appId": "b", "secret": "new"}]);
    assert_eq!(import(&world, again).await, ["a unchanged", "b created"]);
    assert_eq!(import(&world, json!([{"appId": "a", "secret": "other"}])).await, ["a conflict"]);
    assert!(world.login("a", "pass").await.is_ok() && world.login("a", "other").await.is_err());
}

#[tokio::test]
async fn a_row_that_is_wrong_keeps_no_other_out() {
    let world = World::start().await;
    let rows = json!([
        {"appId": "", "secret": "s"}, {"appId": "a", "secret": 31337}, {"secret": "s"}, 7,
        {"appId": "b", "secret": "s", "scope": "x"}, {"appId": "c", "secret": "s"}
    ]);
    let results = import(&world, rows).await;
    assert_eq!(results, [" invalid", "a invalid", " invalid", " invalid", "b invalid", "c created"]);
}

// A CSV with blanks after its commas made applications that could not log in.
#[tokio::test]
async fn an_import_takes_no_app_id_or_name_that_a_person_cannot_see() {
    let world = World::start().await;
    let rows = json!([
        {"appId": " a", "secret": "s"}, {"appId": "a ", "secret": "s"}, {"appId": "\u{feff}a", "secret": "s"},
        {"appId": "a", "secret": "s", "name": "a\u{2067}b"}, {"appId": "b c", "secret": "s"}
    ]);
    let results = import(&world, rows).await;
    assert_eq!(results, [" a invalid", "a  invalid", "\u{feff}a invalid", "a invalid", "b c created"]);
}

#[tokio::test]
async fn of_two_rows_for_one_application_the_first_counts() {
    let world = World::start().await;
    let rows =
        json!([{"appId": "a", "secret": "1"}, {"appId": "a", "secret": "2"}, {"appId": "a", "secret": "1"}]);
    assert_eq!(import(&world, rows).await, ["a created", "a conflict", "a unchanged"]);
}

#[tokio::test]
async fn more_rows_than_the_hashing_queue_has_places_are_imported() {
    let world = World::start().await;
    let rows: Vec<Value> = (0..100).map(|n| json!({"appId": format!("a{n}"), "secret": "s"})).collect();
    let results = import(&world, rows.into()).await;
    assert_eq!(results.iter().filter(|result| result.ends_with(" created")).count(), 100);
    assert_eq!(world.auth.registry().count(), 100);
}

#[tokio::test]
async fn one_request_imports_at_most_500_rows() {
    let world = World::start().await;
    let rows: Vec<Value> = (0..501).map(|_| Value::Null).collect();
    let (status, answer) = world.post("/admin/v1/import", json!({"rows": rows})).await;
    assert_eq!((status, &answer["error"]), (400, &json!("invalid-request")));
}
