//! Requests as real clients of the platform send them, byte for byte but for the credentials.

use crate::support::socket::ask;
use crate::support::world::*;

/// With the length of the body put in for `LENGTH`.
fn with_length(head: &str, body: &str) -> String {
    format!("{}\r\n\r\n{body}", head.replace("LENGTH", &body.len().to_string()))
}

#[tokio::test]
async fn java_logs_in_refreshes_and_logs_out() {
    let world = World::new().await;
    let head = |path: &str, content_type: &str| {
        format!(
            "POST {path} HTTP/1.1\r\nContent-Type: {content_type}\r\nContent-Length: LENGTH\r\nHost: h:8743\r\n\
             Connection: Keep-Alive\r\nUser-Agent: Apache-HttpClient/4.5.2 (Java/1.8.0_66)\r\n\
             Accept-Encoding: gzip,deflate"
        )
    };
    let login = head(LOGIN, FORM);
    let login = ask(world.public, with_length(&login, &format!("appId=demo&secret={}", world.secret))).await;
    let json = "application/json; charset=UTF-8";
    let refresh = login.member("refreshToken");
    let body = format!(r#"{{"appId":"demo","secret":"{}","refreshToken":"{refresh}"}}"#, world.secret);
    let refreshed = ask(world.public, with_length(&head(REFRESH, json), &body)).await;
    assert_eq!(refreshed.status, 200);
    let body = format!(r#"{{"accessToken":"{}"}}"#, refreshed.member("accessToken"));
    ask(world.public, with_length(&head(LOGOUT, json), &body)).await.is(204, "");
}

#[tokio::test]
async fn php_node_and_go_log_in() {
    let world = World::new().await;
    let secret = &world.secret;
    let php = format!(
        "POST {LOGIN} HTTP/1.1\r\nHost:h\r\nAccept: */*\r\nContent-Type:{FORM}\r\nContent-Length: LENGTH"
    );
    let node = format!(
        "POST {LOGIN} HTTP/1.1\r\ncontent-type: {FORM}\r\ncontent-length: LENGTH\r\nhost: h\r\nConnection: close"
    );
    let go = format!(
        "POST {LOGIN} HTTP/1.1\r\nHost: h\r\nUser-Agent: Go-http-client/1.1\r\nContent-Length: LENGTH\r\n\
         Content-Type: {FORM}\r\nAccept-Encoding: gzip"
    );
    for (head, body) in [
        (php, format!("appId=demo&secret={secret}")),
        (node, format!("appId=demo&secret={secret}")),
        (go, format!("Secret={secret}&appId=demo")),
    ] {
        assert_eq!(ask(world.public, with_length(&head, &body)).await.status, 200, "{head}");
    }
}

#[tokio::test]
async fn python_refreshes_with_sorted_members_and_a_stale_token() {
    let world = World::new().await;
    let refresh = world.login().await.member("refreshToken");
    let head = format!(
        "POST {REFRESH} HTTP/1.1\r\nHost: h\r\nAccept-Encoding: identity\r\napp_key: demo\r\n\
         Authorization: Bearer stale\r\nContent-Type: application/json\r\nContent-Length: LENGTH"
    );
    let body = format!(r#"{{"appId": "demo", "refreshToken": "{refresh}", "secret": "{}"}}"#, world.secret);
    assert_eq!(ask(world.public, with_length(&head, &body)).await.status, 200);
}

#[tokio::test]
async fn ruby_logs_out_with_a_form_that_it_calls_json() {
    let world = World::new().await;
    let token = world.login().await.member("accessToken");
    let head = format!(
        "POST {LOGOUT} HTTP/1.1\r\nContent-Type: application/json\r\nAccept: */*\r\nUser-Agent: Ruby\r\nHost: h\r\n\
         Content-Length: LENGTH"
    );
    ask(world.public, with_length(&head, &format!("accessToken={token}"))).await.is(204, "");
    assert_eq!(world.verify(&token).await.status, 403);
}
