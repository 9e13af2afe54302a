//! A rolling upgrade of three nodes under load, from the previous release to this version and back.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use northgate_testkit::application::Application;
use northgate_testkit::eventually;
use northgate_testkit::northgate::Northgate;
use northgate_testkit::program;

use crate::installation::{Installation, place};

/// Clients, each with a grant of its own.
const CLIENTS: usize = 4;
/// Refreshes of all clients between two steps of the upgrade.
const REFRESHES: usize = 5 * CLIENTS;

/// The program of the previous release; without it the one under test, which shows the procedure but no other format.
fn previous_release() -> PathBuf {
    // A test has no configuration to take it from.
    #[allow(clippy::disallowed_methods)]
    let given = std::env::var_os("NORTHGATE_PREVIOUS_RELEASE");
    given.map_or_else(|| program().into(), PathBuf::from)
}

/// Clients that refresh at any node that runs.
#[derive(Clone, Default)]
struct Load {
    /// The application by way of each node; `None` while the node is replaced.
    nodes: Arc<Mutex<Vec<Option<Arc<Application>>>>>,
    refreshes: Arc<AtomicUsize>,
    is_over: Arc<AtomicBool>,
}

impl Load {
    /// One client: every refresh is answered with the next token, at whichever node. A refresh whose answer was lost is repeated.
    async fn client(self, number: usize) {
        let mut token: Option<String> = None;
        let mut turn = number;
        while !self.is_over.load(Ordering::Relaxed) {
            turn += 1;
            let node = {
                let nodes = self.nodes.lock().unwrap();
                nodes[turn % nodes.len()].clone()
            };
            let Some(node) = node else { continue };
            let Some(answer) = node.attempt(token.as_deref()).await else { continue };
            assert_eq!(answer.status, 200, "client {number}, {token:?}: {answer:?}");
            token = Some(answer.member("refreshToken"));
            self.refreshes.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Waits until the clients have refreshed so often from now on.
    async fn goes_on(&self, step: &str) {
        let from = self.refreshes.load(Ordering::Relaxed);
        eventually(step, async || self.refreshes.load(Ordering::Relaxed) >= from + REFRESHES).await;
    }
}

struct Upgrade {
    installation: Installation,
    application: (String, String),
    load: Load,
}

impl Upgrade {
    fn offer(&self, node: usize) {
        let (app_id, secret) = &self.application;
        let application = Application::new(&self.installation.nodes[node], app_id, secret);
        self.load.nodes.lock().unwrap()[node] = Some(Arc::new(application));
    }

    /// Stops one node after the other, and starts `program` in its place.
    async fn replace_all_by(&mut self, program: &Path, step: &str) {
        for node in 0..self.installation.nodes.len() {
            self.load.nodes.lock().unwrap()[node] = None;
            let (home, status) = self.installation.nodes.remove(node).end("-TERM");
            assert!(status.success(), "{status}");
            let settings = [("NORTHGATE_DATABASE_URL", self.installation.url.as_str())];
            self.installation.nodes.insert(node, Northgate::start_of(program, home, &settings));
            self.offer(node);
            self.load.goes_on(&format!("{step}, node {node}")).await;
        }
    }
}

/// Migrates the database with `program`.
fn migrate(program: &Path, url: &str) {
    let output =
        std::process::Command::new(program).arg("migrate").env("NORTHGATE_DATABASE_URL", url).output();
    let output = output.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_nodes_are_upgraded_one_after_the_other_under_load_and_go_back() {
    let (previous, present) = (previous_release(), PathBuf::from(program()));
    let url = place().await.url();
    migrate(&previous, &url);
    let mut installation = Installation { url: url.clone(), nodes: Vec::new() };
    for _ in 0..3 {
        let home = installation.home();
        installation.nodes.push(Northgate::start_of(&previous, home, &[("NORTHGATE_DATABASE_URL", &url)]));
    }
    let application = Application::created(&installation.nodes[0], "Under load");
    let application = (application.app_id, application.secret);
    let load = Load::default();
    load.nodes.lock().unwrap().resize(3, None);
    let mut upgrade = Upgrade { installation, application, load: load.clone() };
    (0..3).for_each(|node| upgrade.offer(node));
    // The other nodes see the new application within a second.
    for node in 0..3 {
        let application = load.nodes.lock().unwrap()[node].clone().unwrap();
        eventually("known to all nodes", async || application.login().await.status == 200).await;
    }
    let clients: Vec<_> = (0..CLIENTS).map(|number| tokio::spawn(load.clone().client(number))).collect();
    load.goes_on("the previous release").await;

    migrate(&present, &url);
    load.goes_on("the previous release over the migrated database").await;
    upgrade.replace_all_by(&present, "upgraded").await;
    upgrade.replace_all_by(&previous, "went back").await;

    load.is_over.store(true, Ordering::Relaxed);
    for client in clients {
        client.await.unwrap();
    }
}
