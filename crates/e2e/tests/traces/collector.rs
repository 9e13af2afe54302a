//! A collector as a process, and the spans that it has got.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use northgate_testkit::ports::free_port;
use northgate_testkit::process_guard::ProcessGuard;
use northgate_testkit::venv::venv;
use northgate_testkit::{cache, repository, wait_until};
use tempfile::TempDir;

/// That of the modules in `collector/go.mod`.
const VERSION: &str = "v0.165.0";

pub struct Collector {
    folder: TempDir,
    port: u16,
    process: Option<ProcessGuard>,
}

/// A span as the collector prints it: its fields and its attributes by name.
#[derive(Debug)]
pub struct Span(BTreeMap<String, String>);

impl Collector {
    /// A running one.
    pub fn start() -> Collector {
        let mut collector = Collector::stopped();
        collector.run();
        collector
    }

    /// One that does not run yet.
    pub fn stopped() -> Collector {
        let (folder, port) = (tempfile::tempdir().unwrap(), free_port());
        let config = format!(
            "receivers: {{ otlp: {{ protocols: {{ http: {{ endpoint: '127.0.0.1:{port}' }} }} }} }}\n\
             exporters: {{ debug: {{ verbosity: detailed }} }}\n\
             service: {{ pipelines: {{ traces: {{ receivers: [otlp], exporters: [debug] }} }} }}\n"
        );
        fs::write(folder.path().join("config.yaml"), config).unwrap();
        Collector { folder, port, process: None }
    }

    pub fn run(&mut self) {
        let mut command = Command::new(program());
        command.arg("--config").arg(self.folder.path().join("config.yaml"));
        self.process = Some(ProcessGuard::start(&command, self.folder.path(), "collector", "KILL"));
        wait_until("the collector is ready", || self.log().contains("Everything is ready"));
    }

    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// All spans so far.
    pub fn spans(&self) -> Vec<Span> {
        self.log().split("Span #").skip(1).map(Span::parse).collect()
    }

    /// The spans of a trace, once there are so many.
    pub fn trace(&self, id: &str, count: usize) -> Vec<Span> {
        let mut found = Vec::new();
        wait_until("the spans arrive", || {
            found = self.spans();
            found.retain(|span| span.get("Trace ID") == id);
            found.len() >= count
        });
        found
    }

    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("collector.log")).unwrap_or_default()
    }
}

impl Span {
    fn parse(text: &str) -> Span {
        let fields = text.lines().filter(|line| line.starts_with("    ")).filter_map(|line| {
            let line = line.trim_start().trim_start_matches("-> ");
            let (name, value) = line.split_once(": ")?;
            Some((name.trim().to_owned(), value.trim().to_owned()))
        });
        Span(fields.collect())
    }

    /// A field such as `Trace ID`, or an attribute with its type, such as `Str(POST)`; empty if it is missing.
    pub fn get(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }
}

/// Built of its Go modules by a Go from PyPI, once.
fn program() -> PathBuf {
    let folder = cache().join(format!("otelcol-{VERSION}"));
    let program = folder.join("otelcol");
    // Tests of this program and of others build it once.
    let turn = File::create(cache().join("otelcol.lock")).unwrap();
    turn.lock().unwrap();
    if !program.exists() {
        build(&folder);
    }
    program
}

fn build(folder: &Path) {
    let go = venv("go", &repository("crates/e2e/tests/oauth_clients/requirements.txt")).with_file_name("go");
    fs::create_dir_all(folder).unwrap();
    for name in ["main.go", "go.mod"] {
        fs::copy(repository("crates/e2e/tests/traces/collector").join(name), folder.join(name)).unwrap();
    }
    let mut build = Command::new(go);
    build.args(["build", "-mod=mod", "-ldflags=-s -w", "-o", "unfinished", "."]);
    build.env("GOFLAGS", "-buildvcs=false").current_dir(folder);
    let output = build.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    fs::rename(folder.join("unfinished"), folder.join("otelcol")).unwrap();
}
