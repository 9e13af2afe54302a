//! Laws of database URLs and of the errors about them.

use super::*;

fn parsed(url: &str) -> Result<Vec<Config>, String> {
    Database::parse(url, None).map(|database| database.hosts).map_err(|error| error.to_string())
}

fn refusal(url: &str) -> String {
    parsed(url).expect_err("a URL that is refused")
}

fn mode(url: &str) -> SslMode {
    parsed(url).expect("a URL")[0].get_ssl_mode()
}

#[test]
fn tls_is_as_the_url_says() {
    assert_eq!(mode("postgres://u@h/d"), SslMode::Prefer);
    assert_eq!(mode("postgres://u@h/d?sslmode=disable&connect_timeout=3"), SslMode::Disable);
    assert_eq!(mode("postgresql://u@h,i/d?connect_timeout=3&sslmode=require"), SslMode::Require);
    for needs in ["verify-ca", "verify-full"] {
        let told = refusal(&format!("postgres://u@h/d?sslmode={needs}"));
        assert!(told.contains(needs) && told.contains("sslrootcert=system"), "{told}");
    }
    let told = refusal("postgres://u@h/d?sslmode=allow");
    assert!(told.contains("write prefer or require"), "{told}");
    assert!(refusal("postgres://u@h/d?sslcert=/c").contains("both sslcert and sslkey"));
    assert_eq!(mode("postgres://u@h/d?sslrootcert=system&sslmode=verify-full"), SslMode::Require);
}

/// The default URL of a large hosted PostgreSQL.
#[test]
fn channel_binding_is_as_the_url_says() {
    use tokio_postgres::config::ChannelBinding;
    let hosts = parsed("postgres://u:p@h/d?sslmode=require&channel_binding=require").expect("a URL");
    assert_eq!(hosts[0].get_channel_binding(), ChannelBinding::Require);
}

#[test]
fn each_host_has_its_own_name_and_port_however_the_url_spells_them() {
    let places = |url: &str| -> Vec<(Host, u16)> {
        let hosts = parsed(url).expect(url);
        hosts
            .iter()
            .map(|host| (host.get_hosts()[0].clone(), host.get_ports().first().copied().unwrap_or(5432)))
            .collect()
    };
    let tcp = |name: &str, port| (Host::Tcp(name.to_owned()), port);
    let unix = |path: &str, port| (Host::Unix(PathBuf::from(path)), port);
    assert_eq!(places("postgres://u@a:1,b/d"), [tcp("a", 1), tcp("b", 5432)]);
    assert_eq!(places("postgres://u@a,[::1]:7/d?port=6432"), [tcp("a", 6432), tcp("::1", 7)]);
    assert_eq!(places("postgres://u@/d?host=a,b&port=1,2"), [tcp("a", 1), tcp("b", 2)]);
    let socket = "/var/run/postgresql";
    for url in [
        "postgres://u@%2Fvar%2Frun%2Fpostgresql/d?sslmode=require",
        "postgres://u@%2fvar%2frun%2fpostgresql/d",
        "postgres:///d?host=/var/run/postgresql&user=u",
        "postgres://u:p@/d?host=%2Fvar%2Frun%2Fpostgresql",
    ] {
        assert_eq!(places(url), [unix(socket, 5432)], "{url}");
        assert_eq!(mode(url), SslMode::Disable, "{url}");
    }
    assert_eq!(places("postgres://u@%2Ftmp:6432/d"), [unix("/tmp", 6432)]);
    assert!(refusal("postgres:///d").contains("names no host"));
    assert!(refusal("postgres://u@h/d?host=/tmp").contains("names hosts twice"));
}

#[test]
fn a_password_that_is_not_encoded_is_recognised_and_not_printed() {
    for raw in [
        "hun@ter2",
        "hun/ter2",
        "hun#ter2",
        "hun?ter2",
        "hun%ter2",
        "12/hunter2",
        "hun?a=ter2",
        "hun%",
        "@hunter2",
    ] {
        let told = refusal(&format!("postgres://user:{raw}@host:5432/database?sslmode=require"));
        assert!(told.contains("%40 for @") && !told.contains("ter2"), "{raw}: {told}");
    }
    for raw in [
        "postgres://h/d?sslmode=require;password=hunter2",
        "postgres://h/d;password=hunter2",
        "postgres://h;password=hunter2/d",
    ] {
        let told = refusal(raw);
        assert!(told.contains("%3B for a ;") && !told.contains("ter2"), "{raw}: {told}");
    }
    let told = refusal("postgres:///d?host=h&user=u&password=hun&ter2=1");
    assert!(told.contains("a parameter that Northgate does not know") && !told.contains("ter2"), "{told}");
    let hosts = parsed("postgres://u:%40%2F%23%3F%25:x@h/d").expect("an encoded password");
    assert_eq!(hosts[0].get_password(), Some(&b"@/#?%:x"[..]));
}

#[test]
fn what_is_no_url_is_told_without_its_password() {
    for url in [
        "postgres://user:hunter2@host:port/database",
        "host=h password=hunter2",
        "hunter2",
        "mysql://hunter2@h",
    ] {
        let told = refusal(url);
        assert!(told.contains("write postgres://") && !told.contains("hunter2"), "{told}");
    }
    assert!(refusal(" \r\n").contains("it is empty"));
    for url in ["postgres://u:hunter 2@h/d", "postgres://u:hunter2@h/d\npostgres://u@i/d"] {
        let told = refusal(url);
        assert!(told.contains("in one line") && !told.contains("hunter"), "{told}");
    }
}

#[test]
fn what_editors_put_around_a_url_is_not_part_of_it() {
    for url in [
        "\u{feff}postgres://u@h/d",
        "PostgreSQL://u@h/d\r\n",
        "  POSTGRES://u@h/d\t\n\n",
        "\u{feff} postgres://u@h/d \r\n",
    ] {
        assert_eq!(parsed(url).expect("a URL")[0].get_dbname(), Some("d"));
    }
}

#[test]
fn an_unknown_parameter_is_named() {
    let told = refusal("postgres://u@h/d?sslmode=require&pgbouncer=true");
    assert!(told.contains("parameter pgbouncer") && told.contains("channel_binding"), "{told}");
}
