//! The example of a gateway that checks signed tokens on its own, beside the real server, and how soon it hears of the end
//! of a token.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use northgate_testkit::northgate::Northgate;
use northgate_testkit::packages;

/// Debian's, with PyJWT and the library that it signs and verifies with.
const PYTHON: &str = "/usr/bin/python3";

/// What is written of it is one second; a machine that is busy with other tests may be slower to run anything at all.
const PATIENCE: Duration = Duration::from_secs(20);

struct Verifier {
    address: String,
    process: Child,
}

impl Verifier {
    fn start(server: &Northgate) -> Verifier {
        install_pyjwt();
        let program = northgate_testkit::repository("deploy/gateways/jwt-verifier/verifier.py");
        let issuer = format!("https://localhost:{}", server.public.port());
        let mut process = Command::new(PYTHON)
            .arg(program)
            .args(["--issuer", &issuer, "--jwks", &format!("{issuer}/oauth2/jwks")])
            .args(["--revocations", &format!("http://{}/revocations", server.private)])
            .arg("--cafile")
            .arg(server.home.path().join("northgate-data/tls/cert.pem"))
            .args(["--listen", "127.0.0.1:0"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address =
            line.trim().strip_prefix("listening on ").unwrap_or_else(|| panic!("{line}")).to_owned();
        Verifier { address, process }
    }

    fn says(&self, token: &str) -> String {
        let authorization = format!("Authorization: Bearer {token}");
        let output =
            Command::new("curl").args(["-sS", "-H", &authorization, &self.address]).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    }

    /// How long it takes from now until the verifier says something that begins like this.
    fn until(&self, token: &str, expected: &str) -> Duration {
        let began_at = Instant::now();
        loop {
            let said = self.says(token);
            if said.starts_with(expected) {
                return began_at.elapsed();
            }
            assert!(began_at.elapsed() < PATIENCE, "it still says {said:?} and not {expected:?}");
        }
    }
}

impl Drop for Verifier {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn install_pyjwt() {
    for (package, module) in [("python3-jwt", "jwt"), ("python3-cryptography", "cryptography")] {
        packages::debian_package(package, &format!("/usr/lib/python3/dist-packages/{module}"));
    }
}

/// The body of an answer of the public listener.
fn ask(server: &Northgate, path: &str, form: &str) -> Value {
    let url = format!("https://{}{path}", server.public);
    let output = server.output(Command::new("curl").args(["-sSk", "--data", form, &url]));
    serde_json::from_slice(&output.stdout).unwrap_or_default()
}

#[test]
fn a_gateway_on_its_own_refuses_a_token_soon_after_a_freeze_and_after_a_logout() {
    let server = Northgate::start(&[]);
    let verifier = Verifier::start(&server);
    for kind in ["jwt-eddsa", "jwt-es256"] {
        let created = server.tell(&["app", "create", kind, "--access-tokens", kind, "--json"]);
        let created: Value = serde_json::from_str(&created).unwrap();
        let (app_id, secret) = (created["appId"].as_str().unwrap(), created["secret"].as_str().unwrap());
        let client = format!("client_id={app_id}&client_secret={secret}");
        let token = || {
            let answer = ask(&server, "/oauth2/token", &format!("{client}&grant_type=client_credentials"));
            answer["access_token"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned()
        };

        let frozen = token();
        verifier.until(&frozen, "good");
        server.tell(&["app", "freeze", app_id]);
        let after_freeze = verifier.until(&frozen, "the application is frozen");
        server.tell(&["app", "unfreeze", app_id]);
        verifier.until(&frozen, "good");

        let revoked = token();
        verifier.until(&revoked, "good");
        ask(&server, "/oauth2/revoke", &format!("{client}&token={revoked}"));
        let after_revoke = verifier.until(&revoked, "its grant was closed");
        assert_eq!(verifier.says(&frozen), "good");

        server.tell(&["app", "revoke", app_id, "--yes"]);
        verifier.until(&frozen, "all tokens of its application were ended");
        verifier.until(&token(), "good");

        let forged = format!("{}x", &revoked[..revoked.len() - 1]);
        assert!(verifier.says(&forged) != "good");
        println!("{kind}: refused {after_freeze:?} after the freeze, {after_revoke:?} after the revocation");
    }
}

/// A logout of the application API reaches the signed tokens of its grant, and an application that is deleted takes all of
/// its tokens along.
#[test]
fn a_gateway_on_its_own_hears_of_logout_and_deletion() {
    let server = Northgate::start(&[]);
    let verifier = Verifier::start(&server);
    let created = server.tell(&["app", "create", "a", "--access-tokens", "jwt-eddsa", "--json"]);
    let created: Value = serde_json::from_str(&created).unwrap();
    let (app_id, secret) = (created["appId"].as_str().unwrap(), created["secret"].as_str().unwrap());
    let pair = || ask(&server, "/iocm/app/sec/v1.1.0/login", &format!("appId={app_id}&secret={secret}"));
    let signed = |pair: &Value| {
        let refresh_token = pair["refreshToken"].as_str().unwrap();
        let form = format!(
            "client_id={app_id}&client_secret={secret}&grant_type=refresh_token&refresh_token={refresh_token}"
        );
        ask(&server, "/oauth2/token", &form)["access_token"].as_str().unwrap().to_owned()
    };
    let (one, other) = (pair(), pair());
    let (ended, alive) = (signed(&one), signed(&other));
    verifier.until(&ended, "good");
    let url = format!("https://{}/iocm/app/sec/v1.1.0/logout", server.public);
    let body = format!(r#"{{"accessToken":{}}}"#, one["accessToken"]);
    server.output(Command::new("curl").args(["-sSk", "--json", &body, &url]));
    verifier.until(&ended, "its grant was closed");
    assert_eq!(verifier.says(&alive), "good");
    server.tell(&["app", "delete", app_id, "--yes"]);
    verifier.until(&alive, "the application is frozen or deleted");
}
