//! An embedded store whose queue has no room at all, which a queue before a database always has.

use crate::support::document::{Operation, endpoints};
use crate::support::socket::{Answer, ask, post};
use crate::support::world::*;

#[tokio::test]
async fn a_store_whose_queue_is_full_is_busy_and_says_when_to_come_again() {
    let world = World::with(Setup { queue: 0, ..SETUP }).await;
    let body = format!("appId=demo&secret={}", world.secret);
    let answer = ask(world.public, post(LOGIN, FORM, body)).await;
    answer.is(503, r#"{"error_code":"50503","error_desc":"The service is busy."}"#);
    assert_eq!(answer.header("Retry-After"), Some("1"));
}

#[track_caller]
fn says_when_to_come_again(answer: &Answer, path: &str) {
    assert_eq!((answer.status, answer.header("Retry-After")), (503, Some("1")), "{path}: {}", answer.body);
}

/// A right body of an operation.
fn body(path: &str) -> &'static str {
    match path.rsplit('/').next().unwrap() {
        "secrets" => r#"{"label":"b"}"#,
        "credentials" => r#"{"label":"c","subject":"CN=c"}"#,
        "import" => r#"{"rows":[{"appId":"b","secret":"b"}]}"#,
        "freeze" | "unfreeze" | "revoke" | "retire" | "repair" => "{}",
        _ => r#"{"name":"b"}"#,
    }
}

/// Operations that write nothing in this world, and so are answered.
fn writes_nothing(path: &str, Operation { method, .. }: &Operation) -> bool {
    let is_so_already = path.ends_with("/unfreeze") || path.ends_with("/repair");
    let is_unknown = path.contains("/credentials/");
    method == "GET" || is_so_already || is_unknown || path.ends_with("/import")
}

// The endpoints that had a Retry-After in their 503 were a list, which missed the admin API; pages of the console had none.
#[tokio::test]
async fn every_change_that_finds_no_room_says_when_to_come_again() {
    let world = World::with(Setup { queue: 0, ..SETUP }).await;
    let admin = world.administered().await;
    let mut tried = 0;
    for endpoint in endpoints().iter().filter(|endpoint| endpoint.is_admin()) {
        let path = endpoint.path.replace("applications/a", "applications/demo");
        for operation in endpoint.operations.iter().filter(|operation| operation.demands(503)) {
            if writes_nothing(&path, operation) {
                continue;
            }
            let (method, body) = (&operation.method, body(&path));
            let head =
                format!("{method} {path} HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {}\r\n", admin.token);
            let request = format!("{head}Content-Length: {}\r\n\r\n{body}", body.len());
            says_when_to_come_again(&ask(admin.address, request).await, &path);
            tried += 1;
        }
    }
    assert!(tried >= 8, "{tried} operations were tried");
}

#[tokio::test]
async fn a_page_of_the_console_that_finds_no_room_says_so_too() {
    let world = World::with(Setup { queue: 0, ..SETUP }).await;
    let admin = world.administered().await;
    let signed_in =
        ask(admin.address, post("/console/sign-in", FORM, format!("token={}", admin.token))).await;
    let cookie = signed_in.header("Set-Cookie").unwrap().split(';').next().unwrap().to_owned();
    let form = "/console/new-application";
    let page =
        ask(admin.address, format!("GET {form} HTTP/1.1\r\nHost: h\r\nCookie: {cookie}\r\n\r\n")).await;
    let csrf = page.body.split("name=\"csrf\" value=\"").nth(1).unwrap().split('"').next().unwrap();
    let body = format!("csrf={csrf}&name=b&app_id=b");
    let head = format!("POST /console/applications HTTP/1.1\r\nHost: h\r\nCookie: {cookie}\r\n");
    let request = format!("{head}Content-Type: {FORM}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    says_when_to_come_again(&ask(admin.address, request).await, "/console/applications");
}
