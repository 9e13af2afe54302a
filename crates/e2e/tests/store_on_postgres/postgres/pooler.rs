//! Laws of PgBouncer between a node and the database: sessions are pooled, and anything less is refused with a sentence.

use std::process::{Child, Stdio};

use northgate_core::policy::Overrides;
use northgate_store::postgres::{ConnectError, PostgresSettings, PostgresStore};

use super::node::{Installation, NOW};
use northgate_testkit::eventually;
use northgate_testkit::packages;
use northgate_testkit::ports::free_port;
use northgate_testkit::postgres::programs::as_nobody_special;
use northgate_testkit::postgres::{at, server};

struct PgBouncer {
    port: u16,
    process: Child,
    _dir: tempfile::TempDir,
}

impl PgBouncer {
    async fn start(mode: &str, pool_size: usize) -> PgBouncer {
        let program = packages::debian("pgbouncer");
        let (dir, port) = (tempfile::tempdir().unwrap(), free_port());
        let users = dir.path().join("users");
        let names: String = (0..1_000).map(|n| format!("\"role_{n}\" \"\"\n")).collect();
        std::fs::write(&users, names).unwrap();
        let users = users.display();
        let settings = format!(
            "[databases]\npostgres = host=127.0.0.1 port={} dbname=postgres\n[pgbouncer]\nlisten_addr = 127.0.0.1\n\
             listen_port = {port}\nunix_socket_dir =\nauth_type = trust\nauth_file = {users}\npool_mode = {mode}\ndefault_pool_size = {pool_size}\n\
             server_connect_timeout = 60\n",
            server().port
        );
        std::fs::write(dir.path().join("pgbouncer.ini"), settings).unwrap();
        let mut command = as_nobody_special(dir.path());
        command.arg(&program).arg("-q").arg(dir.path().join("pgbouncer.ini"));
        let process = command.stdin(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let is_there = async || tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_ok();
        eventually("PgBouncer accepts connections", is_there).await;
        PgBouncer { port, process, _dir: dir }
    }
}

impl Drop for PgBouncer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A database of its own: PgBouncer does not hand on which schema a connection wants.
async fn through(bouncer: &PgBouncer, installation: &Installation, name: &str) -> PostgresSettings {
    let create = format!("ALTER ROLE {name} SET search_path = s{}", installation.place.schema);
    installation.database().await.batch_execute(&create).await.unwrap();
    let url = format!("postgres://{name}@127.0.0.1:{}/postgres?sslmode=disable", bouncer.port);
    PostgresSettings { database: at(&url), ..installation.place.settings() }
}

#[tokio::test]
async fn a_pooler_of_sessions_works() {
    let installation = Installation::of_a_role().await;
    let bouncer = PgBouncer::start("session", 20).await;
    let settings = through(&bouncer, &installation, &installation.place.role()).await;
    let node = installation.node_with(settings).await;
    assert_eq!(node.store.why_not_ready(), None);
    let app = node.customer("app", Overrides::default()).await;
    let pair = node.login(&app).await;
    node.refresh(&app, &pair.refresh_token, NOW).await.unwrap();
}

/// It ran, and could not be started again: "prepared statement already exists".
#[tokio::test]
async fn a_pooler_of_transactions_or_statements_is_refused_at_the_first_start_and_at_each_later_one() {
    for (mode, pool_size) in [("transaction", 20), ("transaction", 1), ("transaction", 3), ("statement", 20)]
    {
        let installation = Installation::of_a_role().await;
        let bouncer = PgBouncer::start(mode, pool_size).await;
        let name = installation.place.role();
        for start in 1..=3 {
            let settings = through(&bouncer, &installation, &name).await;
            let refused = PostgresStore::connect(settings, Box::new(|| NOW)).await.err();
            let refused = refused.unwrap_or_else(|| panic!("{mode} {pool_size}: start {start} went on"));
            assert!(matches!(refused, ConnectError::Pooled), "{mode} {pool_size}: {refused:?}");
            assert!(refused.to_string().contains("pool_mode = session"));
        }
    }
}
