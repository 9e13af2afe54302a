//! Tokens that are bound to a key, in calls on the platform (RFC 9449 §7).

use northgate_core::policy::{AccessTokens, Dpop, Overrides};
use northgate_core::signing::Algorithm;
use serde_json::json;

use crate::jwt::client::*;
use crate::jwt::proof::{Holder, Proof};
use crate::support::socket::Answer;
use crate::support::world::{SETUP, Setup, World};

pub const URI: &str = "https://api.example.com/iocm/app/dm/v1.4.0/devices";

/// How a gateway says what the call is.
pub const TOLD: &str = "X-Original-Method: GET\r\nX-Original-URI: /iocm/app/dm/v1.4.0/devices?pageNo=0\r\nX-Forwarded-Host: api.example.com\r\n";

struct Caller {
    world: World,
    holder: Holder,
    token: String,
}

impl Caller {
    async fn new(kind: AccessTokens) -> Caller {
        let (world, holder) = (binding(kind).await, Holder::new(Algorithm::Es256));
        let token = request(&world, &holder.line(&holder.proof())).await.member("access_token");
        Caller { world, holder, token }
    }

    fn proof(&self) -> Proof {
        self.holder.proof_of_call("GET", URI, &self.token)
    }

    /// A call as the gateway hands it over.
    async fn call(&self, scheme: &str, proof: &str) -> Answer {
        let lines = format!("app_key: demo\r\nAuthorization: {scheme} {}\r\n{TOLD}{proof}", self.token);
        get(self.world.private, "/verify", &lines).await
    }
}

#[tokio::test]
async fn a_call_with_token_and_proof_passes_in_either_form() {
    for kind in AccessTokens::ALL {
        let caller = Caller::new(kind).await;
        assert_eq!(caller.call("DPoP", &caller.holder.line(&caller.proof())).await.status, 200);
        assert_eq!(caller.call("dpop", &caller.holder.line(&caller.proof())).await.status, 200);
    }
}

/// §7.2: "a token that is bound by DPoP […] MUST NOT be accepted as a bearer token".
#[tokio::test]
async fn a_bound_token_is_no_bearer_token() {
    for kind in AccessTokens::ALL {
        let caller = Caller::new(kind).await;
        assert_eq!(caller.call("Bearer", "").await.status, 403);
        assert_eq!(caller.call("Bearer", &caller.holder.line(&caller.proof())).await.status, 403);
        let lines = format!("app_key: demo\r\naccess_token: {}\r\n", caller.token);
        assert_eq!(get(caller.world.private, "/verify", &lines).await.status, 403);
    }
}

/// §4.3: "when presented to a protected resource in conjunction with an access token: ensure that the value of the ath
/// claim equals the hash of that access token, [and] confirm that the public key to which the access token is bound matches
/// the public key from the DPoP proof."
#[tokio::test]
async fn a_proof_of_another_call_token_or_key_is_refused() {
    let caller = Caller::new(AccessTokens::Opaque).await;
    let own = |proof: Proof| caller.holder.line(&proof);
    let other = Holder::new(Algorithm::Es256);
    for line in [
        String::new(),
        own(caller.proof().saying("ath", json!(null))),
        own(caller.holder.proof_of_call("GET", URI, "another token")),
        own(caller.proof().saying("htm", "DELETE")),
        own(caller.proof().saying("htu", format!("{URI}/1"))),
        other.line(&other.proof_of_call("GET", URI, &caller.token)),
        own(caller.holder.proof()),
    ] {
        assert_eq!(caller.call("DPoP", &line).await.status, 403, "{line}");
    }
}

#[tokio::test]
async fn a_proof_is_good_for_one_call() {
    let caller = Caller::new(AccessTokens::Jwt(Algorithm::EdDsa)).await;
    let line = caller.holder.line(&caller.proof());
    assert_eq!(caller.call("DPoP", &line).await.status, 200);
    assert_eq!(caller.call("DPoP", &line).await.status, 403);
}

/// A client that wrote `X-Forwarded-Host` itself had a proof for another host verified, behind a gateway that passed the header.
#[tokio::test]
async fn the_host_of_a_call_is_that_of_the_question_unless_forwarded_headers_are_trusted() {
    let overrides = Overrides { dpop: Some(Dpop::Required), ..SETUP.overrides };
    let world = World::with(Setup { overrides, ..SETUP }).await;
    let holder = Holder::new(Algorithm::Es256);
    let token = request(&world, &holder.line(&holder.proof())).await.member("access_token");
    let call = async |uri: &str| {
        let proof = holder.line(&holder.proof_of_call("GET", uri, &token));
        let forwarded = "X-Forwarded-Host: other.example\r\nX-Forwarded-Proto: http\r\n";
        let named = "X-Original-Method: GET\r\nX-Original-URI: /iocm/app/dm\r\n";
        let lines = format!("app_key: demo\r\nAuthorization: DPoP {token}\r\n{named}{forwarded}{proof}");
        get(world.private, "/verify", &lines).await.status
    };
    assert_eq!(call("https://other.example/iocm/app/dm").await, 403);
    assert_eq!(call("http://h/iocm/app/dm").await, 403);
    assert_eq!(call("https://h/iocm/app/dm").await, 200);
}

/// §7.1: the scheme DPoP is for tokens that are bound.
#[tokio::test]
async fn an_unbound_token_is_not_shown_as_a_bound_one() {
    let world = World::new().await;
    let (token, holder) = (token(&world).await, Holder::new(Algorithm::EdDsa));
    let lines = format!(
        "app_key: demo\r\nAuthorization: DPoP {token}\r\n{TOLD}{}",
        holder.line(&holder.proof_of_call("GET", URI, &token))
    );
    assert_eq!(get(world.private, "/verify", &lines).await.status, 403);
    assert_eq!(world.verify(&token).await.status, 200);
}

#[tokio::test]
async fn a_gateway_that_does_not_say_what_the_call_is_lets_no_bound_token_through() {
    let caller = Caller::new(AccessTokens::Opaque).await;
    let proof = caller.holder.line(&caller.proof());
    let lines = format!("app_key: demo\r\nAuthorization: DPoP {}\r\n{proof}", caller.token);
    assert_eq!(get(caller.world.private, "/verify", &lines).await.status, 403);
}

/// §7.1: "the resource server includes a WWW-Authenticate header with the DPoP authentication scheme [and] algs".
#[tokio::test]
async fn in_the_style_of_oauth_who_needs_a_proof_hears_so_and_with_which_algorithms() {
    let caller = Caller::new(AccessTokens::Opaque).await;
    let call = async |scheme: &str, token: &str, proof: &str| {
        let lines = format!("Authorization: {scheme} {token}\r\n{TOLD}{proof}");
        get(caller.world.private, "/verify?style=oauth", &lines).await
    };
    let proof = || caller.holder.line(&caller.proof());
    let others = caller.holder.line(&caller.proof().saying("htm", "DELETE"));
    let elsewhere = caller.holder.line(&caller.proof().saying("htu", "https://api.example.com/"));
    let used = proof();
    assert_eq!(call("DPoP", &caller.token, &used).await.status, 200);
    for (scheme, token, proof, error, cause) in [
        ("DPoP", &caller.token[..], String::new(), "invalid_dpop_proof", "missing"),
        ("DPoP", &caller.token, others, "invalid_dpop_proof", "another method"),
        ("DPoP", &caller.token, elsewhere, "invalid_dpop_proof", "another URL"),
        ("DPoP", &caller.token, used, "invalid_dpop_proof", "used before"),
        ("DPoP", "nonsense", proof(), "invalid_token", "not good"),
        ("Bearer", &caller.token, proof(), "invalid_token", "not good"),
    ] {
        let answer = call(scheme, token, &proof).await;
        let challenge = format!("DPoP error=\"{error}\", algs=\"EdDSA Ed25519 ES256\"");
        assert_eq!((answer.status, answer.header("WWW-Authenticate")), (401, Some(&challenge[..])));
        assert_eq!(answer.member("error"), error);
        assert!(answer.member("error_description").contains(cause), "{}", answer.body);
        assert_eq!(answer.header("X-Northgate-Refusal"), Some(&answer.body[..]));
    }
    let unbound = call("Bearer", "nonsense", "").await;
    assert_eq!(unbound.header("WWW-Authenticate"), Some("Bearer error=\"invalid_token\""));
    assert_eq!(call("DPoP", &caller.token, &proof()).await.status, 200);
}
