//! An application that speaks to a Northgate over TLS, with a real HTTP client.

use std::fs;
use std::net::SocketAddr;

use reqwest::{Certificate, Client, Method, Response};

use crate::northgate::Northgate;

pub const FORM: &str = "application/x-www-form-urlencoded";
pub const JSON: &str = "application/json";

/// One application, with a connection of its own.
pub struct Application {
    pub app_id: String,
    pub secret: String,
    /// Up to the name of the operation.
    pub api: String,
    private: SocketAddr,
    http: Client,
}

/// What was answered.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub body: String,
}

impl Application {
    /// The application `demo` of an installation that was started for the first time.
    pub fn demo(server: &Northgate) -> Application {
        let printed = server.printed();
        let word = |name| {
            let line = printed.lines().find_map(|line| line.trim_start().strip_prefix(name));
            line.unwrap_or_else(|| panic!("no {name} in {printed}")).split_whitespace().next().unwrap()
        };
        Application::new(server, word("appId"), word("secret"))
    }

    pub fn new(server: &Northgate, app_id: &str, secret: &str) -> Application {
        Application {
            app_id: app_id.to_owned(),
            secret: secret.to_owned(),
            api: format!("https://{}/iocm/app/sec/v1.1.0", server.public),
            private: server.private,
            http: trusting(&fs::read(server.home.path().join("northgate-data/tls/cert.pem")).unwrap()),
        }
    }

    /// One created for this.
    pub fn created(server: &Northgate, name: &str) -> Application {
        let answer = server.tell(&["app", "create", name, "--json"]);
        let answer: serde_json::Value = serde_json::from_str(&answer).unwrap();
        Application::new(server, answer["appId"].as_str().unwrap(), answer["secret"].as_str().unwrap())
    }

    pub async fn login(&self) -> Answer {
        self.post("login", FORM, format!("appId={}&secret={}", self.app_id, self.secret)).await
    }

    pub async fn refresh(&self, token: &str) -> Answer {
        let (app_id, secret) = (&self.app_id, &self.secret);
        let body = serde_json::json!({ "appId": app_id, "secret": secret, "refreshToken": token });
        self.post("refreshToken", JSON, body.to_string()).await
    }

    /// A login or a refresh at a server that may be gone: `None` if no answer came.
    pub async fn attempt(&self, refresh: Option<&str>) -> Option<Answer> {
        let (app_id, secret) = (&self.app_id, &self.secret);
        let (operation, content_type, body) = match refresh {
            None => ("login", FORM, format!("appId={app_id}&secret={secret}")),
            Some(token) => {
                let body = serde_json::json!({ "appId": app_id, "secret": secret, "refreshToken": token });
                ("refreshToken", JSON, body.to_string())
            }
        };
        let call = self.http.post(format!("{}/{operation}", self.api)).header("Content-Type", content_type);
        let answer = call.body(body).send().await.ok()?;
        Some(Answer { status: answer.status().as_u16(), body: answer.text().await.ok()? })
    }

    pub async fn logout(&self, token: &str) -> Answer {
        self.post("logout", JSON, format!(r#"{{"accessToken":"{token}"}}"#)).await
    }

    /// What a gateway hears about a call with this token.
    pub async fn verify(&self, token: &str) -> Answer {
        let url = format!("http://{}/verify", self.private);
        let call = self.http.get(url).header("app_key", &self.app_id).bearer_auth(token);
        heard(call.send().await.unwrap()).await
    }

    /// Without a content type where that is empty.
    pub async fn post(&self, operation: &str, content_type: &str, body: impl Into<Vec<u8>>) -> Answer {
        self.ask(Method::POST, &format!("{}/{operation}", self.api), content_type, body).await
    }

    pub async fn ask(
        &self,
        method: Method,
        url: &str,
        content_type: &str,
        body: impl Into<Vec<u8>>,
    ) -> Answer {
        let mut request = self.http.request(method, url).body(body.into());
        if !content_type.is_empty() {
            request = request.header("Content-Type", content_type);
        }
        heard(request.send().await.unwrap()).await
    }
}

impl Answer {
    /// A member of the body, which is JSON.
    pub fn member(&self, name: &str) -> String {
        let body: serde_json::Value = serde_json::from_str(&self.body).unwrap();
        body[name].as_str().unwrap_or_else(|| panic!("no {name} in {self:?}")).to_owned()
    }
}

/// A client that trusts this certificate and nothing else.
fn trusting(certificate: &[u8]) -> Client {
    // Another test of this process may have said so already.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let certificate = Certificate::from_pem(certificate).unwrap();
    Client::builder().tls_built_in_root_certs(false).add_root_certificate(certificate).build().unwrap()
}

/// Holds every answer to what all of them have in common.
async fn heard(response: Response) -> Answer {
    let headers = response.headers().clone();
    let header = |name| headers.get(name).map(|value| value.to_str().unwrap());
    let (status, body) = (response.status().as_u16(), response.text().await.unwrap());
    let json = (!body.is_empty()).then_some("application/json; charset=UTF-8");
    assert_eq!(header("content-type"), json, "{status} {body}");
    let allowed = (status == 405).then_some("POST");
    assert_eq!(header("allow"), allowed, "{status} {body}");
    assert_eq!(header("transfer-encoding"), None, "{status} {body}");
    assert!(status < 400 || !body.is_empty(), "an error without a body: {status}");
    Answer { status, body }
}
