//! Laws of TLS to the database: it follows the URL, and with a root certificate no other is trusted.

use std::path::Path;

use northgate_core::clock::Timestamp;
use northgate_store::postgres::{ConnectError, Database, PostgresSettings, PostgresStore, Source};

use super::node::Installation;
use northgate_testkit::postgres::server;

async fn connect(
    installation: &Installation,
    mode: &str,
    roots: Option<&Path>,
) -> Result<PostgresStore, ConnectError> {
    let url = installation.place.url().replace("127.0.0.1", "localhost");
    let url = url.replace("sslmode=disable", &format!("sslmode={mode}&application_name={mode}"));
    let roots = roots.map(Path::to_owned);
    let database = Source::read_by(move || Database::parse(&url, roots.as_deref())).unwrap();
    let settings = PostgresSettings { database, ..installation.place.settings() };
    PostgresStore::connect(settings, Box::new(|| Timestamp::from_millis(0))).await
}

#[tokio::test]
async fn a_connection_is_encrypted_as_the_url_says_and_the_certificate_checked_where_one_is_to_be_trusted() {
    let installation = Installation::new().await;
    let database = installation.database().await;
    for (mode, is_encrypted) in
        [("disable", false), ("prefer", true), ("require", true), ("verify-full", true)]
    {
        let roots = (mode == "verify-full").then_some(server().certificate.as_path());
        let _store = connect(&installation, mode, roots).await.unwrap();
        let encrypted = "SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)
                         WHERE application_name = $1";
        let row = database.query_one(encrypted, &[&mode]).await.unwrap();
        assert_eq!(row.get::<_, Option<bool>>(0), Some(is_encrypted), "{mode}");
    }
}

#[tokio::test]
async fn a_server_with_another_certificate_than_the_trusted_one_is_refused() {
    let installation = Installation::new().await;
    let dir = tempfile::tempdir().unwrap();
    let roots = dir.path().join("other.crt");
    let other = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    std::fs::write(&roots, other.cert.pem()).unwrap();
    for mode in ["verify-full", "require"] {
        let refused = connect(&installation, mode, Some(&roots)).await.err();
        assert!(matches!(refused, Some(ConnectError::Unreachable(_))), "{mode}");
    }
}
