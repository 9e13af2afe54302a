//! Metadata (RFC 8414).

use serde_json::Value;

use crate::oauth::request::{INTROSPECT, REVOKE, TOKEN, is_error};
use crate::support::socket::{Answer, ask};
use crate::support::world::*;

async fn metadata(world: &World) -> (Answer, Value) {
    let get = "GET /.well-known/oauth-authorization-server HTTP/1.1\r\nHost: evil.example\r\n\r\n";
    let answer = ask(world.public, get).await;
    let members = serde_json::from_str(&answer.body).unwrap();
    (answer, members)
}

/// RFC 8414 §3.2: "A successful response MUST use the 200 OK HTTP status code and return a JSON object using the
/// "application/json" content type"; §3.3: the issuer "MUST be identical to the authorization server's issuer identifier",
/// whatever host was asked.
#[tokio::test]
async fn the_metadata_names_the_issuer_that_is_configured() {
    let (answer, members) = metadata(&World::new().await).await;
    assert_eq!(answer.status, 200);
    assert!(answer.header("Content-Type").unwrap().starts_with("application/json"));
    assert_eq!(members["issuer"], "https://tokens.example.com");
}

/// RFC 8414 §2: endpoints are URLs, and every method that is named works at every endpoint.
#[tokio::test]
async fn every_endpoint_that_is_named_is_there() {
    let world = World::new().await;
    let (_, members) = metadata(&world).await;
    for endpoint in ["token_endpoint", "introspection_endpoint", "revocation_endpoint"] {
        let url = members[endpoint].as_str().unwrap();
        let path = url.strip_prefix("https://tokens.example.com").unwrap();
        let answer = ask(world.public, format!("GET {path} HTTP/1.1\r\nHost: h\r\n\r\n")).await;
        assert_eq!(answer.status, 405, "{path}");
    }
}

/// RFC 8414 §2: a list of signing algorithms "MUST be present" where `private_key_jwt` is a method, at each endpoint; "The value
/// "none" MUST NOT be used."
#[tokio::test]
async fn the_algorithms_of_assertions_are_named_for_each_endpoint() {
    let (_, members) = metadata(&World::new().await).await;
    for endpoint in ["token", "introspection", "revocation"] {
        let list =
            |what: &str| members[format!("{endpoint}_endpoint_auth_{what}")].as_array().unwrap().clone();
        assert!(list("methods_supported").contains(&"private_key_jwt".into()));
        let algorithms = list("signing_alg_values_supported");
        assert!(
            algorithms.contains(&"RS256".into()) && !algorithms.contains(&"none".into()),
            "{algorithms:?}"
        );
    }
}

/// RFC 8414 §3.2: "Claims with zero elements MUST be omitted from the response", and §2: `response_types_supported` is
/// REQUIRED. It was an empty list once, which Authlib does not accept.
#[tokio::test]
async fn no_list_of_the_metadata_is_empty() {
    let (_, members) = metadata(&World::new().await).await;
    for (name, value) in members.as_object().unwrap() {
        assert!(value.as_array().is_none_or(|list| !list.is_empty()), "{name}");
    }
    assert_eq!(members["response_types_supported"], serde_json::json!(["none"]));
}

/// RFC 8414 §3: the suffix openid-configuration is not OpenID Connect's alone, and five libraries look there only. They refuse
/// metadata without the members that OpenID Connect Discovery requires.
#[tokio::test]
async fn the_metadata_is_where_libraries_of_openid_connect_look_with_the_members_that_they_require() {
    let world = World::new().await;
    let (_, members) = metadata(&world).await;
    let openid = ask(world.public, "GET /.well-known/openid-configuration HTTP/1.1\r\nHost: h\r\n\r\n").await;
    assert_eq!((openid.status, serde_json::from_str(&openid.body).ok()), (200, Some(members.clone())));
    assert_eq!(members["subject_types_supported"], serde_json::json!(["public"]));
    let algorithms = members["id_token_signing_alg_values_supported"].as_array().unwrap();
    assert_eq!(algorithms, &[Value::from("ES256"), Value::from("EdDSA")]);
}

/// A client that got 404 or 405 under /oauth2/ read the platform's members instead of `error`.
#[tokio::test]
async fn a_path_or_a_method_that_there_is_not_is_answered_in_the_form_of_oauth() {
    let world = World::new().await;
    for (listener, method, path, status, allow) in [
        (world.public, "GET", "/oauth2/authorize", 404, None),
        (world.public, "POST", "/oauth2/token/", 404, None),
        (world.public, "GET", "/oauth2/", 404, None),
        (world.public, "GET", "/.well-known/nothing", 404, None),
        (world.public, "GET", TOKEN, 405, Some("POST")),
        (world.public, "PUT", REVOKE, 405, Some("POST")),
        (world.public, "POST", "/oauth2/jwks", 405, Some("GET,HEAD")),
        (world.public, "POST", "/.well-known/openid-configuration", 405, Some("GET,HEAD")),
        (world.private, "GET", INTROSPECT, 405, Some("POST")),
        (world.private, "POST", TOKEN, 404, None),
    ] {
        let request = format!("{method} {path} HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n");
        let answer = ask(listener, request).await;
        is_error(&answer, status, "invalid_request");
        assert_eq!(answer.header("Allow"), allow, "{method} {path}");
    }
    // Elsewhere the platform's form stays.
    let answer = ask(world.public, "GET /oauth2 HTTP/1.1\r\nHost: h\r\n\r\n").await;
    assert!(answer.status == 404 && answer.body.contains("error_code"), "{}", answer.body);
}
