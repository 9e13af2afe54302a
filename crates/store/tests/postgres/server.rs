//! A real PostgreSQL for the tests of one binary: started with the first of them, gone with the process however that ends.

#[path = "installed.rs"]
pub mod installed;
#[path = "ports.rs"]
pub mod ports;

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use northgate_store::postgres::{Database, PostgresSettings};

use installed::{as_nobody_special, programs};
use ports::free_port;

/// Runs the server until its standard input ends, which happens with the process that holds the other end. Nothing in it
/// must outlive the tests, so that it need not be synced to the disk.
const RUN: &str = r#"
    trap '' INT
    "$1/initdb" -D "$2/data" -U northgate -A trust -E UTF8 --locale=C --no-sync >"$2/log" 2>&1 || exit 1
    "$1/postgres" -D "$2/data" -p "$3" -c listen_addresses=127.0.0.1 -c unix_socket_directories="$2" \
        -c ssl=on -c ssl_cert_file="$2/server.crt" -c ssl_key_file="$2/server.key" \
        -c fsync=off -c full_page_writes=off -c max_connections=400 -c shared_buffers=64MB >>"$2/log" 2>&1 &
    cat >/dev/null
    kill -QUIT $!
    wait
    rm -rf "$2"
"#;

/// How long a server may take to come up on a machine that does many things at once.
const START: Duration = Duration::from_secs(120);

pub struct Server {
    pub port: u16,
    /// The certificate of its TLS, for `localhost`, in PEM.
    pub certificate: PathBuf,
    // The server lives as long as this end of its input.
    _process: Child,
}

/// The server of this process.
pub fn server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(start)
}

fn start() -> Server {
    let programs = programs();
    let dir = std::env::temp_dir().join(format!("northgate-postgres-{}", std::process::id()));
    std::fs::create_dir(&dir).unwrap();
    let certificate = make_certificate(&dir);
    let port = free_port();
    let mut command = as_nobody_special(&dir);
    command.args(["sh", "-c", RUN, "sh"]).arg(&programs).arg(&dir).arg(port.to_string());
    let process = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    let began = Instant::now();
    let mut is_ready = Command::new(programs.join("pg_isready"));
    is_ready.args(["-q", "-h", "127.0.0.1", "-U", "northgate", "-d", "postgres", "-p"]).arg(port.to_string());
    while !is_ready.status().unwrap().success() {
        let log = || std::fs::read_to_string(dir.join("log")).unwrap_or_default();
        assert!(began.elapsed() < START, "PostgreSQL did not start: {}", log());
        std::thread::sleep(Duration::from_millis(20));
    }
    Server { port, certificate, _process: process }
}

fn make_certificate(dir: &Path) -> PathBuf {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let (certificate, key) = (dir.join("server.crt"), dir.join("server.key"));
    std::fs::write(&certificate, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    std::fs::set_permissions(&key, Permissions::from_mode(0o600)).unwrap();
    certificate
}

impl Server {
    /// Statements on the server beside any store.
    pub async fn client(&self, url: &str) -> tokio_postgres::Client {
        let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await.unwrap();
        tokio::spawn(connection);
        client
    }

    /// An empty place for one world: a schema of its own.
    pub async fn place(&self) -> Place {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let place = Place { port: self.port, schema: NEXT.fetch_add(1, Ordering::Relaxed) };
        let create = format!("CREATE SCHEMA s{}", place.schema);
        self.client(&place.url()).await.batch_execute(&create).await.unwrap();
        place
    }
}

/// Where one world lives on the server.
#[derive(Clone, Copy)]
pub struct Place {
    pub port: u16,
    schema: u32,
}

impl Place {
    pub fn url(&self) -> String {
        let Place { port, schema } = self;
        format!(
            "postgres://northgate@127.0.0.1:{port}/postgres?sslmode=disable&options=-c%20search_path%3Ds{schema}"
        )
    }

    pub fn settings(&self) -> PostgresSettings {
        PostgresSettings {
            database: Database::parse(&self.url(), None).unwrap(),
            lanes: 2,
            login_lanes: 1,
            queue_bound: 4_096,
            connect_timeout: Duration::from_secs(30),
            statement_timeout: Duration::from_secs(30),
            lock_timeout: Duration::from_secs(10),
            answer_within: Duration::from_secs(60),
            poll_every: Duration::from_millis(50),
            behind_after: Duration::from_secs(1),
            notify: true,
            steady_for: Duration::from_secs(3_600),
        }
    }
}
