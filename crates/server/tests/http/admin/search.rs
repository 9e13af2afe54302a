//! Laws of the list of applications: search, filters, order and pages.

use std::time::Duration;

use serde_json::{Value, json};

use crate::admin::world::World;

const LIST: &str = "/admin/v1/applications";

fn ids(page: &Value) -> Vec<String> {
    let lines = page["applications"].as_array().unwrap().iter();
    lines.map(|line| line["appId"].as_str().unwrap().to_owned()).collect()
}

async fn found(world: &World, query: &str) -> Vec<String> {
    ids(&world.get(&format!("{LIST}?{query}")).await)
}

/// Three applications, made an hour apart; the second one is used and frozen, the last one has an owner.
async fn three() -> World {
    let world = World::start().await;
    let mut secrets = Vec::new();
    for app_id in ["c", "b", "a"] {
        secrets.push(world.application(app_id).await);
        world.clock.advance(Duration::from_secs(3600));
    }
    assert!(world.login("b", &secrets[1]).await.is_ok());
    world.post(&format!("{LIST}/b/freeze"), Value::Null).await;
    world.ask(reqwest::Method::PATCH, &format!("{LIST}/a"), json!({"owner": "Meters & team"})).await;
    world
}

#[tokio::test]
async fn a_list_comes_in_pages_that_a_link_leads_through() {
    let world = three().await;
    let (mut path, mut all) = (format!("{LIST}?limit=2&sort=name&search=THE"), Vec::new());
    loop {
        let request = world.http.get(format!("http://{}{path}", world.address)).bearer_auth(&world.token);
        let answer = request.send().await.unwrap();
        let link = answer.headers().get("link").map(|link| link.to_str().unwrap().to_owned());
        let page: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
        all.extend(ids(&page));
        let Some(next) = page["next"].as_str() else {
            assert_eq!(link, None);
            break;
        };
        let next = next.replace('-', "%2D").replace('_', "%5F");
        path = format!("{LIST}?limit=2&sort=name&search=THE&after={next}");
        assert_eq!(link, Some(format!("<{path}>; rel=\"next\"")));
    }
    assert_eq!(all, ["a", "b", "c"]);
}

#[tokio::test]
async fn a_list_is_searched_filtered_and_sorted_by_the_server() {
    let world = three().await;
    for (query, expected) in [
        ("", &["c", "b", "a"][..]),
        ("sort=newest", &["a", "b", "c"]),
        ("sort=used", &["b", "c", "a"]),
        ("name=THE%20B", &["b"]),
        ("state=active", &["c", "a"]),
        ("state=frozen", &["b"]),
        ("owner=Meters%20%26%20team", &["a"]),
        ("owner=", &["c", "b"]),
        ("usedAfter=1h", &["b"]),
        ("usedBefore=1h", &["c", "a"]),
        ("secretBefore=90m", &["c", "b"]),
        ("owner=&state=active", &["c"]),
    ] {
        assert_eq!(found(&world, query).await, expected, "{query}");
    }
    assert_eq!(
        world.get(&format!("{LIST}?state=frozen")).await["applications"][0]["lastUsedAt"],
        "2023-11-15T01:13:20.000Z"
    );
}

#[tokio::test]
async fn a_query_that_is_not_known_is_refused_with_what_there_is() {
    let world = World::start().await;
    for (query, said) in [
        ("page=2", "there are search, name"),
        ("after=7", "the next of a list in this order"),
        ("sort=up", "newest, oldest, name and used"),
        ("usedBefore=soon", "2026-01-31T12:00:00Z"),
    ] {
        let (status, answer) = world.ask(reqwest::Method::GET, &format!("{LIST}?{query}"), Value::Null).await;
        assert_eq!((status, &answer["error"]), (400, &json!("invalid-request")));
        assert!(answer["detail"].as_str().unwrap().contains(said), "{answer}");
    }
}

#[tokio::test]
async fn app_list_takes_the_filters_and_pages_through_to_the_end() {
    let world = three().await;
    let listed = async |flags: &[&str]| {
        let arguments: Vec<&str> =
            ["app", "list", "--json"].into_iter().chain(flags.iter().copied()).collect();
        ids(&world.run(&arguments, "").await.json())
    };
    assert_eq!(listed(&["--sort", "newest"]).await, ["a", "b", "c"]);
    assert_eq!(listed(&["--state", "frozen"]).await, ["b"]);
    assert_eq!(listed(&["--owner", "Meters & team"]).await, ["a"]);
    assert_eq!(listed(&["--no-owner", "--search", "c"]).await, ["c"]);
    assert_eq!(listed(&["--used-before", "1h", "--secret-before", "3h"]).await, Vec::<String>::new());
}
