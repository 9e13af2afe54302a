//! Laws of the findings about applications, over the admin API and the command line.

use std::time::Duration;

use serde_json::json;

use crate::admin::world::World;

const MINUTE: Duration = Duration::from_secs(60);

/// Logs in so often that it is a habit.
async fn log_in_at_each_call(world: &World, app_id: &str) {
    let secret = world.application(app_id).await;
    for _ in 0..12 {
        assert!(world.login(app_id, &secret).await.is_ok());
        world.clock.advance(MINUTE);
    }
}

#[tokio::test]
async fn a_login_at_each_call_is_found_with_what_to_tell_the_programmer() {
    let world = World::start().await;
    world.application("quiet").await;
    assert_eq!(world.get("/admin/v1/attention").await, json!({ "findings": [] }));
    log_in_at_each_call(&world, "a").await;
    let answer = world.get("/admin/v1/attention").await;
    let finding = &answer["findings"][0];
    assert_eq!(
        (&finding["appId"], &finding["kind"], &finding["count"]),
        (&json!("a"), &json!("login-each-call"), &json!(12))
    );
    assert_eq!(
        finding["advice"],
        "Keep the access token until it expires, and share it between calls; then refresh it."
    );
    assert_eq!(world.get("/admin/v1/attention?kind=unused").await, json!({ "findings": [] }));
    let change = json!({ "policy": { "maxGrants": 3 } });
    assert_eq!(world.ask(reqwest::Method::PATCH, "/admin/v1/applications/a", change).await.0, 200);
    assert_eq!(world.get("/admin/v1/attention").await, answer, "a change of the application forgets it");
}

#[tokio::test]
async fn findings_have_pages_of_whole_applications() {
    let world = World::start().await;
    for app_id in ["a", "b", "c"] {
        world.application(app_id).await;
    }
    world.clock.advance(90 * 24 * 60 * MINUTE);
    let first = world.get("/admin/v1/attention?limit=2").await;
    assert_eq!((first["findings"].as_array().unwrap().len(), &first["next"]), (2, &json!(2)));
    let second = world.get("/admin/v1/attention?limit=2&after=2").await;
    assert_eq!((&second["findings"][0]["appId"], second.get("next")), (&json!("c"), None));
}

#[tokio::test]
async fn the_doctor_ends_with_3_if_an_application_needs_attention() {
    let world = World::start().await;
    world.application("a").await;
    let said = world.run(&["doctor"], "").await;
    assert_eq!((said.code, said.out.as_str()), (0, "no application needs attention\n"), "{said:?}");
    world.clock.advance(90 * 24 * 60 * MINUTE);
    let said = world.run(&["doctor"], "").await;
    assert_eq!((said.code, said.err.as_str()), (3, "error: 1 thing needs attention\n"), "{said:?}");
    assert!(said.out.contains("a      unused  not used since 2023-11-14T22:13:20.000Z"), "{said:?}");
    let said = world.run(&["doctor", "--json"], "").await;
    assert_eq!(
        (said.code, &said.json()["findings"][0]["kind"], &said.json()["server"]),
        (3, &json!("unused"), &json!([]))
    );
}
