//! Throttling, as applications and gateways see it.

use std::net::Ipv4Addr;
use std::time::Duration;

use northgate_core::actor::Actor;
use northgate_core::administer::Wanted;
use northgate_core::allow::Allow;
use northgate_core::app_id::AppId;
use northgate_core::policy::Overrides;
use northgate_core::secret::SecretText;

use crate::support::socket::{Answer, ask, ask_from, post};
use crate::support::world::*;

const THROTTLED: &str = r#"{"error_code":"1010009","error_desc":"app throttle exceed."}"#;
const CALL_THROTTLED: &str = r#"{"error_code":"1010009","error_desc":"app throttle exceed.","resultcode":"1010009","resultmsg":"app throttle exceed."}"#;

/// Another machine, as far as the server can tell.
const ELSEWHERE: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

async fn limited() -> World {
    let overrides = Overrides { calls_per_minute: Some(2), ..SETUP.overrides };
    World::with(Setup { overrides, ..SETUP }).await
}

async fn guarded() -> World {
    World::with(Setup { failures_per_source: 3, ..SETUP }).await
}

/// An application with a secret that is kept as Argon2id.
async fn import(world: &World, app: &str) {
    let (id, secret) = (Some(AppId::parse(app).unwrap()), Some(SecretText::parse("hunter2").unwrap()));
    let wanted = Wanted {
        id,
        name: app.to_owned(),
        owner: None,
        secret,
        overrides: Overrides::default(),
        allow: Allow::default(),
    };
    world.auth.create(wanted, &Actor::LOCAL, world.clock.now()).await.unwrap();
}

async fn login(world: &World, app: &str, secret: &str) -> Answer {
    ask(world.public, post(LOGIN, FORM, format!("appId={app}&secret={secret}"))).await
}

#[tokio::test]
async fn an_application_that_hammers_is_limited_on_its_own() {
    let world = limited().await;
    import(&world, "other").await;
    let first = world.login().await;
    let second = world.refresh(&first.member("refreshToken")).await;
    let throttled = [
        login(&world, "demo", &world.secret).await,
        world.refresh(&second.member("refreshToken")).await,
        world.logout(&second.member("accessToken")).await,
    ];
    for answer in throttled {
        answer.is(403, THROTTLED);
        assert_eq!(answer.header("Retry-After"), Some("30"));
    }
    for _ in 0..5 {
        assert_eq!(login(&world, "other", "hunter2").await.status, 200);
    }
    world.clock.advance(Duration::from_secs(30));
    assert_eq!(world.refresh(&second.member("refreshToken")).await.status, 200);
}

#[tokio::test]
async fn a_call_too_many_is_answered_with_all_four_members() {
    let world = limited().await;
    let token = world.login().await.member("accessToken");
    world.verify(&token).await.is(200, "");
    world.verify(&token).await.is(200, "");
    let answer = world.verify(&token).await;
    answer.is(403, CALL_THROTTLED);
    assert_eq!(answer.header("Retry-After"), Some("30"));
    let metrics = ask(world.private, "GET /metrics HTTP/1.1\r\nHost: h\r\n\r\n").await.body;
    let line = "northgate_operations_total{operation=\"verify\",outcome=\"throttled\"} 1\n";
    assert!(metrics.contains(line), "{metrics}");
}

#[tokio::test]
async fn a_guesser_is_slowed_at_its_address_and_nowhere_else() {
    let world = guarded().await;
    import(&world, "weak").await;
    for app in ["demo", "weak", "nobody"] {
        login(&world, app, "guess").await.is(401, REJECTED);
    }
    for app in ["demo", "weak", "nobody"] {
        let answer = login(&world, app, "guess").await;
        answer.is(403, THROTTLED);
        assert_eq!(answer.header("Retry-After"), Some("20"));
    }
    // Headers say nothing about where a request comes from: anybody can write them.
    let forged = format!(
        "POST {LOGIN} HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: 192.0.2.9\r\nContent-Type: {FORM}\r\n\
         Content-Length: 23\r\n\r\nappId=demo&secret=guess"
    );
    ask(world.public, forged).await.is(403, THROTTLED);
    let guess = post(LOGIN, FORM, "appId=demo&secret=guess");
    ask_from(ELSEWHERE, world.public, guess).await.is(401, REJECTED);
    world.clock.advance(Duration::from_secs(20));
    login(&world, "demo", "guess").await.is(401, REJECTED);
}

#[tokio::test]
async fn the_right_secret_works_while_somebody_guesses_at_the_same_address() {
    let world = guarded().await;
    import(&world, "weak").await;
    assert_eq!(login(&world, "weak", "hunter2").await.status, 200);
    for app in ["demo", "weak"] {
        for _ in 0..5 {
            login(&world, app, "guess").await;
        }
    }
    login(&world, "demo", "guess").await.is(403, THROTTLED);
    for _ in 0..5 {
        let pair = world.login().await;
        assert_eq!(world.refresh(&pair.member("refreshToken")).await.status, 200);
        assert_eq!(login(&world, "weak", "hunter2").await.status, 200);
    }
}
