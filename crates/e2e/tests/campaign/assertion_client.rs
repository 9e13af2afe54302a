//! A client that authenticates with signed assertions (RFC 7523) and replays each one to two nodes at once.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::sleep;

use super::calls::{Calls, Identity};
use super::node::ISSUER;

/// How many used assertions the nodes remember of an application.
pub const MAX_ASSERTIONS: u32 = 65_536;
/// How long an assertion lasts.
const LIFETIME: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(150);

pub struct AssertionClient {
    who: Identity,
    calls: Calls,
    key: Ed25519KeyPair,
    assertions: u64,
}

impl AssertionClient {
    /// Registers a key of its own for the application.
    pub async fn register(who: Identity, calls: Calls) -> AssertionClient {
        let key = Ed25519KeyPair::generate().unwrap();
        let x = URL_SAFE_NO_PAD.encode(key.public_key().as_ref());
        calls.add_key(&who, &json!({"kty": "OKP", "crv": "Ed25519", "x": x})).await;
        AssertionClient { who, calls, key, assertions: 0 }
    }

    pub fn app_id(&self) -> &str {
        &self.who.app_id
    }

    /// Works until the stop flag is set.
    pub async fn live(mut self, stop: watch::Receiver<bool>) {
        while !*stop.borrow() {
            // Load pacing.
            sleep(PAUSE).await;
            self.assertions += 1;
            let (jti, assertion) = (self.assertions, self.assertion());
            // Each on a connection of its own: mostly to different nodes, whose clocks differ.
            let present = || self.calls.authenticate(&self.who, jti, &assertion);
            tokio::join!(present(), present());
            present().await;
        }
    }

    fn assertion(&self) -> String {
        let app_id = &self.who.app_id;
        // The machine's clock, from which those of the nodes differ.
        #[allow(clippy::disallowed_methods)]
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let exp = (now + LIFETIME).as_secs();
        let claims = json!({"iss": app_id, "sub": app_id, "aud": ISSUER, "exp": exp, "jti": self.assertions.to_string()});
        let part = |json: &Value| URL_SAFE_NO_PAD.encode(json.to_string());
        let signed = format!("{}.{}", part(&json!({"alg": "EdDSA"})), part(&claims));
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(self.key.sign(signed.as_bytes())))
    }
}
