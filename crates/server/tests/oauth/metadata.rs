//! Metadata (RFC 8414).

use serde_json::Value;

use crate::socket::{Answer, ask};
use crate::world::*;

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
