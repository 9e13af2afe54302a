//! Logout.

use crate::support::socket::{Socket, ask, post};
use crate::support::world::*;

#[tokio::test]
async fn a_logout_ends_the_access_token_and_the_refresh_token() {
    let world = World::new().await;
    let login = world.login().await;
    let answer = world.logout(&login.member("accessToken")).await;
    answer.is(204, "");
    assert_eq!(answer.header("Content-Length"), None);
    assert_eq!(answer.header("Content-Type"), None);
    assert_eq!(world.verify(&login.member("accessToken")).await.status, 403);
    world.refresh(&login.member("refreshToken")).await.is(400, INVALID);
}

#[tokio::test]
async fn a_second_logout_succeeds_and_the_connection_stays_open() {
    let world = World::new().await;
    let token = world.login().await.member("accessToken");
    let mut socket = Socket::open(world.public).await;
    for _ in 0..2 {
        socket.send(post(LOGOUT, JSON, format!(r#"{{"accessToken":"{token}"}}"#))).await;
        socket.answer().await.is(204, "");
    }
}

#[tokio::test]
async fn a_logout_without_a_token_of_ours_is_refused() {
    let world = World::new().await;
    for body in ["", "{}", r#"{"accessToken":null}"#, r#"{"accessToken":""}"#] {
        ask(world.public, post(LOGOUT, JSON, body)).await.is(400, MISSING);
    }
    world.logout("nonsense").await.is(400, INVALID);
    world.logout(&world.login().await.member("refreshToken")).await.is(400, INVALID);
    ask(world.public, post(LOGOUT, JSON, r#"{"accessToken":7}"#)).await.is(400, INVALID);
}
