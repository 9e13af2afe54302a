//! Laws of the ways to a database: sockets, passwords, certificates, and what is refused before anything is written.

use std::sync::{Arc, Mutex};

use northgate_core::clock::Timestamp;
use northgate_core::policy::Overrides;
use northgate_store::postgres::{ConnectError, Database, PostgresSettings, PostgresStore, Source, migrate};

use super::node::{Installation, until};
use northgate_testkit::postgres::{at, server};

async fn connect(installation: &Installation, url: &str) -> Result<PostgresStore, String> {
    let settings = PostgresSettings { database: at(url), ..installation.place.settings() };
    let connected = PostgresStore::connect(settings, Box::new(|| Timestamp::from_millis(0))).await;
    connected.map_err(|error| with_causes(&error))
}

pub fn with_causes(error: &dyn std::error::Error) -> String {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        line = format!("{line}: {error}");
        cause = error.source();
    }
    line
}

/// Over a Unix socket there was a TLS handshake without a server name: "invalid dns name".
#[tokio::test]
async fn a_unix_socket_is_reached_however_the_url_names_it() {
    let installation = Installation::new().await;
    let (directory, port) = (server().dir.to_str().unwrap(), server().port);
    let encoded = directory.replace('/', "%2F");
    let schema = format!("options=-c%20search_path%3Ds{}", installation.place.schema);
    for url in [
        format!("postgres://northgate@{encoded}:{port}/postgres?{schema}"),
        format!("postgres:///postgres?user=northgate&host={directory}&port={port}&{schema}"),
        format!("postgres://northgate@/postgres?host={encoded}&port={port}&sslmode=require&{schema}"),
    ] {
        connect(&installation, &url).await.unwrap();
    }
}

/// `group` is created with the first role in it.
async fn create_role(installation: &Installation, name: &str, more: &str) {
    let schema = installation.place.schema;
    let create = format!(
        "DO $$ BEGIN CREATE ROLE with_password; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$;
         CREATE ROLE {name} LOGIN {more}; GRANT USAGE ON SCHEMA s{schema} TO {name};
         GRANT ALL ON ALL TABLES IN SCHEMA s{schema} TO {name};
         GRANT ALL ON ALL SEQUENCES IN SCHEMA s{schema} TO {name}"
    );
    installation.database().await.batch_execute(&create).await.unwrap();
}

/// The default URL of a large hosted PostgreSQL ends so.
#[tokio::test]
async fn a_password_can_be_bound_to_the_channel() {
    let installation = Installation::new().await;
    create_role(&installation, "bound", "PASSWORD 'p@ss/w#r?d%' IN ROLE with_password").await;
    let url = |password: &str, parameters: &str| {
        let url = installation.place.url_as(&format!("bound:{password}")).replace("127.0.0.1", "localhost");
        url.replace("sslmode=disable", parameters)
    };
    let password = "p%40ss%2Fw%23r%3Fd%25";
    connect(&installation, &url(password, "sslmode=require&channel_binding=require")).await.unwrap();
    connect(&installation, &url(password, "sslmode=require")).await.unwrap();
    let told = connect(&installation, &url(password, "sslmode=disable&channel_binding=require"))
        .await
        .err()
        .unwrap();
    assert!(told.contains("channel binding"), "{told}");
    let told = connect(&installation, &url("wrong", "sslmode=require")).await.err().unwrap();
    assert!(told.contains("password authentication failed") && told.contains("SQLSTATE 28P01"), "{told}");
}

#[tokio::test]
async fn a_client_certificate_is_shown_and_its_key_must_be_private() {
    use std::os::unix::fs::PermissionsExt;
    let installation = Installation::new().await;
    create_role(&installation, "with_certificate", "").await;
    let dir = tempfile::tempdir().unwrap();
    for file in ["client.crt", "client.key"] {
        std::fs::copy(server().dir.join(file), dir.path().join(file)).unwrap();
    }
    let [chain, key] =
        ["client.crt", "client.key"].map(|file| dir.path().join(file).to_str().unwrap().to_owned());
    let url = installation.place.url_as("with_certificate").replace("127.0.0.1", "localhost");
    let with = url.replace("sslmode=disable", &format!("sslmode=require&sslcert={chain}&sslkey={key}"));
    connect(&installation, &with).await.unwrap();
    let told = connect(&installation, &url.replace("disable", "require")).await.err().unwrap();
    assert!(told.contains("certificate"), "{told}");
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
    let told = Database::parse(&with, None).err().unwrap().to_string();
    assert!(told.contains("chmod 600"), "{told}");
}

#[tokio::test]
async fn verify_ca_checks_the_authority_and_verify_full_the_name_as_well() {
    let installation = Installation::new().await;
    let root = server().certificate.to_str().unwrap();
    // The certificate is for another name than this address.
    let url = |mode: &str| {
        installation.place.url().replace("sslmode=disable", &format!("sslmode={mode}&sslrootcert={root}"))
    };
    connect(&installation, &url("verify-ca")).await.unwrap();
    let told = connect(&installation, &url("verify-full")).await.err().unwrap();
    assert!(told.contains("not valid for name"), "{told}");
    let dir = tempfile::tempdir().unwrap();
    let other = dir.path().join("other.crt");
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    std::fs::write(&other, made.cert.pem()).unwrap();
    let told =
        connect(&installation, &url("verify-ca").replace(root, other.to_str().unwrap())).await.err().unwrap();
    assert!(told.contains("certificate"), "{told}");
}

/// A rotated password needed a restart of every node.
#[tokio::test]
async fn a_rotated_password_is_taken_up_with_the_next_connection() {
    let installation = Installation::new().await;
    create_role(&installation, "rotated", "PASSWORD 'old' IN ROLE with_password").await;
    let url = |password: &str| installation.place.url_as(&format!("rotated:{password}"));
    let file = Arc::new(Mutex::new(url("old")));
    let read = Arc::clone(&file);
    let database = Source::read_by(move || Database::parse(&read.lock().unwrap(), None)).unwrap();
    let node = installation.node_with(PostgresSettings { database, ..installation.place.settings() }).await;
    let app = node.customer("app", Overrides::default()).await;
    let database = installation.database().await;
    let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'rotated'";
    database.batch_execute(&format!("ALTER ROLE rotated PASSWORD 'new'; {cut}")).await.unwrap();
    until(|| node.store.why_not_ready().is_some_and(|reason| reason.contains("28P01"))).await;
    // Half of a file that is just being written is not taken up.
    *file.lock().unwrap() = "postgres://rot".to_owned();
    *file.lock().unwrap() = url("new");
    until(|| node.store.why_not_ready().is_none()).await;
    node.login(&app).await;
}

#[tokio::test]
async fn a_database_that_is_not_utf8_is_refused_and_left_as_it_is() {
    let place = server().place().await;
    let database = server().client(&place.url()).await;
    for (name, encoding) in [("latin", "LATIN1"), ("none", "SQL_ASCII")] {
        let create = format!("CREATE DATABASE {name} ENCODING '{encoding}' LOCALE 'C' TEMPLATE template0");
        database.batch_execute(&create).await.unwrap();
        let url = format!("postgres://northgate@127.0.0.1:{}/{name}?sslmode=disable", place.port);
        let migrated = migrate(&PostgresSettings { database: at(&url), ..place.settings() }).await;
        assert!(
            matches!(&migrated, Err(ConnectError::Encoding { found }) if found == encoding),
            "{migrated:?}"
        );
        let tables = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'";
        let tables: i64 = server().client(&url).await.query_one(tables, &[]).await.unwrap().get(0);
        assert_eq!(tables, 0);
    }
}
