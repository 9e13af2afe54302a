//! Starting: what is printed, what works as pasted, what is refused, and what a kill leaves.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use northgate_testkit::application::Application;
use northgate_testkit::northgate::{Northgate, northgate};

/// Runs lines as pasted into a terminal where the server was started.
fn paste(server: &Northgate, lines: &str) -> String {
    let pasted = server.output(Command::new("bash").args(["-c", lines]));
    assert!(pasted.status.success(), "{lines}: {pasted:?}");
    String::from_utf8(pasted.stdout).unwrap()
}

fn sentence(output: &Output) -> (i32, String) {
    (output.status.code().unwrap(), String::from_utf8(output.stderr.clone()).unwrap())
}

/// Starts a server that is not expected to run.
fn refused(home: &Path, settings: &[(&str, &str)]) -> (i32, String) {
    let mut serve = northgate(home);
    // As many as fit wherever tests run, so that the log has nothing to say about it.
    serve.args(["serve", "--dev"]).env("NORTHGATE_LIMITS_CONNECTIONS", "100").envs(settings.iter().copied());
    sentence(&serve.output().unwrap())
}

#[tokio::test]
async fn the_lines_of_the_first_start_work_as_pasted() {
    let server = Northgate::start(&[]);
    let demo = Application::demo(&server);
    let printed = server.printed();
    let pasted: Vec<&str> = printed.lines().filter(|line| line.contains("curl ")).collect();
    assert_eq!(pasted.len(), 3, "{printed}");
    let said = paste(&server, &pasted.join("\n"));
    let said: Vec<&str> = said.lines().collect();
    let [login, refresh, logout] = said[..] else { panic!("{said:?}") };
    let pair = |line: &str| serde_json::from_str::<serde_json::Value>(line).unwrap();
    assert_ne!(pair(login)["refreshToken"], pair(refresh)["refreshToken"]);
    assert_eq!(logout, "204");
    for line in [login, refresh] {
        assert_eq!(demo.verify(pair(line)["accessToken"].as_str().unwrap()).await.status, 403);
    }
}

// People keep their work in directories with names of their own.
#[tokio::test]
async fn the_lines_work_as_pasted_whatever_the_directory_is_called() {
    let server = Northgate::start(&[("NORTHGATE_DATA_DIR", "it's my data")]);
    let pasted = server.printed();
    let lines: Vec<&str> = pasted.lines().filter(|line| line.contains("curl ")).collect();
    let said = paste(&server, &lines.join("\n"));
    assert!(said.ends_with("\n204\n"), "{said}");
    let (home, _) = server.end("-TERM");
    let server = Northgate::start_in(home, &[("NORTHGATE_DATA_DIR", "it's my data")]);
    let printed = server.printed();
    let command = printed.lines().find(|line| line.contains(" app secret add ")).unwrap();
    assert!(paste(&server, command).contains("secret  ngs_"));
}

#[tokio::test]
async fn a_second_start_names_the_application_and_the_command_for_a_new_secret() {
    let server = Northgate::start(&[]);
    let demo = Application::demo(&server);
    let (home, _) = server.end("-TERM");

    let server = Northgate::start_in(home, &[]);
    let printed = server.printed();
    assert!(printed.contains(&format!("  appId   {}\n", demo.app_id)), "{printed}");
    assert!(printed.contains("  secret  was shown when it was created; add a new one with\n"), "{printed}");
    assert!(!printed.contains(&demo.secret) && !printed.contains("ngs_"), "{printed}");
    let command = printed.lines().find(|line| line.contains(" app secret add ")).unwrap();
    let added = paste(&server, command);
    let new = added.lines().find_map(|line| line.strip_prefix("secret")).unwrap().trim();
    for secret in [new, &demo.secret] {
        assert_eq!(Application::new(&server, &demo.app_id, secret).login().await.status, 200);
    }
}

#[tokio::test]
async fn a_kill_loses_nothing_that_was_answered() {
    let server = Northgate::start(&[]);
    let (demo, meters) = (Application::demo(&server), Application::created(&server, "Meters"));
    let ended = meters.login().await.member("accessToken");
    assert_eq!(meters.logout(&ended).await.status, 204);
    let first = demo.login().await;
    let second = demo.refresh(&first.member("refreshToken")).await;
    let (home, _) = server.end("-KILL");

    let server = Northgate::start_in(home, &[]);
    let demo = Application::new(&server, &demo.app_id, &demo.secret);
    for pair in [&first, &second] {
        assert_eq!(demo.verify(&pair.member("accessToken")).await.status, 200);
    }
    // The answer may have been lost with the process.
    let again = demo.refresh(&first.member("refreshToken")).await;
    assert_eq!(again.member("refreshToken"), second.member("refreshToken"));
    assert_eq!(demo.refresh(&second.member("refreshToken")).await.status, 200);
    let meters = Application::new(&server, &meters.app_id, &meters.secret);
    assert_eq!(meters.verify(&ended).await.status, 403);
    assert_eq!(meters.login().await.status, 200);
}

#[tokio::test]
async fn a_second_process_on_the_same_data_is_refused_and_the_first_goes_on() {
    let server = Northgate::start(&[]);
    let demo = Application::demo(&server);
    let expected = format!(
        "error: the data directory northgate-data is in use by the process {}: \
         stop it first, or give this one another --data-dir\n",
        server.pid()
    );
    assert_eq!(refused(server.home.path(), &[]), (1, expected));
    assert_eq!(demo.login().await.status, 200);
}

#[test]
fn a_taken_port_stops_the_start_with_a_sentence() {
    let server = Northgate::start(&[]);
    let other = tempfile::tempdir().unwrap();
    let taken = server.public.to_string();
    let (code, said) =
        refused(other.path(), &[("NORTHGATE_LISTEN", &taken), ("NORTHGATE_ADMIN_LISTEN", "127.0.0.1:1")]);
    let expected = format!(
        "error: cannot open the public listener: choose another address with --listen: {taken} is in use: another server, \
         or another Northgate, listens there\n"
    );
    assert_eq!((code, said), (1, expected));
}

#[test]
fn a_wrong_setting_stops_the_start_with_what_to_write_and_touches_nothing() {
    let home = tempfile::tempdir().unwrap();
    let wrong = [("NORTHGATE_POLICY_ACCESS_LIFETIME", "2 fortnights")];
    let expected = "error: policy.access_lifetime = \"2 fortnights\" (from NORTHGATE_POLICY_ACCESS_LIFETIME): \
                    write a number and s, m, h or d, such as \"15m\", from 1s to 30days\n";
    assert_eq!(refused(home.path(), &wrong), (1, expected.to_owned()));
    let checked = northgate(home.path()).args(["config", "check"]).envs(wrong).output().unwrap();
    assert_eq!(sentence(&checked), (1, expected.to_owned()));
    assert_eq!(fs::read_dir(home.path()).unwrap().count(), 0);
}

#[test]
fn a_configuration_that_is_good_is_shown_with_where_each_setting_comes_from() {
    let home = tempfile::tempdir().unwrap();
    crate::certificates::write(home.path(), "cert", &rcgen::PKCS_ECDSA_P256_SHA256);
    let text = "listen = '127.0.0.1:0'\nadmin_listen = '127.0.0.1:0'\n[policy]\nretry_window = '90s'\n\
                [tls]\ncertificates = ['cert.pem']\nkeys = ['cert.key']\n";
    fs::write(home.path().join("northgate.toml"), text).unwrap();
    let mut check = northgate(home.path());
    check.args(["config", "check", "--config", "northgate.toml"]).env("NORTHGATE_API_DIALECT", "cn");
    let output = check.output().unwrap();
    let shown = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{shown}");
    for line in [
        "policy.retry_window = \"90s\"  # in northgate.toml",
        "api.dialect = \"cn\"  # from NORTHGATE_API_DIALECT",
        "policy.rotation = \"once\"  # the default",
    ] {
        assert!(shown.lines().any(|shown| shown == line), "{line} is not in\n{shown}");
    }
    assert!(!home.path().join("northgate-data").exists());
}

#[tokio::test]
async fn everything_but_the_certificate_is_for_its_owner_alone() {
    let server = Northgate::start(&[]);
    // So that the store has written all the files that it uses.
    assert_eq!(Application::demo(&server).login().await.status, 200);
    server.tell(&["key", "rotate"]);
    let data = server.home.path().join("northgate-data");
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&data), 0o700);
    let mut files: Vec<_> =
        ["", "tls"].into_iter().flat_map(|folder| fs::read_dir(data.join(folder)).unwrap()).collect();
    files.retain(|file| file.as_ref().unwrap().file_type().unwrap().is_file());
    assert!(files.len() >= 6, "{files:?}");
    for file in files {
        let path = file.unwrap().path();
        let expected = if path.ends_with("tls/cert.pem") { 0o644 } else { 0o600 };
        assert_eq!(mode(&path), expected, "{}", path.display());
    }
}

// `--dev --listen 192.0.2.1:8743` listened on 127.0.0.1 and printed that, and its issuer was https://192.0.2.1:8743: assertions and
// proofs for the printed address were refused.
#[test]
fn the_address_that_dev_prints_is_that_of_its_issuer() {
    let home = tempfile::tempdir().unwrap();
    let free = || TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let (port, admin_port) = (free(), free());
    let mut command = northgate(home.path());
    command.args(["serve", "--dev", "--listen", &format!("192.0.2.1:{port}")]);
    command.args(["--admin-listen", &format!("127.0.0.1:{admin_port}")]);
    let mut server = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut first = String::new();
    BufReader::new(server.stdout.take().unwrap()).read_line(&mut first).unwrap();
    let issuer = format!("https://localhost:{port}");
    let certificate = home.path().join("northgate-data/tls/cert.pem");
    let metadata = Command::new("curl")
        .args(["-sS", "--cacert", certificate.to_str().unwrap()])
        .arg(format!("{issuer}/.well-known/oauth-authorization-server"))
        .output();
    server.kill().unwrap();
    server.wait().unwrap();
    assert!(first.starts_with(&format!("Northgate serves applications on {issuer} ")), "{first}");
    let metadata: serde_json::Value = serde_json::from_slice(&metadata.unwrap().stdout).unwrap();
    assert_eq!(metadata["issuer"], issuer);
}

#[test]
fn a_start_warns_of_an_issuer_that_does_not_lead_to_the_listener() {
    let home = tempfile::tempdir().unwrap();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut command = northgate(home.path());
    command.args([
        "serve",
        "--dev",
        "--listen",
        &format!("127.0.0.1:{port}"),
        "--admin-listen",
        "127.0.0.1:0",
    ]);
    command.env("NORTHGATE_OAUTH_ISSUER", "https://localhost:1");
    let mut server = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let log = BufReader::new(server.stderr.take().unwrap());
    let warning = log.lines().map_while(Result::ok).find(|line| line.contains(" WARN oauth.issuer "));
    server.kill().unwrap();
    server.wait().unwrap();
    let warning = warning.unwrap_or_default();
    let said = format!(
        "oauth.issuer does not lead to listen: OAuth clients reach it only if a proxy forwards from there; else correct oauth.issuer issuer=https://localhost:1 listen=127.0.0.1:{port}"
    );
    assert!(warning.ends_with(&said), "{warning}");
}
