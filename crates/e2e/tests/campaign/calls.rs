//! The calls of applications, gateways and the operator, each of which goes into the history.

use std::sync::Arc;
use std::time::Duration;

use reqwest::{Certificate, Client, RequestBuilder};
use tokio::time::timeout;

use super::history::{Answer, At, Deed, History, Pair, Token};
use super::house::House;
use super::node::ADMIN_TOKEN;

/// How long the creation of an application may take, while many are created at once.
const CREATION: Duration = Duration::from_secs(60);

/// How long a client waits for a response before it counts as lost.
const PATIENCE: Duration = Duration::from_secs(4);

/// What a client with assertions asks the token endpoint for (RFC 6749 section 4.4, RFC 7523 section 2.2).
const CLIENT_CREDENTIALS: &str = "grant_type=client_credentials\
    &client_assertion_type=urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// Who calls.
#[derive(Clone)]
pub struct Identity {
    pub index: usize,
    pub app_id: String,
    pub secret: String,
}

#[derive(Clone)]
pub struct Calls {
    pub history: Arc<History>,
    kept: Client,
    anew: Client,
    /// Host and port.
    balancer: String,
    private: Vec<String>,
}

impl Calls {
    pub fn new<D>(house: &House<D>, history: Arc<History>) -> Calls {
        let client = |kept: usize| {
            let certificate = Certificate::from_pem(house.certificate.as_bytes()).unwrap();
            let client = Client::builder().add_root_certificate(certificate).timeout(PATIENCE);
            client.pool_max_idle_per_host(kept).build().unwrap()
        };
        let private = house.nodes.iter().map(|node| format!("http://127.0.0.1:{}", node.links().private));
        Calls {
            history,
            kept: client(64),
            anew: client(0),
            balancer: format!("127.0.0.1:{}", house.balancer),
            private: private.collect(),
        }
    }

    pub fn nodes(&self) -> usize {
        self.private.len()
    }

    /// A call of the application API, over a kept connection or one of its own.
    pub async fn ask(&self, who: &Identity, deed: Deed, on_a_new_connection: bool) -> Answer {
        let client = if on_a_new_connection { &self.anew } else { &self.kept };
        let Identity { app_id, secret, .. } = who;
        let (path, media_type, body) = match &deed {
            Deed::Login => {
                ("login", "application/x-www-form-urlencoded", format!("appId={app_id}&secret={secret}"))
            }
            Deed::Refresh(token) => {
                let members =
                    serde_json::json!({"appId": app_id, "secret": secret, "refreshToken": token.text});
                ("refreshToken", "application/json", members.to_string())
            }
            Deed::Logout(token) => {
                ("logout", "application/json", serde_json::json!({"accessToken": token.text}).to_string())
            }
            Deed::Verify(_)
            | Deed::Freeze
            | Deed::Unfreeze
            | Deed::SetPolicy
            | Deed::Authenticate(_)
            | Deed::Ready => unreachable!("not the application API"),
        };
        let call = client
            .post(format!("https://{}/iocm/app/sec/v1.1.0/{path}", self.balancer))
            .header("Content-Type", media_type)
            .body(body);
        self.send(call, Some(who.index), At::Balancer, deed).await
    }

    /// Presents a client assertion at the token endpoint, over a connection of its own.
    pub async fn authenticate(&self, who: &Identity, jti: u64, assertion: &str) -> Answer {
        let form = format!("{CLIENT_CREDENTIALS}&client_assertion={assertion}");
        let call = self.anew.post(format!("https://{}/oauth2/token", self.balancer));
        let call = call.header("Content-Type", "application/x-www-form-urlencoded").body(form);
        self.send(call, Some(who.index), At::Balancer, Deed::Authenticate(jti)).await
    }

    /// Logins at once, over connections of their own: the balancer gives each node a third of them.
    pub async fn flood(&self, who: &Identity, count: usize) {
        futures_util::future::join_all((0..count).map(|_| self.ask(who, Deed::Login, true))).await;
    }

    /// What a gateway asks a node about a call of the application.
    pub async fn verify(&self, who: &Identity, token: &Token, node: usize) -> Answer {
        let call = self.kept.get(format!("{}/verify", self.private[node])).header("app_key", &who.app_id);
        let call = call.header("Authorization", format!("Bearer {}", token.text));
        self.send(call, Some(who.index), At::Node(node), Deed::Verify(token.clone())).await
    }

    pub async fn ready(&self, node: usize) -> Answer {
        let call =
            self.kept.get(format!("{}/health/ready", self.private[node])).timeout(Duration::from_secs(1));
        self.send(call, None, At::Node(node), Deed::Ready).await
    }

    /// What the operator has a node do about an application.
    pub async fn operate(&self, who: &Identity, deed: Deed, node: usize) -> Answer {
        let place = format!("{}/admin/v1/applications/{}", self.private[node], who.app_id);
        let call = match &deed {
            Deed::Freeze => self.kept.post(format!("{place}/freeze")),
            Deed::Unfreeze => self.kept.post(format!("{place}/unfreeze")),
            Deed::SetPolicy => self
                .kept
                .patch(place)
                .header("Content-Type", "application/json")
                .body(r#"{"policy":{"maxGrants":6}}"#),
            Deed::Login
            | Deed::Refresh(_)
            | Deed::Logout(_)
            | Deed::Verify(_)
            | Deed::Authenticate(_)
            | Deed::Ready => unreachable!("not the operator's"),
        };
        self.send(call.bearer_auth(ADMIN_TOKEN), Some(who.index), At::Node(node), deed).await
    }

    /// A new application, which is no part of the history.
    pub async fn create(&self, index: usize, max_grants: u32) -> Option<Identity> {
        let call =
            self.kept.post(format!("{}/admin/v1/applications", self.private[0])).bearer_auth(ADMIN_TOKEN);
        let call = call
            .header("Content-Type", "application/json")
            .body(format!(r#"{{"name":"application {index}","policy":{{"maxGrants":{max_grants}}}}}"#));
        let text = call.send().await.ok()?.text().await.ok()?;
        let members: serde_json::Value = serde_json::from_str(&text).ok()?;
        let text = |name: &str| Some(members[name].as_str()?.to_owned());
        Some(Identity { index, app_id: text("appId")?, secret: text("secret")? })
    }

    /// The same, tried until it is done.
    pub async fn create_within(&self, index: usize, max_grants: u32) -> Identity {
        let created = async {
            loop {
                match self.create(index, max_grants).await {
                    Some(who) => return who,
                    // Not `eventually`: tasks run this, for which the compiler does not see that an `AsyncFnMut` is `Send`.
                    None => tokio::time::sleep(Duration::from_millis(100)).await,
                }
            }
        };
        timeout(CREATION, created).await.expect("no node creates an application")
    }

    /// Registers a public key for client assertions.
    pub async fn add_key(&self, who: &Identity, jwk: &serde_json::Value) {
        let url = format!("{}/admin/v1/applications/{}/credentials", self.private[0], who.app_id);
        let body = serde_json::json!({ "jwk": jwk }).to_string();
        let call = self.kept.post(url).bearer_auth(ADMIN_TOKEN).header("Content-Type", "application/json");
        assert_eq!(call.body(body).send().await.unwrap().status(), 201);
    }

    async fn send(&self, call: RequestBuilder, application: Option<usize>, at: At, deed: Deed) -> Answer {
        let begin = self.history.now();
        let answer = match call.send().await {
            Err(_) => Answer::Unanswered,
            Ok(answer) => {
                let status = answer.status().as_u16();
                answer.text().await.map_or(Answer::Unanswered, |text| read(status, &text))
            }
        };
        self.history.add(begin, application, at, deed, answer.clone());
        answer
    }
}

fn read(status: u16, text: &str) -> Answer {
    let members: serde_json::Value = serde_json::from_str(text).unwrap_or_default();
    let token = |name: &str| members[name].as_str().and_then(Token::read);
    match (status, members["error_code"].as_str()) {
        (200, None) => match (token("accessToken"), token("refreshToken")) {
            (Some(access), Some(refresh)) => Answer::Pair(Pair { access, refresh }),
            (Some(_) | None, Some(_) | None) => Answer::Done,
        },
        (204, None) => Answer::Done,
        (401, None) if members["error"] == "invalid_client" => Answer::Refused,
        (429, None) => Answer::Throttled,
        (400, Some("100449")) => Answer::Frozen,
        (403, Some("1010009")) => Answer::Throttled,
        (400, Some("50400")) | (401, Some("100208")) | (403, Some("1010005")) => Answer::Refused,
        (500, Some("50252")) | (503, _) => Answer::Away,
        (status, _) => Answer::Other(format!("{status} {text}")),
    }
}
