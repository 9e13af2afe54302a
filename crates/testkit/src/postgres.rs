//! A real PostgreSQL for the tests of one binary: started with the first of them, gone with the process however that ends.

pub mod programs;

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use northgate_store::postgres::{Database, PostgresSettings, Source};

use crate::ports::free_port;
use programs::{as_nobody_special, debian_programs, programs};

/// Runs the server until its standard input ends, which happens with the process that holds the other end. Nothing in it
/// must outlive the tests, so that it need not be synced to the disk.
const RUN: &str = r#"
    trap '' INT
    "$1/initdb" -D "$2/data" -U northgate -A trust -E UTF8 --locale=C --no-sync >"$2/log" 2>&1 || exit 1
    printf '%s\n' "host all +with_password 127.0.0.1/32 scram-sha-256" "hostssl all with_certificate 127.0.0.1/32 cert" \
        "local all all trust" "host all all 127.0.0.1/32 trust" >"$2/data/pg_hba.conf"
    "$1/postgres" -D "$2/data" -p "$3" -c listen_addresses=127.0.0.1 -c unix_socket_directories="$2" \
        -c ssl=on -c ssl_cert_file="$2/server.crt" -c ssl_key_file="$2/server.key" -c ssl_ca_file="$2/clients.crt" \
        -c fsync=off -c full_page_writes=off -c password_encryption=scram-sha-256 -c max_connections=400 -c shared_buffers=64MB >>"$2/log" 2>&1 &
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
    /// Its socket, and `client.crt` with `client.key` of the role `with_certificate`.
    pub dir: PathBuf,
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
    let mut is_ready = Command::new(debian_programs().join("pg_isready"));
    is_ready.args(["-q", "-h", "127.0.0.1", "-U", "northgate", "-d", "postgres", "-p"]).arg(port.to_string());
    while !is_ready.status().unwrap().success() {
        let log = || std::fs::read_to_string(dir.join("log")).unwrap_or_default();
        assert!(began.elapsed() < START, "PostgreSQL did not start: {}", log());
        // Not `wait_until`: a failure shows the server's log.
        std::thread::sleep(Duration::from_millis(20));
    }
    Server { port, certificate, dir, _process: process }
}

fn make_certificate(dir: &Path) -> PathBuf {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let (certificate, key) = (dir.join("server.crt"), dir.join("server.key"));
    std::fs::write(&certificate, made.cert.pem()).unwrap();
    write_private(&key, &made.signing_key.serialize_pem());
    make_client_certificate(dir);
    certificate
}

/// An authority that the server trusts, and a certificate of it for one role.
fn make_client_certificate(dir: &Path) {
    let mut authority = rcgen::CertificateParams::new(vec!["clients".to_owned()]).unwrap();
    authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let authority_key = rcgen::KeyPair::generate().unwrap();
    let certificate = authority.self_signed(&authority_key).unwrap();
    std::fs::write(dir.join("clients.crt"), certificate.pem()).unwrap();
    let mut client = rcgen::CertificateParams::new(vec!["client".to_owned()]).unwrap();
    client.distinguished_name = rcgen::DistinguishedName::new();
    client.distinguished_name.push(rcgen::DnType::CommonName, "with_certificate");
    let key = rcgen::KeyPair::generate().unwrap();
    let client = client.signed_by(&key, &rcgen::Issuer::new(authority, authority_key)).unwrap();
    std::fs::write(dir.join("client.crt"), client.pem()).unwrap();
    write_private(&dir.join("client.key"), &key.serialize_pem());
}

fn write_private(path: &Path, text: &str) {
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, Permissions::from_mode(0o600)).unwrap();
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
        let place =
            Place { port: self.port, schema: NEXT.fetch_add(1, Ordering::Relaxed), is_of_a_role: false };
        let create = format!("CREATE SCHEMA s{}", place.schema);
        self.client(&place.url()).await.batch_execute(&create).await.unwrap();
        place
    }

    /// The same with an owner of its own, `role_N`, who is no superuser.
    pub async fn place_of_a_role(&self) -> Place {
        let place = self.place().await;
        let role = place.role();
        let create = format!(
            "CREATE ROLE {role} LOGIN; ALTER SCHEMA s{} OWNER TO {role}; GRANT {role} TO northgate",
            place.schema
        );
        self.client(&place.url()).await.batch_execute(&create).await.unwrap();
        Place { is_of_a_role: true, ..place }
    }
}

/// Where one world lives on the server.
#[derive(Clone, Copy)]
pub struct Place {
    pub port: u16,
    pub schema: u32,
    is_of_a_role: bool,
}

impl Place {
    pub fn role(&self) -> String {
        format!("role_{}", self.schema)
    }

    /// As the superuser.
    pub fn url(&self) -> String {
        self.url_as("northgate")
    }

    /// As a role with its password.
    pub fn url_as(&self, credentials: &str) -> String {
        let Place { port, schema, .. } = self;
        format!(
            "postgres://{credentials}@127.0.0.1:{port}/postgres?sslmode=disable&options=-c%20search_path%3Ds{schema}"
        )
    }

    pub fn settings(&self) -> PostgresSettings {
        PostgresSettings {
            database: at(&self.url_as(&if self.is_of_a_role { self.role() } else { "northgate".to_owned() })),
            writers: 2,
            login_writers: 1,
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

/// The database of a URL.
pub fn at(url: &str) -> Source {
    let url = url.to_owned();
    Source::read_by(move || Database::parse(&url, None)).unwrap()
}
