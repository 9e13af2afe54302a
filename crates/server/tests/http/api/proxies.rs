//! The one address of a client behind a trusted gateway, in the limits, the log and the audit.

use std::time::Duration;

use crate::support::page::Page;
use crate::support::socket::{Answer, ask};
use crate::support::world::*;

async fn behind_a_gateway() -> World {
    World::with(Setup { trusted: "127.0.0.1", failures_per_source: 3, ..SETUP }).await
}

async fn post_for(client: &str, world: &World, path: &str, form: String) -> Answer {
    let head =
        format!("POST {path} HTTP/1.1\r\nHost: h\r\nContent-Type: {FORM}\r\nX-Forwarded-For: {client}\r\n");
    ask(world.public, format!("{head}Content-Length: {}\r\n\r\n{form}", form.len())).await
}

async fn guess_for(client: &str, world: &World) -> u16 {
    post_for(client, world, LOGIN, "appId=demo&secret=guess".to_owned()).await.status
}

/// Behind a gateway, the guesses of one client had all others wait.
#[tokio::test]
async fn guessers_behind_a_trusted_gateway_are_told_apart() {
    let world = behind_a_gateway().await;
    for _ in 0..3 {
        assert_eq!(guess_for("6.6.6.6", &world).await, 401);
    }
    assert_eq!(guess_for("6.6.6.6", &world).await, 403);
    // What it writes itself stands before what the gateway adds.
    assert_eq!(guess_for("192.0.2.1, 6.6.6.6", &world).await, 403);
    assert_eq!(guess_for("192.0.2.7", &world).await, 401);
    assert_eq!(guess_for("2001:db8::1", &world).await, 401);
}

#[tokio::test]
async fn lines_of_requests_name_the_client_and_the_gateway() {
    let world = behind_a_gateway().await;
    let token = world.login().await.member("accessToken");
    let (page, _guard) = Page::open();
    guess_for("192.0.2.7", &world).await;
    let verify = format!(
        "GET /verify HTTP/1.1\r\nHost: h\r\napp_key: demo\r\nAuthorization: Bearer {token}\r\n\
         Forwarded: for=6.6.6.6, for=\"[2001:db8::7]:50000\"\r\n\r\n"
    );
    assert_eq!(ask(world.private, verify).await.status, 200);
    world.verify(&token).await;
    let lines = page.lines("northgate::request");
    let told: Vec<_> =
        lines.iter().map(|line| (line["peer"].as_str().unwrap(), line["via"].as_str())).collect();
    assert_eq!(told[..2], [("192.0.2.7", Some("127.0.0.1")), ("[2001:db8::7]:50000", Some("127.0.0.1"))]);
    assert!(told[2].0.starts_with("127.0.0.1:") && told[2].1.is_none(), "{told:?}");
}

#[tokio::test]
async fn the_audit_names_the_client() {
    let world = behind_a_gateway().await;
    let used_up = world.login().await.member("refreshToken");
    world.refresh(&used_up).await;
    world.clock.advance(Duration::from_secs(65));
    let (page, _guard) = Page::open();
    let form = format!("appId=demo&secret={}&refreshToken={used_up}", world.secret);
    post_for("192.0.2.7", &world, REFRESH, form).await;
    let lines = page.lines("northgate::audit");
    assert_eq!(lines[0]["peer"], "192.0.2.7", "{lines:?}");
}
