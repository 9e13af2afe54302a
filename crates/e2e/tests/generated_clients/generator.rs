//! OpenAPI Generator over the document, and a server for the clients that it makes.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use northgate_testkit::venv::venv;
use northgate_testkit::{cache, packages, repository};

use crate::house::{Application, House};
use crate::tools;

/// A folder with generated clients, and a server with an application for them.
pub struct Folder {
    house: House,
    application: Application,
}

impl Folder {
    pub fn new() -> Folder {
        let house = House::new(&[]);
        let application = house.application("generated", &[]);
        Folder { house, application }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.house.server.home.path().join(name)
    }

    /// Makes a client in the folder that is named as the generator.
    pub fn generate(&self, generator: &str, more: &[&str]) {
        let mut generate = Command::new("java");
        generate.arg("-jar").arg(jar()).args(["generate", "-g", generator, "-i"]);
        generate.arg(repository("docs/openapi.yaml")).arg("-o").arg(self.path(generator)).args(more);
        self.run(&mut generate);
    }

    #[track_caller]
    pub fn run(&self, command: &mut Command) -> String {
        output(command)
    }

    pub fn maven(&self, folder: &Path, arguments: &[&str]) {
        maven(folder, arguments);
    }

    /// Runs a program that prints two access tokens, which this server accepts.
    #[track_caller]
    pub fn logs_in_and_refreshes(&self, program: &mut Command) {
        program.env("ISSUER", &self.house.issuer).env("SSL_CERT_FILE", self.house.certificate());
        program.envs([("APP_ID", &self.application.id), ("SECRET", &self.application.secret)]);
        let said = output(program);
        let tokens: Vec<&str> = said.lines().collect();
        assert!(tokens.len() == 2 && tokens[0] != tokens[1], "{said}");
        let url = format!("http://{}/verify", self.house.server.private);
        for token in tokens {
            let mut verify = Command::new("curl");
            verify.args(["-sSf", "-H", &format!("app_key: {}", self.application.id)]);
            output(verify.args(["-H", &format!("Authorization: Bearer {token}"), &url]));
        }
    }

    /// Java's arguments for a trust store with the server's certificate.
    pub fn trust_store(&self) -> [String; 2] {
        let store = self.path("trust.p12");
        let mut keytool = Command::new("keytool");
        keytool.args(["-importcert", "-noprompt", "-alias", "northgate", "-storetype", "PKCS12"]);
        keytool.args(["-storepass", "changeit", "-keystore"]).arg(&store);
        output(keytool.arg("-file").arg(self.house.certificate()));
        let store = format!("-Djavax.net.ssl.trustStore={}", store.display());
        [store, "-Djavax.net.ssl.trustStorePassword=changeit".to_owned()]
    }
}

pub fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/generated_clients")
}

/// Python with a generator, and what the clients of both generators need.
pub fn python() -> PathBuf {
    venv("generated", &fixtures().join("requirements.txt"))
}

/// Go with its compiler.
pub fn go() -> PathBuf {
    python().with_file_name("go")
}

/// A program of the packages in `package-lock.json`.
pub fn npm_program(name: &str) -> Command {
    let home = cache().join("npm-generated");
    let turn = File::create(cache().join("npm.lock")).unwrap();
    turn.lock().unwrap();
    let lists = ["package.json", "package-lock.json"];
    let text = |name: &str| fs::read(fixtures().join(name)).unwrap();
    if lists.iter().any(|name| fs::read(home.join(name)).ok() != Some(text(name))) {
        let _ = fs::remove_dir_all(&home);
        fs::create_dir_all(&home).unwrap();
        fs::copy(fixtures().join(lists[0]), home.join(lists[0])).unwrap();
        fs::write(home.join(lists[1]), text(lists[1])).unwrap();
        let mut install = Command::new(tools::python().with_file_name("npm"));
        install.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]).current_dir(&home);
        // The last list is there when all is installed.
        let installed = install.output().unwrap();
        if !installed.status.success() {
            let _ = fs::remove_dir_all(&home);
            panic!("`npm ci` failed: {installed:?}");
        }
    }
    let mut program = Command::new(tools::node());
    program.arg(home.join("node_modules/.bin").join(name).canonicalize().unwrap());
    program
}

/// The generator, fetched once.
fn jar() -> PathBuf {
    packages::debian_package("default-jdk-headless", "/usr/bin/javac");
    packages::debian_package("maven", "/usr/bin/mvn");
    let folder = cache().join("openapi-generator");
    let turn = File::create(cache().join("openapi-generator.lock")).unwrap();
    turn.lock().unwrap();
    let jar = folder.join("openapi-generator-cli-7.17.0.jar");
    if !jar.exists() {
        fs::create_dir_all(&folder).unwrap();
        fs::copy(fixtures().join("pom.xml"), folder.join("pom.xml")).unwrap();
        maven(&folder, &["dependency:copy-dependencies", "-DoutputDirectory=."]);
    }
    jar
}

fn maven(folder: &Path, arguments: &[&str]) {
    output(Command::new("mvn").args(["-q", "-B"]).args(arguments).current_dir(folder));
}

#[track_caller]
fn output(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("install it: {command:?}: {error}"));
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let trouble = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}:\n{said}\n{trouble}");
    said
}
