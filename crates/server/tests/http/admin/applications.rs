//! Laws about applications and about who may ask.

use northgate_core::admit::AdmissionError;
use northgate_core::login::LoginError;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::admin::world::World;
use crate::support::document::{Endpoint, endpoints};

/// The operations of the admin API, each with its path and whether it takes a body.
fn every_operation() -> Vec<(Method, String, bool)> {
    let admin = endpoints().into_iter().filter(Endpoint::is_admin);
    let of = |endpoint: Endpoint| {
        let path = endpoint.path;
        let operations = endpoint.operations.into_iter();
        operations.map(move |operation| (operation.method.parse().unwrap(), path.clone(), operation.has_body))
    };
    admin.flat_map(of).collect()
}

#[tokio::test]
async fn nothing_is_done_or_told_without_the_admin_token() {
    let world = World::start().await;
    world.application("a").await;
    for (method, path, _) in every_operation() {
        for authorization in ["", "Bearer", "Bearer ", "Bearer wrong", &format!("Basic {}", world.token)] {
            let (status, answer) =
                world.ask_with(authorization, method.clone(), &path, json!({"broken": 1})).await;
            assert_eq!((status, &answer["error"]), (401, &json!("unauthorized")), "{method} {path}");
        }
    }
}

#[tokio::test]
async fn a_created_application_can_log_in_with_the_secret_that_is_shown_once() {
    let world = World::start().await;
    let (status, answer) = world.post("/admin/v1/applications", json!({"name": "Meters"})).await;
    assert_eq!(status, 201);
    let (app_id, secret) = (answer["appId"].as_str().unwrap(), answer["secret"].as_str().unwrap());
    assert!(world.login(app_id, secret).await.is_ok());
    let shown = world.get(&format!("/admin/v1/applications/{app_id}")).await.to_string();
    assert!(!shown.contains(secret) && !shown.contains("argon2"), "{shown}");
}

#[tokio::test]
async fn a_given_secret_is_not_given_back() {
    let world = World::start().await;
    let body = json!({"name": "n", "appId": "a", "secret": "weak"});
    let (status, answer) = world.post("/admin/v1/applications", body).await;
    assert_eq!((status, answer), (201, json!({"appId": "a", "name": "n"})));
    assert!(world.login("a", "weak").await.is_ok());
}

#[tokio::test]
async fn an_app_id_is_taken_once() {
    let world = World::start().await;
    let secret = world.application("a").await;
    for body in [json!({"name": "n", "appId": "a"}), json!({"name": "n", "appId": "a", "secret": secret})] {
        let (status, answer) = world.post("/admin/v1/applications", body).await;
        assert_eq!((status, &answer["error"]), (409, &json!("app-id-taken")));
    }
    assert_eq!(world.get("/admin/v1/applications/a").await["name"], "the a");
}

#[tokio::test]
async fn what_a_request_may_not_say_is_refused_in_a_sentence() {
    let world = World::start().await;
    for (body, said) in [
        (json!({}), "missing field `name`"),
        (json!({"name": ""}), "a name or label is empty"),
        (json!({"name": "n", "nme": 1}), "unknown field `nme`"),
        (json!({"name": "n", "secret": 31337}), "the secret is not a text"),
        (json!({"name": "n", "appId": "a\u{0}b"}), "control character"),
        // They were taken, and could not be told from others in a list or a log.
        (json!({"name": "n", "appId": " a"}), "the appId begins or ends with a blank"),
        (json!({"name": "n", "appId": "a\u{a0}"}), "the appId begins or ends with a blank"),
        (json!({"name": "n", "appId": "a\u{200b}b"}), "U+200B"),
        (json!({"name": "Meters\u{202e}"}), "bidirectional control character U+202E"),
        (json!({"name": "Meters "}), "a name or label begins or ends with a blank"),
        (json!({"name": "n", "policy": {"rotate": "once"}}), "unknown field `rotate`"),
        (json!({"name": "n", "policy": {"rotation": "never"}}), "once or reusable"),
        (json!({"name": "n", "policy": {"maxGrants": 1025}}), "1 to 1024"),
        (json!({"name": "n", "policy": {"accessLifetime": "31d"}}), "from 1s to 30d"),
    ] {
        let (status, answer) = world.post("/admin/v1/applications", body).await;
        assert_eq!((status, &answer["error"]), (400, &json!("invalid-request")), "{answer}");
        assert!(answer["detail"].as_str().unwrap().contains(said), "{answer}");
        assert!(!answer.to_string().contains("31337"), "{answer}");
    }
    assert_eq!(world.get("/admin/v1/applications").await["applications"], json!([]));
}

#[tokio::test]
async fn a_body_of_more_than_a_mebibyte_is_refused() {
    let world = World::start().await;
    let (status, answer) = world.post("/admin/v1/applications", json!({"name": "x".repeat(1 << 20)})).await;
    assert_eq!((status, &answer["error"]), (413, &json!("unreadable-body")));
}

#[tokio::test]
async fn an_application_shows_the_policy_that_holds_and_what_of_it_was_set() {
    let world = World::start().await;
    world.application("a").await;
    let first = json!({"policy": {"rotation": "reusable", "refreshLifetime": "31d"}});
    world.ask(Method::PATCH, "/admin/v1/applications/a", first).await;
    let second = json!({"name": "Other", "policy": {"maxGrants": 2}});
    let (status, shown) = world.ask(Method::PATCH, "/admin/v1/applications/a", second).await;
    assert_eq!((status, &shown["name"]), (200, &json!("Other")));
    let set = json!({"rotation": "reusable", "refreshLifetime": "31d", "maxGrants": 2});
    assert_eq!(shown["overrides"], set);
    assert_eq!(shown["policy"]["logins"], "many");
    assert_eq!(shown["policy"]["maxGrants"], 2);
    assert_eq!(shown["policy"]["accessLifetime"], "1h");
}

#[tokio::test]
async fn an_owner_is_set_kept_by_other_changes_and_removed_by_null() {
    let world = World::start().await;
    world.post("/admin/v1/applications", json!({"name": "n", "appId": "a", "owner": "Meters team"})).await;
    let owner = async || world.get("/admin/v1/applications/a").await["owner"].clone();
    assert_eq!(owner().await, "Meters team");
    let set = async |body| world.ask(Method::PATCH, "/admin/v1/applications/a", body).await.0;
    assert_eq!((set(json!({"name": "m"})).await, owner().await), (200, json!("Meters team")));
    assert_eq!((set(json!({"owner": "b"})).await, owner().await), (200, json!("b")));
    assert_eq!(world.get("/admin/v1/applications").await["applications"][0]["owner"], "b");
    assert_eq!((set(json!({"owner": "b\u{200b}"})).await, owner().await), (400, json!("b")));
    assert_eq!((set(json!({"owner": null})).await, owner().await), (200, Value::Null));
}

#[tokio::test]
async fn null_returns_a_field_of_the_policy_to_the_default() {
    let world = World::start().await;
    world.application("a").await;
    let set = json!({"policy": {"rotation": "reusable", "refreshLifetime": "31d", "maxGrants": 2}});
    world.ask(Method::PATCH, "/admin/v1/applications/a", set).await;
    let unset = json!({"policy": {"rotation": null, "refreshLifetime": null, "callsPerMinute": 7}});
    let (status, shown) = world.ask(Method::PATCH, "/admin/v1/applications/a", unset).await;
    assert_eq!((status, &shown["overrides"]), (200, &json!({"maxGrants": 2, "callsPerMinute": 7})));
    assert_eq!(
        (&shown["policy"]["rotation"], &shown["policy"]["refreshLifetime"]),
        (&json!("once"), &json!("30d"))
    );
}

#[tokio::test]
async fn a_frozen_application_cannot_log_in_until_it_is_unfrozen() {
    let world = World::start().await;
    let secret = world.application("a").await;
    let (_, shown) = world.post("/admin/v1/applications/a/freeze", Value::Null).await;
    assert_eq!(shown["state"], "frozen");
    assert!(matches!(world.login("a", &secret).await, Err(LoginError::Admission(AdmissionError::Frozen))));
    world.post("/admin/v1/applications/a/unfreeze", Value::Null).await;
    assert!(world.login("a", &secret).await.is_ok());
}

#[tokio::test]
async fn an_application_shows_its_live_grants() {
    let world = World::start().await;
    let secret = world.application("a").await;
    assert!(world.login("a", &secret).await.is_ok());
    let shown = world.get("/admin/v1/applications/a").await;
    assert_eq!(shown["grants"][0]["generation"], 0);
    assert_eq!(shown["grants"][0]["refreshedAt"], "2023-11-14T22:13:20.000Z");
    assert_eq!(shown["grants"][0]["expiresAt"], "2023-12-14T22:13:20.000Z");
    assert_eq!(shown["secrets"][0]["lastUsedAt"], "2023-11-14T22:13:20.000Z");
}

#[tokio::test]
async fn a_deleted_application_is_unknown() {
    let world = World::start().await;
    let secret = world.application("a").await;
    assert_eq!(world.ask(Method::DELETE, "/admin/v1/applications/a", Value::Null).await, (204, Value::Null));
    assert!(matches!(world.login("a", &secret).await, Err(LoginError::Admission(AdmissionError::Rejected))));
    for method in [Method::GET, Method::DELETE, Method::PATCH] {
        let (status, answer) = world.ask(method, "/admin/v1/applications/a", Value::Null).await;
        assert_eq!((status, &answer["error"]), (404, &json!("unknown-application")));
    }
}

#[tokio::test]
async fn an_app_id_of_any_characters_can_be_named_in_a_path() {
    let world = World::start().await;
    for (app_id, encoded) in [("a/b", "a%2Fb"), ("ü ?#%", "%C3%BC%20%3F%23%25")] {
        world.application(app_id).await;
        assert_eq!(world.get(&format!("/admin/v1/applications/{encoded}")).await["appId"], app_id);
    }
}

#[tokio::test]
async fn allow_rules_are_set_as_a_whole_shown_and_switched_off_by_an_empty_list() {
    let world = World::start().await;
    let body = json!({"name": "n", "appId": "a", "allow": ["GET /iocm/app/dm"]});
    assert_eq!(world.post("/admin/v1/applications", body).await.0, 201);
    assert_eq!(world.get("/admin/v1/applications/a").await["allow"], json!(["GET /iocm/app/dm"]));
    for (body, rules) in [
        (
            json!({"allow": ["* /iodm/", "GET,POST /iocm/app/cmd"]}),
            json!(["* /iodm", "GET,POST /iocm/app/cmd"]),
        ),
        (json!({"name": "other"}), json!(["* /iodm", "GET,POST /iocm/app/cmd"])),
        (json!({"allow": []}), json!([])),
    ] {
        let (status, shown) = world.ask(Method::PATCH, "/admin/v1/applications/a", body).await;
        assert_eq!((status, &shown["allow"]), (200, &rules));
    }
}

#[tokio::test]
async fn what_is_no_allow_rule_is_refused_and_nothing_is_set() {
    let world = World::start().await;
    world.application("a").await;
    for (rules, said) in [
        (json!(["GET"]), "methods, a space and a path"),
        (json!(["get /a"]), "upper-case words"),
        (json!(["GET /a/../b"]), "a path begins with /"),
        (json!(vec!["* /a"; 65]), "at most 64 rules"),
        (json!("GET /a"), "expected a sequence"),
    ] {
        let body = json!({"name": "other", "allow": rules});
        let (status, answer) = world.ask(Method::PATCH, "/admin/v1/applications/a", body).await;
        assert_eq!((status, &answer["error"]), (400, &json!("invalid-request")), "{answer}");
        assert!(answer["detail"].as_str().unwrap().contains(said), "{answer}");
    }
    assert_eq!(world.get("/admin/v1/applications/a").await["name"], "the a");
}

// A body that came slowly was waited for without end.
#[tokio::test]
async fn a_body_that_does_not_come_is_waited_for_so_long_only() {
    let world = World::start().await;
    let mut socket = TcpStream::connect(world.address).await.unwrap();
    let head = format!(
        "POST /admin/v1/applications HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\n",
        world.token
    );
    socket.write_all(format!("{head}Content-Length: 20\r\n\r\n{{\"name\"").as_bytes()).await.unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 408 ") && answer.contains("\"unreadable-body\""), "{answer}");
}

// Some endpoints were looked at for what RFC 9110 demands of a status, and not these.
#[tokio::test]
async fn a_405_names_the_methods_of_the_path() {
    let world = World::start().await;
    for endpoint in endpoints().iter().filter(|endpoint| endpoint.is_admin()) {
        for method in [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::OPTIONS]
        {
            if endpoint.allowed().contains(&method.as_str()) {
                continue;
            }
            let request =
                world.http.request(method.clone(), format!("http://{}{}", world.address, endpoint.path));
            let answer = request.bearer_auth(&world.token).send().await.unwrap();
            assert_eq!(answer.status().as_u16(), 405, "{method} {}", endpoint.path);
            let mut allow: Vec<&str> = answer.headers()["allow"].to_str().unwrap().split(',').collect();
            allow.sort_unstable();
            assert_eq!(allow, endpoint.allowed(), "{method} {}", endpoint.path);
        }
    }
}

#[tokio::test]
async fn an_error_is_a_problem_of_rfc_9457() {
    let world = World::start().await;
    let url = format!("http://{}/admin/v1/applications/nowhere", world.address);
    let answer = world.http.get(url).bearer_auth(&world.token).send().await.unwrap();
    assert_eq!(answer.headers()["content-type"], "application/problem+json");
    let members: serde_json::Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
    let said = "there is no application with the appId nowhere";
    assert_eq!(
        members,
        json!({"title": "Not Found", "status": 404, "detail": said, "error": "unknown-application"})
    );
}

#[tokio::test]
async fn a_compressed_body_is_refused_with_a_sentence() {
    let world = World::start().await;
    world.application("a").await;
    for (method, path, _) in every_operation().into_iter().filter(|(_, _, has_body)| *has_body) {
        for coding in ["gzip", "GZIP", "br", "identity, deflate", "x-unknown"] {
            let request = world.http.request(method.clone(), format!("http://{}{path}", world.address));
            let request = request.bearer_auth(&world.token).header("content-encoding", coding);
            let answer = request.body("x").send().await.unwrap();
            assert_eq!(answer.status().as_u16(), 415, "{method} {path} {coding}");
            assert_eq!(answer.headers()["accept"], "application/json", "{method} {path} {coding}");
            assert!(
                answer.text().await.unwrap().contains("the body is compressed"),
                "{method} {path} {coding}"
            );
        }
    }
}
