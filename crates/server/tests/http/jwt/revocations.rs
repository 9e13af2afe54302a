//! Laws of the feed of revocations.

use std::time::Duration;

use northgate_core::actor::Actor;
use northgate_core::administer::{Change, Creation, Wanted};
use northgate_core::allow::Allow;
use northgate_core::app_id::AppId;
use northgate_core::application::{AppNumber, State};
use northgate_core::policy::Overrides;
use northgate_core::signing::Algorithm;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::time::timeout;

use crate::jwt::client::*;
use crate::support::socket::answer;
use crate::support::world::*;

async fn ask(world: &World, query: &str) -> Value {
    let answer = get(world.private, &format!("/revocations{query}"), "").await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let news: Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!(answer.header("ETag"), Some(&format!("\"{}\"", news["cursor"].as_str().unwrap())[..]));
    assert_eq!(answer.header("Cache-Control"), Some("no-cache"));
    news
}

async fn since(world: &World, news: &Value) -> Value {
    ask(world, &format!("?since={}", news["cursor"].as_str().unwrap())).await
}

async fn create(world: &World, id: &str) -> AppNumber {
    let (id, name) = (Some(AppId::parse(id).unwrap()), id.to_owned());
    let wanted = Wanted {
        id,
        name,
        owner: None,
        secret: None,
        overrides: Overrides::default(),
        allow: Allow::default(),
    };
    match world.auth.create(wanted, &Actor::LOCAL, world.clock.now()).await.unwrap() {
        Creation::Created(application, _) => application.number,
        Creation::Same(_) | Creation::Taken(_) => panic!("not created"),
    }
}

#[tokio::test]
async fn a_snapshot_names_the_applications_with_good_tokens_in_runs() {
    let world = World::new().await;
    for id in ["b", "c", "d", "e"] {
        create(&world, id).await;
    }
    let access_lifetime = Some(Duration::from_secs(60));
    let overrides = Overrides { access_lifetime, ..Overrides::default() };
    let shorter = Change::Set { name: None, owner: None, policy: overrides.into(), allow: None };
    world.auth.change(&AppId::parse("d").unwrap(), &shorter, &Actor::LOCAL, world.clock.now()).await.unwrap();
    world.auth.delete(&AppId::parse("b").unwrap(), &Actor::LOCAL, world.clock.now()).await.unwrap();
    let news = ask(&world, "").await;
    assert_eq!(news["kind"], json!("snapshot"));
    assert_eq!(news["leeway_s"], json!(30));
    assert_eq!(news["active"], json!([[1, 1, 3600], [3, 3, 3600], [4, 4, 60], [5, 5, 3600]]));
    assert_eq!((&news["inactive"], &news["revoked"]), (&json!([]), &json!([])));
    world.freeze().await;
    assert_eq!(ask(&world, "").await["active"], json!([[3, 3, 3600], [4, 4, 60], [5, 5, 3600]]));
}

#[tokio::test]
async fn a_delta_tells_how_each_that_changed_stands_now() {
    let world = World::new().await;
    let begin = ask(&world, "").await;
    let nothing = since(&world, &begin).await;
    assert_eq!((&nothing["kind"], &nothing["cursor"]), (&json!("delta"), &begin["cursor"]));
    world.freeze().await;
    let frozen = since(&world, &begin).await;
    assert_eq!(
        (&frozen["kind"], &frozen["inactive"], &frozen["active"]),
        (&json!("delta"), &json!([1]), &json!([]))
    );
    change(&world, Change::State(State::Active)).await;
    for from in [&begin, &frozen] {
        let thawed = since(&world, from).await;
        assert_eq!((&thawed["inactive"], &thawed["active"]), (&json!([]), &json!([[1, 1, 3600]])));
    }
    let number = create(&world, "b").await;
    world.auth.delete(&AppId::parse("b").unwrap(), &Actor::LOCAL, world.clock.now()).await.unwrap();
    assert_eq!(since(&world, &frozen).await["inactive"], json!([number.0]));
}

/// The grant and the application are named as in the token.
#[tokio::test]
async fn a_logout_is_told_with_its_end_and_when_it_may_be_forgotten() {
    let world = signing(Algorithm::EdDsa).await;
    let begin = ask(&world, "").await;
    let token = token(&world).await;
    send(&world, "/oauth2/revoke", "", &format!("token={token}")).await;
    let place = part(&token, 1)["northgate"].clone();
    let revoked = json!([{
        "application": place["application"], "grant": place["grant"],
        "ends_at_ms": 0, "forget_at_ms": (BEGIN_S + 3635) * 1000,
    }]);
    assert_eq!(since(&world, &begin).await["revoked"], revoked);
    assert_eq!(ask(&world, "").await["revoked"], revoked);
}

/// In the seconds of `iat`, so that a signed token that was issued afterwards is not refused for the rest of a second.
#[tokio::test]
async fn an_end_of_all_tokens_is_told_with_the_first_time_that_is_good() {
    let world = signing(Algorithm::EdDsa).await;
    let begin = ask(&world, "").await;
    assert_eq!(begin["tokens_from"], json!([]));
    let before = token(&world).await;
    change(&world, Change::Revoke).await;
    let after = token(&world).await;
    let iat = |token: &str| part(token, 1)["iat"].as_u64().unwrap();
    for news in [since(&world, &begin).await, ask(&world, "").await] {
        assert_eq!(news["active"], json!([[1, 1, 3600]]));
        assert_eq!(news["tokens_from"], json!([[1, iat(&after)]]));
        assert!(iat(&before) < iat(&after));
    }
    assert_eq!(introspect(&world, &before).await, json!({"active": false}));
    assert_eq!(introspect(&world, &after).await["active"], json!(true));
}

#[tokio::test]
async fn what_changes_no_token_is_no_news() {
    let world = World::new().await;
    let begin = ask(&world, "").await;
    world.login().await;
    let (name, overrides) = (Some("new name".to_owned()), Overrides::default());
    change(&world, Change::Set { name, owner: None, policy: overrides.into(), allow: None }).await;
    assert_eq!(since(&world, &begin).await["cursor"], begin["cursor"]);
}

#[tokio::test]
async fn who_waits_is_told_as_soon_as_something_changes() {
    let world = World::new().await;
    let begin = ask(&world, "").await;
    let query = format!("?since={}&wait=30", begin["cursor"].as_str().unwrap());
    let (news, ()) = tokio::join!(ask(&world, &query), async {
        // Long enough for most runs to have the question there first; either way the answer is the same.
        tokio::task::yield_now().await;
        world.freeze().await;
    });
    assert_eq!(news["inactive"], json!([1]));
}

#[tokio::test]
async fn who_waits_is_let_go_when_the_server_stops() {
    let world = World::new().await;
    let begin = ask(&world, "").await;
    let query = format!("?since={}&wait=30", begin["cursor"].as_str().unwrap());
    let (news, ()) = tokio::join!(ask(&world, &query), async {
        tokio::task::yield_now().await;
        world.auth.registry().feed().stop_waiting();
    });
    assert_eq!(news["cursor"], begin["cursor"]);
}

/// A server that was started again, another node, and a place that is too long ago.
#[tokio::test]
async fn a_cursor_that_is_not_known_gets_a_snapshot() {
    let (world, other) = (World::new().await, World::new().await);
    let foreign = ask(&other, "").await;
    assert_eq!(since(&world, &foreign).await["kind"], json!("snapshot"));
    for query in ["?since=", "?since=nonsense", "?since=0000000000000000-0&wait=30"] {
        assert_eq!(ask(&world, query).await["kind"], json!("snapshot"), "{query}");
    }
}

#[tokio::test]
async fn a_snapshot_that_has_not_changed_is_not_sent_again() {
    let world = World::new().await;
    let cursor = ask(&world, "").await["cursor"].as_str().unwrap().to_owned();
    let lines = format!("If-None-Match: \"{cursor}\"\r\n");
    get(world.private, "/revocations", &lines).await.is(304, "");
    world.freeze().await;
    assert_eq!(get(world.private, "/revocations", &lines).await.status, 200);
}

#[tokio::test]
async fn the_public_listener_tells_nobody() {
    let world = World::new().await;
    assert_eq!(get(world.public, "/revocations", "").await.status, 404);
}

/// It was refused with a sentence in plain text, unlike everything else that is refused here.
#[tokio::test]
async fn a_query_that_cannot_be_read_is_refused_in_json() {
    let world = World::new().await;
    for query in ["?wait=soon", "?wait=-1", "?wait=18446744073709551616", "?since=a&since=b"] {
        let answer = get(world.private, &format!("/revocations{query}"), "").await;
        let body: Value = serde_json::from_str(&answer.body).unwrap();
        assert_eq!((answer.status, &body["error"]), (400, &json!("invalid-request")), "{query}");
    }
}

// A gateway that had gone kept its place for as long as it had asked to wait; 256 of them kept everybody out.
#[tokio::test]
async fn a_client_that_has_closed_its_side_is_not_waited_for() {
    let world = World::new().await;
    let news = ask(&world, "").await;
    let cursor = news["cursor"].as_str().unwrap();
    let mut socket = tokio::net::TcpStream::connect(world.private).await.unwrap();
    let request = format!("GET /revocations?since={cursor}&wait=30 HTTP/1.1\r\nHost: h\r\n\r\n");
    socket.write_all(request.as_bytes()).await.unwrap();
    socket.shutdown().await.unwrap();
    // Nothing changes: without its end being seen, the answer would come after 30 s.
    let answered = timeout(Duration::from_secs(20), answer(&mut socket)).await;
    assert_eq!(answered.expect("an answer before the wait is over").member("kind"), "delta");
}

// A query was as long as its line allowed, and each of its parameters decoded.
#[tokio::test]
async fn a_query_with_more_than_32_parameters_is_refused() {
    let world = World::new().await;
    for (query, status) in [
        ("wait=0".to_owned() + &"&x=y".repeat(31), 200),
        ("wait=0".to_owned() + &"&x=y".repeat(32), 400),
        ("&".repeat(33), 400),
        ("%26=&".repeat(2_000), 400),
    ] {
        let answer = get(world.private, &format!("/revocations?{query}"), "").await;
        assert_eq!(answer.status, status, "{query}: {}", answer.body);
        let answer = get(world.private, &format!("/verify?{query}"), "").await;
        assert_eq!(answer.status, if status == 400 { 400 } else { 401 }, "{query}: {}", answer.body);
    }
}
