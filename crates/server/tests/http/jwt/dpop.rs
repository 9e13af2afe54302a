//! Tokens that are bound to a key, at the token endpoint (RFC 9449 §4.3, §5).

use std::time::Duration;

use northgate_core::policy::{AccessTokens, Dpop, Overrides};
use northgate_core::signing::Algorithm;
use serde_json::{Value, json};

use crate::jwt::client::*;
use crate::jwt::proof::{Holder, Proof};
use crate::support::socket::Answer;
use crate::support::world::{BEGIN_S, SETUP, Setup, World};

#[track_caller]
fn is_refused(answer: &Answer) {
    assert_eq!(
        (answer.status, answer.member("error")),
        (400, "invalid_dpop_proof".to_owned()),
        "{}",
        answer.body
    );
    assert_eq!(answer.header("Cache-Control"), Some("no-store"));
}

/// §5: "the authorization server MUST […] "token_type" […] of "DPoP"". §6.1: the token is bound to the key by `cnf`/`jkt`.
#[tokio::test]
async fn a_token_is_bound_to_the_key_in_either_form() {
    for kind in AccessTokens::ALL {
        for algorithm in Algorithm::ALL {
            let (world, holder) = (binding(kind).await, Holder::new(algorithm));
            let answer = request(&world, &holder.line(&holder.proof())).await;
            assert_eq!(
                (answer.status, answer.member("token_type")),
                (200, "DPoP".to_owned()),
                "{}",
                answer.body
            );
            let token = answer.member("access_token");
            let told = introspect(&world, &token).await;
            assert_eq!(told["cnf"], json!({ "jkt": holder.jkt() }));
            assert_eq!(told["token_type"], json!("DPoP"));
            if kind != AccessTokens::Opaque {
                assert_eq!(part(&token, 1)["cnf"], json!({ "jkt": holder.jkt() }));
            }
        }
    }
}

/// §5: "If the proof is missing or invalid […] error "invalid_dpop_proof"".
#[tokio::test]
async fn an_application_that_has_to_show_a_key_gets_no_token_without() {
    let world = binding(AccessTokens::Opaque).await;
    is_refused(&request(&world, "").await);
}

async fn with_policy(dpop: Dpop) -> World {
    World::with(Setup { overrides: Overrides { dpop: Some(dpop), ..SETUP.overrides }, ..SETUP }).await
}

/// An application that sent a proof without need got an unbound token without a word.
#[tokio::test]
async fn a_token_is_bound_when_a_proof_comes_unless_the_policy_says_otherwise() {
    for world in [World::new().await, with_policy(Dpop::Presented).await] {
        let holder = Holder::new(Algorithm::Es256);
        assert_eq!(request(&world, "").await.member("token_type"), "Bearer");
        let line = holder.line(&holder.proof());
        let answer = request(&world, &line).await;
        assert_eq!(answer.member("token_type"), "DPoP", "{}", answer.body);
        let told = introspect(&world, &answer.member("access_token")).await;
        assert_eq!(told["cnf"], json!({ "jkt": holder.jkt() }));
        is_refused(&request(&world, &line).await);
        // One that comes has to be right, too.
        for line in ["DPoP: \r\n", &holder.line(&holder.proof().saying("htm", "GET"))] {
            is_refused(&request(&world, line).await);
        }
    }
}

#[tokio::test]
async fn an_application_whose_policy_takes_no_proof_is_told_so() {
    let (world, holder) = (with_policy(Dpop::Off).await, Holder::new(Algorithm::Es256));
    assert_eq!(request(&world, "").await.member("token_type"), "Bearer");
    let refused = request(&world, &holder.line(&holder.proof())).await;
    is_refused(&refused);
    assert!(refused.member("error_description").contains("takes no DPoP proofs"), "{}", refused.body);
    let refresh_token = world.login().await.member("refreshToken");
    let form = format!("grant_type=refresh_token&refresh_token={refresh_token}");
    is_refused(&send(&world, "/oauth2/token", &holder.line(&holder.proof()), &form).await);
    assert_eq!(send(&world, "/oauth2/token", "", &form).await.status, 200);
}

/// Every refusal was "The DPoP proof is not good", and the log had the cause.
#[tokio::test]
async fn a_client_learns_what_is_wrong_with_its_proof() {
    let (world, holder) = (binding(AccessTokens::Opaque).await, Holder::new(Algorithm::Es256));
    let used = holder.proof();
    assert_eq!(request(&world, &holder.line(&used)).await.status, 200);
    for (proof, cause) in [
        (used, "used before: sign a new one for every try, also for those that the HTTP client makes itself"),
        (holder.proof().saying("htm", "GET"), "another method (htm)"),
        (holder.proof().saying("htu", "https://other.example/oauth2/token"), "another URL (htu)"),
        (holder.proof().saying("iat", 1), "compare the clocks"),
        (holder.proof().saying("iat", -1e300), "compare the clocks"),
        (holder.proof().saying("iat", 1e300), "compare the clocks"),
        (holder.proof().headed("typ", "JWT"), "dpop+jwt"),
        (holder.proof().headed("alg", "RS256"), "Ed25519 or P-256"),
        (holder.proof().saying("jti", json!(null)), "jti"),
        // These were "not one JWT with typ, alg and jwk in its header", and were.
        (holder.proof().saying("jti", ""), "jti of the DPoP proof is empty"),
        (holder.proof().saying("jti", "a".repeat(9_000)), "longer than 8192 bytes"),
        (holder.proof().headed("crit", json!(["b64"])), "crit"),
        (holder.proof().saying("exp", BEGIN_S - 31), "expired (exp)"),
        (holder.proof().saying("nbf", BEGIN_S + 31), "(nbf)"),
    ] {
        let answer = request(&world, &holder.line(&proof)).await;
        is_refused(&answer);
        let description = answer.member("error_description");
        assert!(description.contains(cause), "{cause}: {description}");
        assert!(description.bytes().all(|byte| (0x20..0x7f).contains(&byte) && !b"\"\\".contains(&byte)));
    }
}

// A proof of 8 KiB had some 1,400 members, each built as a value before its sender was known. At any depth 32 are enough.
#[tokio::test]
async fn a_proof_with_more_than_32_members_is_refused() {
    let (world, holder) = (binding(AccessTokens::Opaque).await, Holder::new(Algorithm::Es256));
    let members = |count: usize| -> Value { (0..count).map(|n| (format!("m{n}"), json!(0))).collect() };
    let jwk = |count: usize| {
        let mut jwk = holder.proof().header["jwk"].clone();
        jwk["more"] = members(count);
        jwk
    };
    for good in [holder.proof().saying("more", members(27)), holder.proof().headed("jwk", jwk(10))] {
        assert_eq!(request(&world, &holder.line(&good)).await.status, 200, "{}", good.said);
    }
    let nested = json!({ "a": members(14), "b": [members(14)] });
    for bad in [
        holder.proof().saying("more", members(28)),
        holder.proof().saying("more", nested),
        holder.proof().saying("more", json!(vec![0; 600])),
        holder.proof().headed("more", members(33)),
        holder.proof().headed("jwk", jwk(33)),
        holder.proof().headed("jwk", members(300)),
    ] {
        let answer = request(&world, &holder.line(&bad)).await;
        is_refused(&answer);
        assert!(answer.member("error_description").contains("more than 32 members"), "{}", answer.body);
    }
}

/// §4.3: each of its checks, in its order; the proof is right but for one thing.
#[tokio::test]
async fn a_proof_with_anything_wrong_in_it_is_refused() {
    let (world, holder) = (binding(AccessTokens::Opaque).await, Holder::new(Algorithm::Es256));
    let secret = {
        let mut jwk = holder.proof().header["jwk"].clone();
        jwk["d"] = jwk["x"].clone();
        jwk
    };
    let wrong: [Proof; 22] = [
        // "All required claims per Section 4.2 are contained in the JWT."
        holder.proof().saying("jti", json!(null)),
        holder.proof().saying("jti", ""),
        holder.proof().saying("htm", json!(null)),
        holder.proof().saying("htu", json!(null)),
        holder.proof().saying("iat", json!(null)),
        holder.proof().saying("iat", "now"),
        // "The typ JOSE Header Parameter has the value dpop+jwt."
        holder.proof().headed("typ", "JWT"),
        holder.proof().headed("typ", json!(null)),
        // "The alg JOSE Header Parameter indicates a registered asymmetric digital signature algorithm, is not none".
        holder.proof().headed("alg", "none"),
        holder.proof().headed("alg", "HS256"),
        holder.proof().headed("alg", "EdDSA"),
        holder.proof().headed("alg", json!(null)),
        // "The JWT signature verifies with the public key contained in the jwk JOSE Header Parameter."
        holder.proof().headed("jwk", Holder::new(Algorithm::Es256).proof().header["jwk"].clone()),
        holder.proof().headed("jwk", json!(null)),
        // "The jwk JOSE Header Parameter does not contain a private key."
        holder.proof().headed("jwk", secret),
        // RFC 7515 §4.1.11.
        holder.proof().headed("crit", json!(["b64"])),
        // "The htm claim matches the HTTP method of the current request."
        holder.proof().saying("htm", "GET"),
        holder.proof().saying("htm", "post"),
        // "The htu claim matches the HTTP URI value for the HTTP request, ignoring any query and fragment parts."
        holder.proof().saying("htu", format!("{ISSUER}/oauth2/introspect")),
        holder.proof().saying("htu", "https://other.example.com/oauth2/token"),
        holder.proof().saying("htu", "http://tokens.example.com/oauth2/token"),
        holder.proof().saying("htu", "/oauth2/token"),
    ];
    for proof in wrong {
        let answer = request(&world, &holder.line(&proof)).await;
        assert_eq!(answer.status, 400, "{} {}", proof.header, proof.said);
        is_refused(&answer);
    }
    assert_eq!(request(&world, &holder.line(&holder.proof())).await.status, 200);
}

/// RFC 9864 §2.2: `Ed25519` is the name of EdDSA with that curve. openid-client writes it, and was refused once.
#[tokio::test]
async fn a_proof_may_name_its_algorithm_either_way() {
    let (world, holder) = (binding(AccessTokens::Opaque).await, Holder::new(Algorithm::EdDsa));
    for name in ["EdDSA", "Ed25519"] {
        let proof = holder.proof().headed("alg", name);
        assert_eq!(request(&world, &holder.line(&proof)).await.status, 200, "{name}");
    }
    is_refused(&request(&world, &holder.line(&holder.proof().headed("alg", "Ed448"))).await);
}

/// §4.3: "There is not more than one DPoP HTTP request header field." "a single and well-formed JWT".
#[tokio::test]
async fn there_is_one_proof_and_it_is_a_jwt() {
    let (world, holder) = (binding(AccessTokens::Opaque).await, Holder::new(Algorithm::EdDsa));
    let (one, other) = (holder.line(&holder.proof()), holder.line(&holder.proof()));
    is_refused(&request(&world, &format!("{one}{other}")).await);
    let twice = format!("DPoP: {}, {}\r\n", holder.sign(&holder.proof()), holder.sign(&holder.proof()));
    for line in [&twice, "DPoP: \r\n", "DPoP: a.b.c\r\n", "DPoP: \u{e9}\r\n", "DPoP: e30.e30.e30\r\n"] {
        is_refused(&request(&world, line).await);
    }
}

/// §4.3: "without query and fragment parts"; RFC 3986 §6.2.2, §6.2.3.
#[tokio::test]
async fn a_uri_may_be_written_in_another_way() {
    let (world, holder) = (binding(AccessTokens::Opaque).await, Holder::new(Algorithm::EdDsa));
    for htu in
        ["HTTPS://Tokens.Example.com:443/oauth2/token", "https://tokens.example.com/%6fauth2/%74oken?a=b#c"]
    {
        assert_eq!(
            request(&world, &holder.line(&holder.proof().saying("htu", htu))).await.status,
            200,
            "{htu}"
        );
    }
}

/// §11.1: "servers MUST only accept DPoP proofs for a limited time after their creation".
#[tokio::test]
async fn a_proof_is_good_for_a_minute_and_may_be_half_a_minute_ahead() {
    let (world, holder) = (binding(AccessTokens::Opaque).await, Holder::new(Algorithm::EdDsa));
    let made = |after_s: i64| holder.proof().saying("iat", crate::support::world::BEGIN_S as i64 + after_s);
    for (after_s, status) in [(-61, 400), (-60, 200), (0, 200), (30, 200), (31, 400), (i64::MAX / 2, 400)] {
        assert_eq!(request(&world, &holder.line(&made(after_s))).await.status, status, "{after_s}");
    }
    let early = holder.line(&holder.proof());
    world.clock.advance(Duration::from_secs(61));
    is_refused(&request(&world, &early).await);
}

/// §11.1: a proof that is replayed.
#[tokio::test]
async fn a_proof_is_good_once() {
    let (world, holder) = (binding(AccessTokens::Opaque).await, Holder::new(Algorithm::Es256));
    let proof = holder.proof();
    assert_eq!(request(&world, &holder.line(&proof)).await.status, 200);
    is_refused(&request(&world, &holder.line(&proof)).await);
    // Signed anew it is another text, and the same proof.
    world.clock.advance(Duration::from_secs(59));
    is_refused(&request(&world, &holder.line(&proof)).await);
}

/// §5: of a confidential client the refresh token is bound to the client and not to the key.
#[tokio::test]
async fn a_refresh_binds_to_the_key_that_it_comes_with() {
    let world = binding(AccessTokens::Jwt(Algorithm::EdDsa)).await;
    let refresh_token = world.login().await.member("refreshToken");
    let form = format!("grant_type=refresh_token&refresh_token={refresh_token}");
    is_refused(&send(&world, "/oauth2/token", "", &form).await);
    for holder in [Holder::new(Algorithm::EdDsa), Holder::new(Algorithm::Es256)] {
        let answer = send(&world, "/oauth2/token", &holder.line(&holder.proof()), &form).await;
        assert_eq!(answer.member("token_type"), "DPoP");
        assert_eq!(part(&answer.member("access_token"), 1)["cnf"]["jkt"], json!(holder.jkt()));
    }
}

/// RFC 9449 §5.1.
#[tokio::test]
async fn the_metadata_names_the_algorithms() {
    let world = World::new().await;
    let answer = get(world.public, "/.well-known/oauth-authorization-server", "").await;
    let metadata: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!(metadata["dpop_signing_alg_values_supported"], json!(["EdDSA", "Ed25519", "ES256"]));
    assert_eq!(metadata["jwks_uri"], json!(format!("{ISSUER}/oauth2/jwks")));
}
