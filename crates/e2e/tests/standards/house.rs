//! The real server with applications for a client, and how that client learns of them.

use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use northgate_testkit::northgate::Northgate;

/// An installation with an issuer that it can be reached by.
pub struct House {
    pub server: Northgate,
    pub issuer: String,
}

/// An application and what it shows itself by.
pub struct Application {
    pub id: String,
    pub secret: String,
}

/// The tokens of a login.
pub struct Pair {
    pub access: String,
    pub refresh: String,
}

impl House {
    pub fn new(settings: northgate_testkit::northgate::Settings) -> House {
        let server = Northgate::start(settings);
        let issuer = format!("https://localhost:{}", server.public.port());
        House { server, issuer }
    }

    /// One whose issuer has this path.
    pub fn below(path: &str) -> House {
        let issuer = format!("https://localhost:PUBLIC_PORT{path}");
        let house = House::new(&[("NORTHGATE_OAUTH_ISSUER", &issuer)]);
        let issuer = format!("{}{path}", house.issuer);
        House { issuer, ..house }
    }

    /// A new application with these policies.
    pub fn application(&self, name: &str, policies: &[&str]) -> Application {
        let said = self.server.tell(&[&["app", "create", name, "--json"], policies].concat());
        let created: Value = serde_json::from_str(&said).unwrap();
        let text = |member: &str| created[member].as_str().unwrap_or_else(|| panic!("{created}")).to_owned();
        Application { id: text("appId"), secret: text("secret") }
    }

    /// What clients trust, since they trust nothing else: nowhere is the check of certificates switched off.
    pub fn certificate(&self) -> PathBuf {
        self.server.home.path().join("northgate-data/tls/cert.pem")
    }

    /// By the application API, which alone gives refresh tokens to begin with.
    pub fn login(&self, application: &Application) -> Pair {
        let url = format!("https://localhost:{}/iocm/app/sec/v1.1.0/login", self.server.public.port());
        let form = format!("appId={}&secret={}", application.id, application.secret);
        let mut curl = Command::new("curl");
        curl.args(["-sS", "--data", &form, "--cacert"]).arg(self.certificate()).arg(url);
        let output = self.server.output(&mut curl);
        let pair: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"));
        let text = |member: &str| pair[member].as_str().unwrap_or_else(|| panic!("{pair}")).to_owned();
        Pair { access: text("accessToken"), refresh: text("refreshToken") }
    }

    /// A private key (P-256) whose public half is registered for the application.
    pub fn key(&self, application: &Application) -> PathBuf {
        self.openssl("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out key.pem");
        self.openssl("pkey -in key.pem -pubout -out public.pem");
        self.server.tell(&["app", "credential", "add", &application.id, "--public-key", "public.pem"]);
        self.server.home.path().join("key.pem")
    }

    /// A certificate that is registered for the application, and its key.
    pub fn client_certificate(&self, application: &Application) -> (PathBuf, PathBuf) {
        let key = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout client.key";
        self.openssl(&format!("req -x509 {key} -subj /CN=client -days 365 -out client.pem"));
        self.server.tell(&["app", "credential", "add", &application.id, "--certificate", "client.pem"]);
        (self.server.home.path().join("client.pem"), self.server.home.path().join("client.key"))
    }

    fn openssl(&self, arguments: &str) {
        let mut openssl = Command::new(crate::tools::openssl());
        let output = self.server.output(openssl.args(arguments.split(' ')));
        assert!(output.status.success(), "{output:?}");
    }
}
