//! What an application hears when it gets what it asked for, to the byte.

use reqwest::Method;

use crate::wire::{Wire, post};
use northgate_testkit::application::{Application, FORM, JSON};
use northgate_testkit::northgate::Northgate;

/// Holds a body to its shape and returns its two tokens.
fn pair(body: &str, token_type: &str, expires_in: u64) -> (String, String) {
    let parsed: serde_json::Value = serde_json::from_str(body).unwrap();
    let token = |name: &str| parsed[name].as_str().unwrap().to_owned();
    let (access, refresh) = (token("accessToken"), token("refreshToken"));
    let expected = format!(
        r#"{{"accessToken":"{access}","tokenType":"{token_type}","refreshToken":"{refresh}","expiresIn":{expires_in},"scope":"default"}}"#
    );
    assert_eq!(body, expected);
    assert!(!body.contains("error_code"));
    let is_url_safe = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
    for token in [&access, &refresh] {
        assert!((1..=256).contains(&token.len()) && token.chars().all(is_url_safe), "{token}");
    }
    (access, refresh)
}

#[tokio::test]
async fn a_pair_has_five_members_in_this_order_in_either_dialect() {
    for (dialect, token_type, lifetime, expires_in) in
        [("intl", "Bearer", "1h", 3600), ("cn", "bearer", "90m", 5400)]
    {
        let server = Northgate::start(&[
            ("NORTHGATE_API_DIALECT", dialect),
            ("NORTHGATE_POLICY_ACCESS_LIFETIME", lifetime),
        ]);
        let demo = Application::demo(&server);
        let login = demo.login().await;
        assert_eq!(login.status, 200);
        let (_, token) = pair(&login.body, token_type, expires_in);
        let refresh = demo.refresh(&token).await;
        assert_eq!(refresh.status, 200);
        let (access, next) = pair(&refresh.body, token_type, expires_in);
        assert_ne!(next, token);
        let logout = demo.logout(&access).await;
        assert_eq!((logout.status, &logout.body[..]), (204, ""));
    }
}

#[tokio::test]
async fn either_content_type_is_understood_for_every_operation() {
    let server = Northgate::start(&[]);
    let demo = Application::demo(&server);
    let (app_id, secret) = (&demo.app_id, &demo.secret);
    for (content_type, is_json) in [
        (FORM, false),
        ("application/x-www-form-urlencoded;charset=utf-8", false),
        (JSON, true),
        ("application/json; charset=UTF-8", true),
        ("APPLICATION/JSON", true),
        ("", true),
        ("", false),
    ] {
        let body = |members: &[(&str, &str)]| {
            let member = |(name, value): &(&str, &str)| match is_json {
                true => format!(r#""{name}":"{value}""#),
                false => format!("{name}={value}"),
            };
            let members: Vec<String> = members.iter().map(member).collect();
            if is_json { format!("{{{}}}", members.join(",")) } else { members.join("&") }
        };
        let login = demo.post("login", content_type, body(&[("APPID", app_id), ("Secret", secret)])).await;
        let (_, token) = pair(&login.body, "Bearer", 3600);
        let members =
            [("refreshToken", &token[..]), ("appId", app_id), ("more", "or less"), ("secret", secret)];
        let refresh = demo.post("refreshToken", content_type, body(&members)).await;
        let (access, _) = pair(&refresh.body, "Bearer", 3600);
        let logout = demo.post("logout", content_type, body(&[("accessToken", &access)])).await;
        assert_eq!((logout.status, &logout.body[..]), (204, ""), "{content_type}");
    }
}

#[tokio::test]
async fn the_whole_api_is_under_the_prefix_too() {
    let server = Northgate::start(&[("NORTHGATE_API_PREFIX", "/cvmp")]);
    let mut demo = Application::demo(&server);
    demo.api = format!("https://{}/cvmp/iocm/app/sec/v1.1.0", server.public);
    let (_, token) = pair(&demo.login().await.body, "Bearer", 3600);
    let (access, _) = pair(&demo.refresh(&token).await.body, "Bearer", 3600);
    assert_eq!(demo.logout(&access).await.status, 204);
}

// A client of this family parses each piece that it receives on its own.
#[tokio::test]
async fn head_and_body_of_every_operation_come_in_one_record() {
    let server = Northgate::start(&[]);
    let demo = Application::demo(&server);
    let mut wire = Wire::open(&server);
    let login = format!("appId={}&secret={}", demo.app_id, demo.secret);
    wire.send(post("login", FORM, login.as_bytes()));
    let (_, head, body) = wire.answer();
    assert!(
        head.starts_with("HTTP/1.1 200 OK\r\n")
            && head.contains("Content-Type: application/json; charset=UTF-8")
    );
    let (_, token) = pair(&body, "Bearer", 3600);
    wire.send(post("refreshToken", FORM, format!("{login}&refreshToken={token}").as_bytes()));
    let (access, _) = pair(&wire.answer().2, "Bearer", 3600);
    wire.send(post("logout", JSON, format!(r#"{{"accessToken":"{access}"}}"#).as_bytes()));
    let (status, head, body) = wire.answer();
    assert_eq!((status, &body[..]), (204, ""));
    assert!(!head.contains("Content-Length") && !head.contains("Content-Type"), "{head}");
}

#[tokio::test]
async fn a_head_request_is_told_which_method_is_allowed_without_a_body() {
    let server = Northgate::start(&[]);
    let demo = Application::demo(&server);
    let mut wire = Wire::open(&server);
    for _ in 0..2 {
        wire.send("HEAD /iocm/app/sec/v1.1.0/login HTTP/1.1\r\nHost: h\r\n\r\n");
        let head = wire.record();
        assert!(head.starts_with("HTTP/1.1 405 ") && head.contains("\r\nAllow: POST\r\n"), "{head}");
        assert!(head.ends_with("\r\n\r\n"), "{head}");
    }
    let url = format!("{}/login", demo.api);
    assert_eq!(demo.ask(Method::GET, &url, "", "").await.status, 405);
}
