//! A headless Chromium, driven over WebDriver (W3C).

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use northgate_testkit::eventually;
use northgate_testkit::packages::debian_package;
use serde_json::{Value, json};

/// The member of an element reference (WebDriver §12.1).
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

pub struct Browser {
    driver: Child,
    http: reqwest::Client,
    session: String,
}

impl Browser {
    pub async fn open() -> Browser {
        debian_package("chromium", "/usr/bin/chromium");
        debian_package("chromium-driver", "/usr/bin/chromedriver");
        let mut command = Command::new("/usr/bin/chromedriver");
        let mut driver =
            command.arg("--port=0").stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut lines = BufReader::new(driver.stdout.take().unwrap()).lines().map(Result::unwrap);
        let started = lines.find(|line| line.contains("started successfully on port")).unwrap();
        let port = started.trim_end_matches('.').rsplit(' ').next().unwrap().to_owned();
        // Its later lines need a reader.
        std::thread::spawn(move || lines.for_each(drop));
        // The client has TLS that is not used here, and wants a provider for it.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let http = reqwest::Client::new();
        let arguments = [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--window-size=1100,900",
        ];
        let wanted =
            json!({ "capabilities": { "alwaysMatch": { "goog:chromeOptions": { "args": arguments } } } });
        let url = format!("http://127.0.0.1:{port}/session");
        let answer = http.post(&url).body(wanted.to_string()).send().await.unwrap().text().await.unwrap();
        let answer: Value = serde_json::from_str(&answer).unwrap();
        let session = answer["value"]["sessionId"].as_str().unwrap_or_else(|| panic!("{answer}"));
        Browser { driver, session: format!("{url}/{session}"), http }
    }

    pub async fn go(&self, url: &str) {
        self.post("url", json!({ "url": url })).await;
    }

    /// The value of a script's `return`.
    pub async fn run(&self, script: &str) -> Value {
        self.post("execute/sync", json!({ "script": script, "args": [] })).await
    }

    pub async fn text(&self) -> String {
        self.run("return document.body.innerText").await.as_str().unwrap().to_owned()
    }

    /// The text of the first element that matches.
    pub async fn text_of(&self, css: &str) -> String {
        self.run(&format!("return document.querySelector({}).textContent", json!(css)))
            .await
            .as_str()
            .unwrap()
            .to_owned()
    }

    pub async fn path(&self) -> String {
        self.run("return location.pathname + location.search").await.as_str().unwrap().to_owned()
    }

    pub async fn type_into(&self, css: &str, text: &str) {
        let element = self.find(css).await;
        self.post(&format!("element/{element}/value"), json!({ "text": text })).await;
    }

    /// Clicks a control that leads to another page, and waits for that page: WebDriver may answer before it comes.
    pub async fn click(&self, css: &str) {
        self.run("window.isBefore = true").await;
        let element = self.find(css).await;
        self.post(&format!("element/{element}/click"), json!({})).await;
        let script =
            json!({ "script": "return !window.isBefore && document.readyState === 'complete'", "args": [] });
        eventually("another page comes after a click", async || {
            // Between two pages the driver answers with an error.
            self.ask("execute/sync", &script).await == Ok(Value::Bool(true))
        })
        .await;
    }

    pub async fn forget_cookies(&self) {
        let answer = self.http.delete(format!("{}/cookie", self.session)).send().await.unwrap();
        assert!(answer.status().is_success());
    }

    pub async fn save_picture(&self, path: &Path) {
        let picture = self.get("screenshot").await;
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, STANDARD.decode(picture.as_str().unwrap()).unwrap()).unwrap();
    }

    async fn find(&self, css: &str) -> String {
        let found = self.post("element", json!({ "using": "css selector", "value": css })).await;
        found[ELEMENT].as_str().unwrap().to_owned()
    }

    async fn get(&self, what: &str) -> Value {
        value(self.http.get(format!("{}/{what}", self.session)).send().await.unwrap()).await.unwrap()
    }

    async fn post(&self, what: &str, body: Value) -> Value {
        self.ask(what, &body).await.unwrap_or_else(|error| panic!("{what}: {error}"))
    }

    /// The value that the driver answers, or its error.
    async fn ask(&self, what: &str, body: &Value) -> Result<Value, String> {
        let request = self.http.post(format!("{}/{what}", self.session)).body(body.to_string());
        value(request.send().await.unwrap()).await
    }
}

async fn value(answer: reqwest::Response) -> Result<Value, String> {
    let is_ok = answer.status().is_success();
    let text = answer.text().await.unwrap();
    match is_ok {
        true => Ok(serde_json::from_str::<Value>(&text).unwrap()["value"].take()),
        false => Err(text),
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Chromium ends with its session; the driver's end closes it.
        let _ = Command::new("curl").args(["-sS", "-X", "DELETE", &self.session]).output();
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}
