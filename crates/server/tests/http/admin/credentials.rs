//! Laws about the credentials of an application.

use reqwest::Method;
use serde_json::{Value, json};

use crate::admin::world::World;

const PATH: &str = "/admin/v1/applications/a/credentials";

fn jwk() -> Value {
    // RFC 8037 appendix A.2.
    json!({"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", "kid": "1"})
}

/// The same key in PEM.
pub const PEM: &str = "-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=
-----END PUBLIC KEY-----
";

#[tokio::test]
async fn a_credential_is_added_listed_and_removed() {
    let world = World::start().await;
    world.application("a").await;
    let certificate = rcgen::generate_simple_self_signed(["a".to_owned()]).unwrap().cert.pem();
    for (body, kind) in [
        (json!({"jwk": jwk(), "label": "2026"}), "key"),
        (json!({"certificate": certificate}), "certificate"),
        (json!({"subject": "cn=a, o=b"}), "subject"),
        (json!({"sanDns": "A.example"}), "san-dns"),
        (json!({"sanUri": "urn:a"}), "san-uri"),
        (json!({"sanIp": "::0001"}), "san-ip"),
        (json!({"sanEmail": "a@B.example"}), "san-email"),
    ] {
        let (status, added) = world.post(PATH, body).await;
        assert_eq!((status, &added["kind"]), (201, &json!(kind)), "{added}");
    }
    let listed = world.get(PATH).await;
    let values: Vec<&str> = listed["credentials"].as_array().unwrap()[2..]
        .iter()
        .map(|line| line["value"].as_str().unwrap())
        .collect();
    assert_eq!(values, ["CN=a,O=b", "a.example", "urn:a", "::1", "a@b.example"]);
    assert_eq!(listed["credentials"][0]["label"], "2026");
    assert_eq!(world.get("/admin/v1/applications/a").await["credentials"], listed["credentials"]);
    let (status, left) = world.ask(Method::DELETE, &format!("{PATH}/1"), Value::Null).await;
    assert_eq!((status, left["credentials"].as_array().unwrap().len()), (200, 6));
    let (status, refused) = world.ask(Method::DELETE, &format!("{PATH}/1"), Value::Null).await;
    assert_eq!((status, &refused["error"]), (404, &json!("unknown-credential")));
}

#[tokio::test]
async fn one_key_is_one_credential_however_it_is_written() {
    let world = World::start().await;
    world.application("a").await;
    assert_eq!(world.post(PATH, json!({"jwk": jwk()})).await.0, 201);
    let (status, refused) = world.post(PATH, json!({"publicKey": PEM})).await;
    assert_eq!((status, &refused["error"]), (409, &json!("same-credential")));
}

#[tokio::test]
async fn an_application_has_eight_credentials_at_most() {
    let world = World::start().await;
    world.application("a").await;
    for number in 1..=8 {
        assert_eq!(world.post(PATH, json!({"sanDns": format!("a{number}")})).await.0, 201);
    }
    let (status, refused) = world.post(PATH, json!({"sanDns": "a9"})).await;
    assert_eq!((status, &refused["error"]), (409, &json!("too-many-credentials")));
}

#[tokio::test]
async fn what_is_no_credential_is_refused_with_a_sentence() {
    let world = World::start().await;
    world.application("a").await;
    let mut private = jwk();
    private["d"] = "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A".into();
    for body in [
        json!({}),
        json!({"jwk": jwk(), "sanDns": "a"}),
        json!({"jwk": private}),
        json!({"jwk": {"kty": "oct", "k": "AA"}}),
        json!({"publicKey": "MCow"}),
        json!({"certificate": PEM}),
        json!({"subject": "a"}),
        json!({"sanIp": "a"}),
    ] {
        let (status, refused) = world.post(PATH, body.clone()).await;
        assert_eq!((status, &refused["error"]), (400, &json!("invalid-request")), "{body}");
    }
    assert_eq!(world.post("/admin/v1/applications/b/credentials", json!({"sanDns": "a"})).await.0, 404);
}

/// A key of small order was registered like any other, and anybody could sign assertions by it.
#[tokio::test]
async fn a_key_by_which_anybody_can_sign_is_not_registered() {
    let world = World::start().await;
    world.application("a").await;
    let neutral = "AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    let zero = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    let pem = format!("-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA{zero}=\n-----END PUBLIC KEY-----\n");
    for body in [
        json!({"jwk": {"kty": "OKP", "crv": "Ed25519", "x": neutral}}),
        json!({"jwk": {"kty": "OKP", "crv": "Ed25519", "x": zero}}),
        json!({"publicKey": pem}),
    ] {
        let (status, refused) = world.post(PATH, body).await;
        assert_eq!((status, &refused["error"]), (400, &json!("invalid-request")), "{refused}");
        assert!(refused["detail"].as_str().unwrap().contains("the key is weak"), "{refused}");
    }
    let off_the_curve = json!({"jwk": {"kty": "EC", "crv": "P-256", "x": zero, "y": zero}});
    assert_eq!(world.post(PATH, off_the_curve).await.0, 400);
}
