//! Two PostgreSQL servers, a primary and its standby, for the tests of switch-overs.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use tokio_postgres::{Client, NoTls};

use northgate_testkit::eventually;
use northgate_testkit::ports::free_port;
use northgate_testkit::postgres::programs::{as_nobody_special, programs};

/// Both run until the standard input ends. The standby is a copy of the files that `initdb` makes: no other program is needed.
const RUN: &str = r#"
    trap '' INT
    run() {
        "$1/postgres" -D "$2/data-$3" -p "$4" -c listen_addresses=127.0.0.1 -c unix_socket_directories="$2" \
            -c fsync=off -c hot_standby=on >>"$2/log-$3" 2>&1 &
    }
    "$1/initdb" -D "$2/data-0" -U northgate -A trust -E UTF8 --locale=C --no-sync >"$2/log-0" 2>&1 || exit 1
    cp -a "$2/data-0" "$2/data-1"
    touch "$2/data-1/standby.signal"
    printf "primary_conninfo = 'host=127.0.0.1 port=%s user=northgate'\n" "$3" >>"$2/data-1/postgresql.conf"
    run "$1" "$2" 0 "$3"
    first=$!
    run "$1" "$2" 1 "$4"
    second=$!
    cat >/dev/null
    kill -QUIT $first $second
    wait
    rm -rf "$2"
"#;

pub struct Pair {
    pub ports: [u16; 2],
    // The servers live as long as this end of its input.
    _process: Child,
}

impl Pair {
    /// When this returns, the second server follows the first.
    pub async fn start() -> Pair {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("northgate-pair-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let dir: PathBuf = std::env::temp_dir().join(name);
        std::fs::create_dir(&dir).unwrap();
        let ports = [free_port(), free_port()];
        let mut command: Command = as_nobody_special(&dir);
        command
            .args(["sh", "-c", RUN, "sh"])
            .arg(programs())
            .arg(&dir)
            .args(ports.map(|port| port.to_string()));
        let process = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        let pair = Pair { ports, _process: process };
        pair.until(0, "SELECT count(*) = 1 FROM pg_stat_replication WHERE state = 'streaming'").await;
        pair.until(1, "SELECT pg_is_in_recovery()").await;
        pair
    }

    /// Of both servers, in this order.
    pub fn url(&self, order: [usize; 2]) -> String {
        let [one, other] = order.map(|server| format!("127.0.0.1:{}", self.ports[server]));
        format!("postgres://northgate@{one},{other}/postgres?sslmode=disable&application_name=northgate")
    }

    pub async fn client(&self, server: usize) -> Option<Client> {
        let url = format!("postgres://northgate@127.0.0.1:{}/postgres", self.ports[server]);
        let (client, connection) = tokio_postgres::connect(&url, NoTls).await.ok()?;
        tokio::spawn(connection);
        Some(client)
    }

    /// Makes the second server a primary as well, which has all that the first one had.
    pub async fn promote(&self) {
        let first = self.client(0).await.unwrap();
        let at: String = first.query_one("SELECT pg_current_wal_lsn()::text", &[]).await.unwrap().get(0);
        self.until(1, &format!("SELECT pg_last_wal_replay_lsn() >= '{at}'::pg_lsn")).await;
        self.until(1, "SELECT pg_promote(true, 100)").await;
    }

    /// Whether a server takes writes, also on the connections that are open; none is closed.
    pub async fn set_read_only(&self, server: usize, is_read_only: bool) {
        let client = self.client(server).await.unwrap();
        let state = if is_read_only { "on" } else { "off" };
        client
            .batch_execute(&format!("ALTER SYSTEM SET default_transaction_read_only = {state}"))
            .await
            .unwrap();
        client.batch_execute("SELECT pg_reload_conf()").await.unwrap();
        self.until(server, &format!("SELECT current_setting('transaction_read_only') = '{state}'")).await;
    }

    /// Whether the commits of the first server wait for the second one.
    pub async fn set_synchronous(&self, is_synchronous: bool) {
        let client = self.client(0).await.unwrap();
        let (names, state) = if is_synchronous { ("'*'", "sync") } else { ("''", "async") };
        client.batch_execute(&format!("ALTER SYSTEM SET synchronous_standby_names = {names}")).await.unwrap();
        client.batch_execute("SELECT pg_reload_conf()").await.unwrap();
        let is_so = format!(
            "SELECT coalesce(every(sync_state = '{state}'), {}) FROM pg_stat_replication",
            !is_synchronous
        );
        self.until(0, &is_so).await;
    }

    /// How many connections of nodes a server has.
    pub async fn connections(&self, server: usize) -> i64 {
        let count = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'northgate'";
        self.client(server).await.unwrap().query_one(count, &[]).await.unwrap().get(0)
    }

    pub async fn until(&self, server: usize, question: &str) {
        let is_so = async || match self.client(server).await {
            Some(client) => client.query_one(question, &[]).await.is_ok_and(|row| row.get(0)),
            None => false,
        };
        eventually(question, is_so).await;
    }
}
