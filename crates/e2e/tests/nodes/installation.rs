//! An installation: a database, and nodes that share it.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Output;
use std::time::Instant;

use tempfile::TempDir;

use northgate_testkit::application::Application;
use northgate_testkit::eventually;
use northgate_testkit::northgate::{Northgate, northgate};
use northgate_testkit::postgres::{Place, server};

pub struct Installation {
    pub url: String,
    pub nodes: Vec<Northgate>,
}

impl Installation {
    /// A migrated database with so many nodes, of which the first made the key of the keyring.
    pub async fn of(nodes: usize) -> Installation {
        let url = migrated().await;
        let mut installation = Installation { url, nodes: Vec::new() };
        for _ in 0..nodes {
            let home = installation.home();
            installation.add(home);
        }
        installation
    }

    /// Where another node can start.
    pub fn home(&self) -> TempDir {
        let home = tempfile::tempdir().unwrap();
        if let Some(first) = self.nodes.first() {
            fs::create_dir(home.path().join("northgate-data")).unwrap();
            fs::copy(key(first.home.path()), key(home.path())).unwrap();
        }
        home
    }

    pub fn add(&mut self, home: TempDir) {
        self.nodes.push(Northgate::start_in(home, &[("NORTHGATE_DATABASE_URL", &self.url)]));
    }

    /// The application `demo`, by way of each node.
    pub fn demo(&self) -> Vec<Application> {
        let demo = Application::demo(&self.nodes[0]);
        self.everywhere(&demo)
    }

    /// An application by way of each node.
    pub fn everywhere(&self, application: &Application) -> Vec<Application> {
        let by = |node| Application::new(node, &application.app_id, &application.secret);
        self.nodes.iter().map(by).collect()
    }
}

/// An empty place for an installation.
pub async fn place() -> Place {
    // A server that has to be installed and started first delays no other test.
    tokio::task::spawn_blocking(server).await.unwrap().place().await
}

/// The URL of a database that is set up.
pub async fn migrated() -> String {
    let url = place().await.url();
    let home = tempfile::tempdir().unwrap();
    let output = command(home.path(), &url, &["migrate"]);
    assert!(output.status.success(), "{output:?}");
    url
}

/// Runs the program beside the nodes.
pub fn command(home: &Path, url: &str, arguments: &[&str]) -> Output {
    northgate(home).args(arguments).env("NORTHGATE_DATABASE_URL", url).output().unwrap()
}

/// What a command said that must not succeed.
pub fn refusal(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// The file with the key of the keyring.
pub fn key(home: &Path) -> std::path::PathBuf {
    home.join("northgate-data/keyring.key")
}

/// Waits until it holds, and says how long that took.
pub async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let began = Instant::now();
    eventually(what, &mut holds).await;
    let took = format!("{what}: after {} ms\n", began.elapsed().as_millis());
    std::io::stderr().write_all(took.as_bytes()).unwrap();
}
