//! What every request to OAuth is made of, and how one that is wrong is answered (RFC 6749 §3.2, §5.2).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use northgate_core::actor::Actor;
use northgate_core::administer::{Creation, Wanted};
use northgate_core::allow::Allow;
use northgate_core::app_id::AppId;
use northgate_core::policy::Overrides;

use crate::support::socket::{Answer, ask, post};
use crate::support::world::*;

pub const TOKEN: &str = "/oauth2/token";
pub const INTROSPECT: &str = "/oauth2/introspect";
pub const REVOKE: &str = "/oauth2/revoke";

/// A form to an endpoint of the public listener, as it is.
pub async fn send(world: &World, path: &str, form: &str) -> Answer {
    ask(world.public, post(path, FORM, form)).await
}

/// A form by `demo`, with its secret in the body.
pub async fn send_as_demo(world: &World, path: &str, form: &str) -> Answer {
    send(world, path, &format!("client_id=demo&client_secret={}&{form}", world.secret)).await
}

/// A form with `Authorization: Basic` of these two halves, as they are.
pub async fn send_basic(world: &World, halves: &str, path: &str, form: &str) -> Answer {
    let head = format!("Authorization: Basic {}\r\n\r\n", STANDARD.encode(halves));
    let request = String::from_utf8(post(path, FORM, form)).unwrap().replacen("\r\n\r\n", "\r\n", 1);
    let (line, rest) = request.split_once("\r\n").unwrap();
    let (headers, body) = rest.rsplit_once("\r\n").unwrap();
    ask(world.public, format!("{line}\r\n{headers}\r\n{head}{body}")).await
}

/// An access token of `demo` by its own credentials.
pub async fn access_token(world: &World) -> String {
    let answer = send_as_demo(world, TOKEN, "grant_type=client_credentials").await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.member("access_token")
}

/// Another application, and its secret.
pub async fn another(world: &World, app: &str) -> String {
    let (id, name) = (Some(AppId::parse(app).unwrap()), app.to_owned());
    let wanted = Wanted {
        id,
        name,
        owner: None,
        secret: None,
        overrides: Overrides::default(),
        allow: Allow::default(),
    };
    match world.auth.create(wanted, &Actor::LOCAL, world.clock.now()).await.unwrap() {
        Creation::Created(_, Some(secret)) => secret.reveal().to_owned(),
        Creation::Created(_, None) | Creation::Same(_) | Creation::Taken(_) => panic!("not created"),
    }
}

/// That this is the error that was answered.
#[track_caller]
pub fn is_error(answer: &Answer, status: u16, error: &str) {
    let body: serde_json::Value = serde_json::from_str(&answer.body).unwrap_or_default();
    assert_eq!((answer.status, body["error"].as_str()), (status, Some(error)), "{}", answer.body);
    // RFC 6749 §5.2: the characters that a description may have.
    let description = body["error_description"].as_str().unwrap();
    assert!(description.bytes().all(|byte| (0x20..0x7f).contains(&byte) && !b"\"\\".contains(&byte)));
    assert_eq!(answer.header("Content-Type"), Some("application/json; charset=UTF-8"));
    assert_eq!(answer.header("Cache-Control"), Some("no-store"));
    assert_eq!(answer.header("Pragma"), Some("no-cache"));
}

/// RFC 6749 §3.2: "Parameters sent without a value MUST be treated as if they were omitted".
#[tokio::test]
async fn a_parameter_without_a_value_is_not_there() {
    let world = World::new().await;
    is_error(&send_as_demo(&world, TOKEN, "grant_type=").await, 400, "invalid_request");
    let answer = send_as_demo(&world, TOKEN, "grant_type=client_credentials&scope=&client_assertion=").await;
    assert_eq!(answer.status, 200, "{}", answer.body);
}

/// RFC 6749 §3.2: "The authorization server MUST ignore unrecognized request parameters."
#[tokio::test]
async fn a_parameter_that_nobody_knows_is_ignored() {
    let world = World::new().await;
    let form = "grant_type=client_credentials&audience=x&appId=y&Scope=z";
    assert_eq!(send_as_demo(&world, TOKEN, form).await.status, 200);
}

/// RFC 6749 §3.2: "Request and response parameters MUST NOT be included more than once."
#[tokio::test]
async fn a_parameter_that_is_there_twice_is_refused() {
    let world = World::new().await;
    for twice in
        ["grant_type=client_credentials&grant_type=client_credentials", "scope=default&scope=default"]
    {
        let form = format!("grant_type=client_credentials&{twice}");
        is_error(&send_as_demo(&world, TOKEN, &form).await, 400, "invalid_request");
    }
}

/// RFC 6749 §3.2: "The client MUST use the HTTP "POST" method when making access token requests."
#[tokio::test]
async fn a_token_is_not_to_be_got() {
    let world = World::new().await;
    let query = format!("grant_type=client_credentials&client_id=demo&client_secret={}", world.secret);
    for path in [TOKEN, INTROSPECT, REVOKE] {
        let answer = ask(world.public, format!("GET {path}?{query} HTTP/1.1\r\nHost: h\r\n\r\n")).await;
        assert_eq!((answer.status, answer.header("Allow")), (405, Some("POST")));
    }
}

/// RFC 6749 §2.3.1: "The parameters can only be transmitted in the request-body and MUST NOT be included in the request
/// URI."
#[tokio::test]
async fn parameters_in_the_query_do_not_count() {
    let world = World::new().await;
    let secret = format!("client_id=demo&client_secret={}", world.secret);
    let answer = send(&world, &format!("{TOKEN}?{secret}"), "grant_type=client_credentials").await;
    is_error(&answer, 401, "invalid_client");
    let answer = send(&world, &format!("{TOKEN}?grant_type=client_credentials"), &secret).await;
    is_error(&answer, 400, "invalid_request");
}

/// RFC 6749 §4.4.2, §6, appendix B: parameters are sent "using the "application/x-www-form-urlencoded" format".
#[tokio::test]
async fn a_body_that_is_no_form_is_refused() {
    let world = World::new().await;
    let form = format!("grant_type=client_credentials&client_id=demo&client_secret={}", world.secret);
    for other in [JSON, "text/plain", ""] {
        is_error(&ask(world.public, post(TOKEN, other, &form)).await, 400, "invalid_request");
    }
    let json = r#"{"grant_type":"client_credentials"}"#;
    is_error(&ask(world.public, post(TOKEN, JSON, json)).await, 400, "invalid_request");
    is_error(&send_as_demo(&world, TOKEN, "grant_type=%ff").await, 400, "invalid_request");
    let charset = format!("{FORM}; charset=UTF-8");
    assert_eq!(ask(world.public, post(TOKEN, &charset, &form)).await.status, 200);
}

/// RFC 6749 §5.2: `unsupported_grant_type`.
#[tokio::test]
async fn a_grant_type_that_there_is_not_is_told() {
    let world = World::new().await;
    for grant_type in ["password", "authorization_code", "CLIENT_CREDENTIALS"] {
        let answer = send_as_demo(&world, TOKEN, &format!("grant_type={grant_type}")).await;
        is_error(&answer, 400, "unsupported_grant_type");
    }
    is_error(&send_as_demo(&world, TOKEN, "x=y").await, 400, "invalid_request");
}

/// RFC 6749 §3.3, §5.2: `invalid_scope`.
#[tokio::test]
async fn a_scope_that_there_is_not_is_told() {
    let world = World::new().await;
    for scope in ["admin", "default+admin", "DEFAULT", "default++default"] {
        let answer =
            send_as_demo(&world, TOKEN, &format!("grant_type=client_credentials&scope={scope}")).await;
        is_error(&answer, 400, "invalid_scope");
    }
    let answer = send_as_demo(&world, TOKEN, "grant_type=client_credentials&scope=default").await;
    assert_eq!(answer.member("scope"), "default");
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused_in_the_words_of_oauth() {
    let world = World::new().await;
    let answer = send_as_demo(&world, TOKEN, &"x".repeat(BODY_MAX)).await;
    is_error(&answer, 413, "invalid_request");
    assert_eq!(answer.header("Connection"), Some("close"));
}
