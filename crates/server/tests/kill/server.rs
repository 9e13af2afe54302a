//! The real program as a process of its own, and calls on it over real sockets.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use reqwest::{Certificate, StatusCode};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use northgate_testkit::eventually;
use northgate_testkit::ports::free_port;

/// The server did not answer.
#[derive(Debug)]
pub struct Unanswered;

/// The application that `--dev` creates.
#[derive(Clone)]
pub struct Demo {
    pub app_id: String,
    pub secret: String,
}

type Prepare = Box<dyn Fn(&mut Command) + Send>;

pub struct Server {
    data_dir: tempfile::TempDir,
    address: SocketAddr,
    admin_address: SocketAddr,
    process: Child,
    demo: Option<Demo>,
    prepare: Prepare,
}

impl Server {
    /// On ports that are free, with a data directory of its own; ready when this returns.
    pub async fn first_start() -> Server {
        Server::first_start_with(|_| {}).await
    }

    /// The same, with something done to each command that starts it.
    pub async fn first_start_with(prepare: impl Fn(&mut Command) + Send + 'static) -> Server {
        // It fails where another test of this process was first, which is as good.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let data_dir = tempfile::tempdir().unwrap();
        let (address, admin_address) = (free_address(), free_address());
        let prepare: Prepare = Box::new(prepare);
        let process = spawn(&data_dir.path().join("data"), address, admin_address, &prepare);
        let mut server = Server { data_dir, address, admin_address, process, demo: None, prepare };
        server.demo = Some(server.read_demo());
        server.ready().await;
        server
    }

    pub fn spawn(&mut self) {
        self.process = spawn(&self.data(), self.address, self.admin_address, &self.prepare);
    }

    pub async fn start(&mut self) {
        self.spawn();
        self.ready().await;
    }

    /// SIGKILL: it is gone at once, whatever it was doing.
    pub fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// SIGTERM.
    pub fn ask_to_stop(&self) {
        let id = self.process.id().to_string();
        assert!(Command::new("sh").args(["-c", "kill -TERM $0", &id]).status().unwrap().success());
    }

    pub fn exit_code(&mut self) -> Option<i32> {
        self.process.wait().unwrap().code()
    }

    pub fn demo(&self) -> Demo {
        self.demo.clone().unwrap()
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// New connections that trust the server's certificate.
    pub fn calls(&self) -> Calls {
        let pem = std::fs::read(self.certificate()).unwrap();
        let http = reqwest::Client::builder()
            .add_root_certificate(Certificate::from_pem(&pem).unwrap())
            .timeout(Duration::from_secs(20))
            .build();
        Calls { http: http.unwrap(), address: self.address, admin_address: self.admin_address }
    }

    /// The demo application as its operator sees it.
    pub fn show(&self) -> serde_json::Value {
        let mut command = Command::new(env!("CARGO_BIN_EXE_northgate"));
        command.args(["app", "show", &self.demo().app_id, "--json", "--data-dir"]).arg(self.data());
        command.args(["--admin-listen", &self.admin_address.to_string()]);
        serde_json::from_slice(&command.output().unwrap().stdout).unwrap()
    }

    /// A command of the same installation: whether it succeeded, and what it wrote to standard error.
    pub fn tell(&self, arguments: &[&str]) -> (bool, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_northgate"));
        command.args(arguments).arg("--data-dir").arg(self.data());
        let output = command.args(["--admin-listen", &self.admin_address.to_string()]).output().unwrap();
        (output.status.success(), String::from_utf8(output.stderr).unwrap())
    }

    /// One raw connection.
    pub async fn connect(&self) -> TlsStream<TcpStream> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(self.certificate()).unwrap()).unwrap();
        let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        let socket = TcpStream::connect(self.address).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        TlsConnector::from(Arc::new(config)).connect(name, socket).await.unwrap()
    }

    pub fn data(&self) -> PathBuf {
        self.data_dir.path().join("data")
    }

    fn certificate(&self) -> PathBuf {
        self.data().join("tls/cert.pem")
    }

    fn read_demo(&mut self) -> Demo {
        let output = BufReader::new(self.process.stdout.take().unwrap());
        let mut lines = output.lines().map(Result::unwrap);
        let mut value = |name: &str| {
            let line = lines.by_ref().find(|line| line.trim_start().starts_with(name)).unwrap();
            line.split_whitespace().nth(1).unwrap().to_owned()
        };
        let demo = Demo { app_id: value("appId"), secret: value("secret") };
        // A reader that stops reading stops the writer; nothing else is written there.
        std::thread::spawn(move || lines.for_each(drop));
        demo
    }

    async fn ready(&mut self) {
        let url = format!("http://{}/health/ready", self.admin_address);
        let client = reqwest::Client::new();
        let mut is_ready = async || {
            assert!(self.process.try_wait().unwrap().is_none(), "the server did not start");
            client.get(&url).send().await.is_ok_and(|answer| answer.status() == StatusCode::OK)
        };
        eventually("the server is ready", &mut is_ready).await;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may be gone already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn spawn(data_dir: &Path, address: SocketAddr, admin_address: SocketAddr, prepare: &Prepare) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_northgate"));
    command
        .args(["serve", "--dev", "--listen", &address.to_string()])
        .args(["--admin-listen", &admin_address.to_string(), "--data-dir"])
        .arg(data_dir)
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    prepare(&mut command);
    command.spawn().unwrap()
}

fn free_address() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], free_port()))
}

/// The operations as an application calls them.
#[derive(Clone)]
pub struct Calls {
    http: reqwest::Client,
    address: SocketAddr,
    admin_address: SocketAddr,
}

impl Calls {
    pub async fn login(&self, demo: &Demo) -> Result<(u16, String), Unanswered> {
        let body = format!("appId={}&secret={}", demo.app_id, demo.secret);
        self.post("login", "application/x-www-form-urlencoded", body).await
    }

    pub async fn refresh(&self, demo: &Demo, refresh_token: &str) -> Result<(u16, String), Unanswered> {
        let Demo { app_id, secret } = demo;
        let body = format!(r#"{{"appId":"{app_id}","secret":"{secret}","refreshToken":"{refresh_token}"}}"#);
        self.post("refreshToken", "application/json", body).await
    }

    pub async fn logout(&self, access_token: &str) -> Result<u16, Unanswered> {
        let body = format!(r#"{{"accessToken":"{access_token}"}}"#);
        Ok(self.post("logout", "application/json", body).await?.0)
    }

    pub async fn verify(&self, demo: &Demo, access_token: &str) -> Result<u16, Unanswered> {
        let call = self.http.get(format!("http://{}/verify", self.admin_address));
        let call =
            call.header("app_key", &demo.app_id).header("Authorization", format!("Bearer {access_token}"));
        Ok(call.send().await.map_err(|_| Unanswered)?.status().as_u16())
    }

    /// The status of `/health/ready`.
    pub async fn ready(&self) -> Result<u16, Unanswered> {
        Ok(self.operating("health/ready").await?.0)
    }

    /// What the private listener answers without the admin token.
    pub async fn operating(&self, path: &str) -> Result<(u16, String), Unanswered> {
        let call = self.http.get(format!("http://{}/{path}", self.admin_address));
        let answer = call.send().await.map_err(|_| Unanswered)?;
        Ok((answer.status().as_u16(), answer.text().await.map_err(|_| Unanswered)?))
    }

    /// An answer counts when all of it has arrived.
    async fn post(
        &self,
        operation: &str,
        media_type: &str,
        body: String,
    ) -> Result<(u16, String), Unanswered> {
        let url = format!("https://{}/iocm/app/sec/v1.1.0/{operation}", self.address);
        let call = self.http.post(url).header("Content-Type", media_type).body(body);
        let answer = call.send().await.map_err(|_| Unanswered)?;
        let status = answer.status().as_u16();
        Ok((status, answer.text().await.map_err(|_| Unanswered)?))
    }
}
