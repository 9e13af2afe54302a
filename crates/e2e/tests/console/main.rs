//! Laws of the console in a real browser, over 100,000 applications. `SCREENSHOTS=1` renews the pictures of the documentation.

// A test that panics has said what is wrong; clippy knows that for test functions, not for what they lean on.
#![allow(clippy::unwrap_used)]

mod browser;

use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

use northgate_core::allow::Allow;
use northgate_core::app_id::AppId;
use northgate_core::application::State;
use northgate_core::policy::Overrides;
use northgate_core::secret::{Kept, Secret, SecretId, SecretText};
use northgate_core::store::{NewApplication, Store};
use northgate_server::clock::Clock;
use northgate_server::keys::keyring_file::KeyringFile;
use northgate_store::embedded::EmbeddedStore;
use northgate_testkit::northgate::Northgate;
use northgate_testkit::{cache, repository};
use serde_json::Value;
use tokio::task::JoinSet;

use browser::Browser;

const APPLICATIONS: usize = 100_000;

/// Applications created at once: they share commits.
const AT_ONCE: usize = 1_024;

const AXE: &str = "4.14.1";

/// A data directory with many applications.
async fn home() -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    let data = home.path().join("northgate-data");
    let clock = Box::new(|| Clock::System.now());
    let store = Arc::new(EmbeddedStore::open(&data, 8 * AT_ONCE, clock).unwrap());
    let now = Clock::System.now();
    let (_, keyring) = KeyringFile::open_or_create(&data.join("keyring.toml"), now, false).unwrap();
    let mut working = JoinSet::new();
    for number in 0..APPLICATIONS {
        if working.len() == AT_ONCE {
            working.join_next().await.unwrap().unwrap();
        }
        let id = AppId::parse(&format!("app-{number:06}")).unwrap();
        let kept = Kept::Digest(keyring.pepper().digest(&id, &SecretText::random()));
        let new = NewApplication {
            id,
            name: format!("Meters of town {number}"),
            owner: None,
            state: State::Active,
            overrides: Overrides::default(),
            allow: Allow::default(),
            created_at: now,
            secrets: [Arc::new(Secret::new(SecretId(1), "first".to_owned(), now, kept))]
                .into_iter()
                .collect(),
        };
        let store = Arc::clone(&store);
        working.spawn(async move { drop(store.create(new).await.unwrap()) });
    }
    working.join_all().await;
    home
}

/// The text of axe-core, fetched once.
fn axe() -> String {
    let home = cache().join(format!("axe-core-{AXE}"));
    let script = home.join("node_modules/axe-core/axe.min.js");
    if !script.exists() {
        std::fs::create_dir_all(&home).unwrap();
        let mut install = Command::new("npm");
        install.args(["install", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix"]).arg(&home);
        let done = install.arg(format!("axe-core@{AXE}")).output().unwrap();
        assert!(done.status.success(), "`npm install axe-core` failed: {done:?}");
    }
    std::fs::read_to_string(script).unwrap()
}

struct Console {
    server: Northgate,
    browser: Browser,
    axe: String,
}

impl Console {
    async fn go(&self, path: &str) {
        self.browser.go(&format!("http://{}{path}", self.server.private)).await;
    }

    /// That axe finds nothing on the page, in light and in dark.
    async fn is_accessible(&self) {
        self.browser.run(&self.axe).await;
        let found = "return axe.run().then(found => found.violations.map(one => one.id + ': ' + one.nodes.map(node => node.html).join(' ')))";
        for scheme in ["light", "dark"] {
            self.browser.run(&format!("document.documentElement.style.colorScheme = '{scheme}'")).await;
            let violations = self.browser.run(found).await;
            assert_eq!(violations, Value::Array(Vec::new()), "{scheme}: {}", self.browser.path().await);
        }
        self.browser.run("document.documentElement.style.colorScheme = ''").await;
    }

    /// That the page has this text.
    async fn says(&self, wanted: &str) {
        let text = self.browser.text().await;
        assert!(text.contains(wanted), "{wanted} is not in {}: {text}", self.browser.path().await);
    }

    /// Keeps a picture of the page.
    async fn picture(&self, name: &str) {
        let place: PathBuf = match std::env::var_os("SCREENSHOTS") {
            Some(_) => repository("docs/operating/pictures"),
            None => cache().join("pictures"),
        };
        self.browser.save_picture(&place.join(name)).await;
    }

    async fn sign_in(&self) {
        let token =
            std::fs::read_to_string(self.server.home.path().join("northgate-data/admin-token")).unwrap();
        self.go("/console/").await;
        self.is_accessible().await;
        self.browser.type_into("#token", token.trim()).await;
        self.browser.click("form button").await;
        assert_eq!(self.browser.path().await, "/console/");
    }

    async fn search(&self) {
        self.go("/console/applications").await;
        self.says(&format!("{APPLICATIONS} found, page 1 of")).await;
        self.is_accessible().await;
        self.picture("applications.png").await;
        // By the script, while typing.
        self.browser.type_into("#q", "town 99999").await;
        let script = "return new Promise(done => setInterval(() => document.body.innerText.includes('1 found') && done(location.search), 50))";
        let query = self.browser.run(script).await;
        assert!(query.as_str().unwrap().contains("q=town"), "{query}");
        self.says("app-099999").await;
        self.browser.click("tbody a").await;
        assert_eq!(self.browser.path().await, "/console/applications/app-099999");
        self.is_accessible().await;
    }

    async fn create(&self) {
        self.go("/console/new-application").await;
        self.is_accessible().await;
        self.browser.type_into("#name", "Weather station").await;
        self.browser.type_into("#app_id", "app-000001").await;
        self.browser.click("main form button").await;
        self.says("There is an application with this appId already.").await;
        assert_eq!(self.browser.run("return document.getElementById('name').value").await, "Weather station");
        self.browser.run("document.getElementById('app_id').value = 'weather'").await;
        self.browser.click("main form button").await;
        self.says("The secret is shown this once.").await;
        self.is_accessible().await;
        let curl = self.browser.text_of("#curl").await;
        let answer = self.server.output(Command::new("/bin/bash").args(["-c", &curl]));
        assert!(String::from_utf8_lossy(&answer.stdout).contains("accessToken"), "{curl}: {answer:?}");
    }

    async fn freeze(&self) {
        self.go("/console/applications/weather").await;
        self.browser.type_into("#reason", "unpaid").await;
        self.browser.click("form[action$='/freeze'] button").await;
        assert_eq!(self.browser.text_of("dd.frozen").await, "frozen");
        self.is_accessible().await;
        assert!(self.server.tell(&["app", "show", "weather"]).contains("frozen"));
    }

    async fn other_pages(&self) {
        for page in ["attention", "keys", "settings", ""] {
            self.go(&format!("/console/{page}")).await;
            self.is_accessible().await;
        }
        let drawn = self.browser.run("return document.querySelectorAll('.chart canvas').length").await;
        assert_eq!(drawn, 3);
        self.picture("overview.png").await;
    }

    async fn wrong_forms(&self) {
        self.go("/console/applications/app-000001").await;
        self.browser
            .run("document.querySelector(\"form[action$='/revoke'] input[name=csrf]\").value = 'wrong'")
            .await;
        self.browser.click("form[action$='/revoke'] button").await;
        self.says("The form does not belong to your session, and nothing was changed.").await;
        self.is_accessible().await;
        self.go("/console/applications/app-000001").await;
        self.browser.forget_cookies().await;
        self.browser.click("form[action$='/revoke'] button").await;
        self.says("Your session has ended, and nothing was changed.").await;
        assert!(!self.server.tell(&["app", "show", "app-000001", "--json"]).contains("tokensFrom"));
        self.go("/console/keys").await;
        assert_eq!(self.browser.path().await, "/console/sign-in?to=%2Fconsole%2Fkeys");
    }
}

#[tokio::test]
async fn an_operator_signs_in_searches_creates_freezes_and_is_refused_with_wrong_forms() {
    let home = home().await;
    let console =
        Console { server: Northgate::start_in(home, &[]), browser: Browser::open().await, axe: axe() };
    console.sign_in().await;
    console.search().await;
    console.create().await;
    console.freeze().await;
    console.other_pages().await;
    console.wrong_forms().await;
}
