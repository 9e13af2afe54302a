//! What is written down of requests, and what never is.

use std::time::Duration;

use serde_json::Value;

use crate::support::page::Page;
use crate::support::socket::{ask, post};
use crate::support::world::*;

#[tokio::test]
async fn a_line_names_operation_application_and_outcome() {
    let world = World::new().await;
    let (page, _guard) = Page::open();
    let login = world.login().await;
    ask(world.public, post(LOGIN, FORM, "appId=demo&secret=wrong")).await;
    ask(world.public, post(LOGIN, FORM, "")).await;
    ask(world.public, post("/nowhere", FORM, "")).await;
    world.refresh(&login.member("refreshToken")).await;
    world.refresh(&login.member("refreshToken")).await;
    world.verify(&login.member("accessToken")).await;
    world.logout(&login.member("accessToken")).await;
    world.logout(&login.member("accessToken")).await;
    let lines = page.lines("northgate::request");
    let word = |line: &Value, field: &str| line[field].as_str().unwrap_or("-").to_owned();
    let told: Vec<_> = lines
        .iter()
        .map(|line| [word(line, "listener"), word(line, "message"), word(line, "application")].join(" "))
        .collect();
    assert_eq!(
        told,
        [
            "public login ok demo",
            "public login rejected demo",
            "public login missing-field -",
            "public request not-found -",
            "public refresh ok demo",
            "public refresh replayed demo",
            "private verify ok demo",
            "public logout ok demo",
            "public logout already-over demo",
        ]
    );
    assert!(lines.iter().all(|line| line["peer"].as_str().unwrap().starts_with("127.0.0.1:")));
}

#[tokio::test]
async fn reuse_is_told_to_the_audit_with_its_grant() {
    let world = World::new().await;
    let used_up = world.login().await.member("refreshToken");
    world.refresh(&used_up).await;
    world.clock.advance(Duration::from_secs(65));
    let (page, _guard) = Page::open();
    let answer = world.refresh(&used_up).await;
    let lines = page.lines("northgate::audit");
    let [line] = &lines[..] else { panic!("{lines:?}") };
    assert_eq!(
        (&line["presented"], &line["current"], &line["closed"]),
        (&0.into(), &1.into(), &false.into())
    );
    assert_eq!(line["application"], "demo");
    assert_eq!(line["grant"].as_str().unwrap().len(), 16);
    assert_eq!(line["request"].as_str(), answer.header("X-Request-Id"));
    assert_eq!(page.lines("northgate::request")[0]["outcome"], "reused");
}

// At the most talkative level, so that nothing below us writes them either.
#[tokio::test]
async fn no_secret_and_no_token_is_ever_written() {
    let world = World::new().await;
    let (page, _guard) = Page::open();
    let login = world.login().await;
    let (access, refresh) = (login.member("accessToken"), login.member("refreshToken"));
    let next = world.refresh(&refresh).await;
    world.verify(&access).await;
    let in_query = format!("{LOGIN}?appId=demo&secret={}", world.secret);
    ask(world.public, post(&in_query, FORM, "")).await;
    let broken = format!(r#"{{"appId":"demo","secret":"{}","refreshToken":{access}}}"#, world.secret);
    ask(world.public, post(REFRESH, JSON, broken)).await;
    world.logout(&access).await;
    world.refresh(&refresh).await;
    let text = page.text();
    assert_eq!(page.lines("northgate::request").len(), 7);
    for secret in
        [&world.secret, &access, &refresh, &next.member("accessToken"), &next.member("refreshToken")]
    {
        assert!(!text.contains(secret.as_str()), "{secret} is in {text}");
    }
}

/// Requests that hyper answers itself left no trace: a gateway whose requests had grown beyond `limits.headers` looked like
/// an outage, with nothing in the log.
#[tokio::test]
async fn a_head_that_the_parser_refuses_has_a_line_and_is_counted() {
    let world = World::new().await;
    let (page, _guard) = Page::open();
    let too_large = format!("GET /verify HTTP/1.1\r\nX-Secret: {}", "s".repeat(32 * 1024));
    for listener in [world.public, world.private] {
        assert_eq!(ask(listener, &too_large).await.status, 431);
        assert_eq!(ask(listener, "GET /verify HTTP/1.1\r\nX Secret: sss\r\n\r\n").await.status, 400);
    }
    let told: Vec<_> = page
        .lines("northgate::request")
        .iter()
        .map(|line| format!("{} {} {}", line["listener"], line["message"], line["status"]).replace('"', ""))
        .collect();
    let both = ["request too-large 431", "request invalid-input 400"];
    assert_eq!(
        told,
        ["public", "private"]
            .iter()
            .flat_map(|at| both.map(|told| format!("{at} {told}")))
            .collect::<Vec<_>>()
    );
    assert!(!page.text().contains("sss"), "{}", page.text());
    let metrics = ask(world.private, "GET /metrics HTTP/1.1\r\nHost: h\r\n\r\n").await.body;
    for listener in ["public", "private"] {
        for status in [400, 431] {
            let line =
                format!("northgate_refused_heads_total{{listener=\"{listener}\",status=\"{status}\"}} 1\n");
            assert!(metrics.contains(&line), "{line} is not in\n{metrics}");
        }
    }
}
