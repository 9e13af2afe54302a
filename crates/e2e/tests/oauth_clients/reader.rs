//! A reader of the page: a server, an application with a secret and a key, and what compiles and runs the programs.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::house::{Application, House};
use northgate_testkit::packages;
use northgate_testkit::venv::venv;
use northgate_testkit::wait_until;

use crate::{page, tools};

pub struct Reader {
    house: House,
    pub application: Application,
}

impl Reader {
    pub fn new() -> Reader {
        let house = House::new(&[]);
        let application = house.application("a reader", &["--access-tokens", "jwt-es256"]);
        house.key(&application);
        let reader = Reader { house, application };
        reader.write_key_as_json();
        reader
    }

    fn home(&self) -> &Path {
        self.house.server.home.path()
    }

    fn write_key_as_json(&self) {
        let script = "import json; from joserfc.jwk import ECKey; key = ECKey.import_key(open('key.pem').read()); \
                      json.dump(key.as_dict(private=True), open('key.jwk', 'w'))";
        self.run(Command::new(tools::python()).args(["-c", script]).current_dir(self.home()));
    }

    /// A folder with these programs of the page.
    pub fn folder(&self, name: &str, programs: &[&str]) -> PathBuf {
        let folder = self.home().join("programs").join(name);
        fs::create_dir_all(&folder).unwrap();
        for program in programs {
            page::write(program, &folder);
        }
        folder
    }

    /// A copy of a file beside this one.
    pub fn fixture(&self, folder: &Path, name: &str, copy: &str) {
        let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oauth_clients");
        fs::copy(fixtures.join(name), folder.join(copy)).unwrap();
    }

    /// Runs a command with the variables that the page names; what it printed.
    #[track_caller]
    pub fn run(&self, command: &mut Command) -> String {
        let certificate = self.house.certificate();
        command.env("ISSUER", &self.house.issuer);
        command.envs([("APP_ID", &self.application.id), ("SECRET", &self.application.secret)]);
        command.env("KEY", self.home().join("key.pem")).env("JWK", self.home().join("key.jwk"));
        command.env("REQUESTS_CA_BUNDLE", &certificate).env("NODE_EXTRA_CA_CERTS", &certificate);
        // Go's own downloads trust the system's authorities; a program that was built trusts this server.
        if !command.get_program().to_str().unwrap().ends_with("/go") {
            command.env("SSL_CERT_FILE", &certificate);
        }
        let output = command.output().unwrap_or_else(|error| panic!("install it: {command:?}: {error}"));
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let trouble = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{command:?}:\n{said}\n{trouble}");
        said
    }

    /// Runs a program that prints so many tokens, all of them active; the last one.
    #[track_caller]
    pub fn tokens(&self, program: &mut Command, count: usize) -> String {
        let said = self.run(program);
        let tokens: Vec<&str> = said.lines().collect();
        assert_eq!(tokens.len(), count, "{said}");
        tokens.iter().for_each(|token| self.is_active(token));
        tokens[count - 1].to_owned()
    }

    /// Runs a program that checks a token and prints the application's id.
    #[track_caller]
    pub fn checks(&self, program: &mut Command, token: &str) {
        assert_eq!(self.run(program.arg(token)).trim(), self.application.id);
    }

    #[track_caller]
    pub fn is_active(&self, token: &str) {
        let url = format!("http://{}/oauth2/introspect", self.house.server.private);
        let answer = self.run(Command::new("curl").args(["-sS", "-d", &format!("token={token}"), &url]));
        let answer: Value = serde_json::from_str(&answer).unwrap();
        assert_eq!(answer["active"], true, "{token}");
    }

    /// Java's arguments for a trust store with the server's certificate.
    pub fn trust_store(&self) -> [String; 2] {
        let store = self.home().join("trust.p12");
        if !store.exists() {
            let mut keytool = Command::new("keytool");
            keytool.args(["-importcert", "-noprompt", "-alias", "northgate", "-storetype", "PKCS12"]);
            keytool.args(["-storepass", "changeit", "-keystore"]).arg(&store);
            self.run(keytool.arg("-file").arg(self.house.certificate()));
        }
        let store = format!("-Djavax.net.ssl.trustStore={}", store.display());
        [store, "-Djavax.net.ssl.trustStorePassword=changeit".to_owned()]
    }

    pub fn maven(&self, folder: &Path, arguments: &[&str]) {
        packages::debian_package("default-jdk-headless", "/usr/bin/javac");
        packages::debian_package("maven", "/usr/bin/mvn");
        self.run(Command::new("mvn").args(["-q", "-B"]).args(arguments).current_dir(folder));
    }

    /// The application of the page, serving.
    pub fn quarkus(&self, jar: &Path) -> Quarkus {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut java = Command::new("java");
        java.arg(format!("-Dquarkus.http.port={port}")).arg("-jar").arg(jar);
        java.env("ISSUER", &self.house.issuer).env("CERTIFICATE", self.house.certificate());
        java.envs([("APP_ID", &self.application.id), ("SECRET", &self.application.secret)]);
        Quarkus { process: java.stdout(Stdio::null()).spawn().unwrap(), port }
    }
}

/// Go with its compiler.
pub fn go() -> PathBuf {
    let list = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oauth_clients/requirements.txt");
    venv("go", &list).with_file_name("go")
}

pub struct Quarkus {
    process: Child,
    port: u16,
}

impl Quarkus {
    /// The body of an answer, for as long as it takes the application to start.
    pub fn get(&mut self, path: &str, token: Option<&str>) -> String {
        let mut answer = None;
        wait_until(&format!("the application answers /{path}"), || {
            let mut curl = Command::new("curl");
            curl.args(["-sf", &format!("http://127.0.0.1:{}/{path}", self.port)]);
            if let Some(token) = token {
                curl.args(["-H", &format!("Authorization: Bearer {token}")]);
            }
            let output = curl.output().unwrap();
            answer = output.status.success().then_some(output.stdout);
            answer.is_some()
        });
        String::from_utf8(answer.unwrap()).unwrap()
    }

    pub fn stop(mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}
