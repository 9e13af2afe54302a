//! The replay cache of proofs: whose proofs take room, what uses one up, and what happens when there is no room (RFC 9449 §11.1).

use northgate_core::actor::Actor;
use northgate_core::administer::{Change, Creation, Wanted};
use northgate_core::allow::Allow;
use northgate_core::app_id::AppId;
use northgate_core::application::State;
use northgate_core::policy::{AccessTokens, Dpop, Overrides};
use northgate_core::signing::Algorithm;
use northgate_server::config::verify::TrustedHeaders;
use serde_json::json;

use crate::jwt::client::*;
use crate::jwt::dpop_at_the_gateway::{TOLD, URI};
use crate::jwt::proof::Holder;
use crate::support::socket::{Answer, ask};
use crate::support::world::*;

/// Proofs of one application that are remembered in these tests.
const SHARE: usize = 64;

const ASK: &str = "grant_type=client_credentials";

async fn small() -> World {
    let overrides = Overrides { dpop: Some(Dpop::Required), ..SETUP.overrides };
    let trusted_headers = TrustedHeaders { forwarded_host: true, ..TRUST_NOTHING };
    World::with(Setup { overrides, trusted_headers, dpop_proofs: SHARE, ..SETUP }).await
}

/// A form with a proof, for the client that it names.
async fn send_by(world: &World, app: &str, secret: &str, form: &str, proof: &str) -> Answer {
    let body = format!("client_id={app}&client_secret={secret}&{form}");
    let head = format!("POST /oauth2/token HTTP/1.1\r\nHost: h\r\nContent-Type: {FORM}\r\nDPoP: {proof}\r\n");
    ask(world.public, format!("{head}Content-Length: {}\r\n\r\n{body}", body.len())).await
}

async fn another(world: &World, app: &str) -> String {
    let overrides = Overrides { dpop: Some(Dpop::Required), ..SETUP.overrides };
    let (id, name, allow) = (AppId::parse(app).ok(), app.to_owned(), Allow::default());
    let wanted = Wanted { id, name, owner: None, secret: None, overrides, allow };
    match world.auth.create(wanted, &Actor::LOCAL, world.clock.now()).await.unwrap() {
        Creation::Created(_, Some(secret)) => secret.reveal().to_owned(),
        Creation::Created(_, None) | Creation::Same(_) | Creation::Taken(_) => panic!("not created"),
    }
}

#[track_caller]
fn is_replayed(answer: &Answer) {
    assert_eq!((answer.status, &answer.member("error")[..]), (400, "invalid_dpop_proof"), "{}", answer.body);
    let description = answer.member("error_description");
    assert!(description.contains("used before: sign a new one for every try"), "{description}");
}

/// A proof was recorded before its client was authenticated: a wrong secret, of whomever, used up a right proof.
#[tokio::test]
async fn a_proof_is_used_up_by_the_token_that_it_gets_and_by_no_refusal() {
    let (world, holder) = (binding(AccessTokens::Opaque).await, Holder::new(Algorithm::Es256));
    let proof = holder.sign(&holder.proof());
    let secret = world.secret.clone();
    for (app, secret) in [("demo", "wrong"), ("nobody", &secret[..])] {
        assert_eq!(send_by(&world, app, secret, ASK, &proof).await.status, 401);
    }
    let refresh = "grant_type=refresh_token&refresh_token=nonsense";
    let answer = send_by(&world, "demo", &secret, refresh, &proof).await;
    assert_eq!(answer.member("error"), "invalid_grant");
    let scope = format!("{ASK}&scope=admin");
    assert_eq!(send_by(&world, "demo", &secret, &scope, &proof).await.member("error"), "invalid_scope");
    change(&world, Change::State(State::Frozen)).await;
    assert_eq!(send_by(&world, "demo", &secret, ASK, &proof).await.member("error"), "unauthorized_client");
    change(&world, Change::State(State::Active)).await;
    assert_eq!(send_by(&world, "demo", &secret, ASK, &proof).await.status, 200);
    is_replayed(&send_by(&world, "demo", &secret, ASK, &proof).await);
}

/// 545,000 requests without any credentials pushed a used proof out of the memory, and it was accepted again.
#[tokio::test]
async fn strangers_and_other_applications_push_no_proof_out() {
    let world = small().await;
    let holder = Holder::new(Algorithm::EdDsa);
    let used = holder.sign(&holder.proof());
    let secret = world.secret.clone();
    assert_eq!(send_by(&world, "demo", &secret, ASK, &used).await.status, 200);
    for _ in 0..3 * SHARE {
        let proof = holder.sign(&holder.proof());
        assert_eq!(send_by(&world, "demo", "wrong", ASK, &proof).await.status, 401);
    }
    let other = another(&world, "other").await;
    for _ in 0..SHARE {
        let proof = holder.sign(&holder.proof());
        assert_eq!(send_by(&world, "other", &other, ASK, &proof).await.status, 200);
    }
    is_replayed(&send_by(&world, "demo", &secret, ASK, &used).await);
    // None of all these took room from the application's share.
    for _ in 1..SHARE {
        let proof = holder.sign(&holder.proof());
        assert_eq!(send_by(&world, "demo", &secret, ASK, &proof).await.status, 200);
    }
}

#[tokio::test]
async fn an_application_that_uses_more_proofs_than_are_remembered_is_told_to_wait() {
    let world = small().await;
    let holder = Holder::new(Algorithm::EdDsa);
    let first = holder.line(&holder.proof());
    let token = request(&world, &first).await.member("access_token");
    for _ in 1..SHARE {
        assert_eq!(request(&world, &holder.line(&holder.proof())).await.status, 200);
    }
    let kept = holder.line(&holder.proof());
    let full = request(&world, &kept).await;
    assert_eq!((full.status, &full.member("error")[..]), (429, "temporarily_unavailable"), "{}", full.body);
    let wait: u64 = full.header("Retry-After").unwrap().parse().unwrap();
    is_replayed(&request(&world, &first).await);
    // At the gateway there is a share apart from this one.
    let call = async |style: &str| {
        let proof = holder.line(&holder.proof_of_call("GET", URI, &token));
        let lines = format!("app_key: demo\r\nAuthorization: DPoP {token}\r\n{TOLD}{proof}");
        get(world.private, &format!("/verify{style}"), &lines).await
    };
    for _ in 0..SHARE {
        assert_eq!(call("").await.status, 200);
    }
    let full = call("?style=oauth").await;
    assert_eq!((full.status, &full.member("error")[..]), (429, "too_many_requests"), "{}", full.body);
    assert!(full.header("Retry-After").is_some());
    let full = call("").await;
    assert!(full.status == 403 && full.body.contains("1010009"), "{}", full.body);
    // What was refused for want of room was not used, and after the wait there is room.
    assert!((1..=75).contains(&wait), "{wait}");
    world.clock.advance(std::time::Duration::from_secs(wait));
    let later = holder.proof().saying("iat", BEGIN_S + wait);
    assert_eq!(request(&world, &holder.line(&later)).await.status, 200);
}

/// An attacker who has seen a bound token could fill the memory with proofs by keys of his own, or use up the holder's.
#[tokio::test]
async fn a_call_that_does_not_pass_uses_up_no_proof_and_no_room() {
    let world = small().await;
    let (holder, thief) = (Holder::new(Algorithm::Es256), Holder::new(Algorithm::EdDsa));
    let token = request(&world, &holder.line(&holder.proof())).await.member("access_token");
    let call = async |proof: &str, target: &str| {
        let lines = format!("app_key: demo\r\nAuthorization: DPoP {token}\r\n{target}{proof}");
        get(world.private, "/verify", &lines).await.status
    };
    for _ in 0..2 * SHARE {
        assert_eq!(call(&thief.line(&thief.proof_of_call("GET", URI, &token)), TOLD).await, 403);
    }
    let proof = holder.line(&holder.proof_of_call("GET", URI, &token));
    world.allow(&["GET /nowhere"]).await;
    assert_eq!(call(&proof, TOLD).await, 403);
    world.allow(&[]).await;
    change(&world, Change::State(State::Frozen)).await;
    assert_eq!(call(&proof, TOLD).await, 403);
    change(&world, Change::State(State::Active)).await;
    assert_eq!(call(&proof, TOLD).await, 200);
    assert_eq!(call(&proof, TOLD).await, 403);
}

/// By a key of small order anybody can sign: this signature is good for every text by the neutral element. A token that is bound
/// to such a key would be bound to no holder.
#[tokio::test]
async fn a_key_by_which_anybody_can_sign_binds_nothing() {
    let (world, holder) = (binding(AccessTokens::Opaque).await, Holder::new(Algorithm::EdDsa));
    let hex = |text: &str| -> Vec<u8> {
        (0..64).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
    };
    let ff = "f".repeat(60);
    for y in [
        "00".repeat(32),
        format!("01{}", "00".repeat(31)),
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05".to_owned(),
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a".to_owned(),
        format!("ec{ff}7f"),
        format!("ed{ff}7f"),
        format!("ee{ff}7f"),
        format!("ef{ff}7f"),
    ] {
        for sign in [0, 0x80] {
            let mut point = hex(&y);
            point[31] |= sign;
            let jwk = json!({ "kty": "OKP", "crv": "Ed25519", "x": base64(&point) });
            let proof = holder.proof().headed("jwk", jwk);
            let neutral = [&[1][..], &[0; 63]].concat();
            let text = format!("{}.{}", encoded(&proof.header), encoded(&proof.said));
            let answer = request(&world, &format!("DPoP: {text}.{}\r\n", base64(&neutral))).await;
            assert_eq!(answer.status, 400, "{y}");
            assert!(answer.member("error_description").contains("not a public key"), "{}", answer.body);
        }
    }
    let x = holder.proof().header["jwk"]["x"].clone();
    for bad in [
        json!({ "kty": "EC", "crv": "P-256", "x": base64([0; 32]), "y": base64([0; 32]) }),
        json!({ "kty": "EC", "crv": "P-256", "x": x, "y": x }),
        json!({ "kty": "EC", "crv": "P-256", "x": base64([1; 31]), "y": base64([1; 32]) }),
        json!({ "kty": "OKP", "crv": "Ed25519", "x": base64([1; 33]) }),
    ] {
        for alg in ["ES256", "EdDSA"] {
            let proof = holder.proof().headed("jwk", bad.clone()).headed("alg", alg);
            assert_eq!(request(&world, &holder.line(&proof)).await.status, 400, "{bad}");
        }
    }
}
