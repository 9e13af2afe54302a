//! Laws of traces: each request has its spans, in the caller's trace, and no request waits for the collector.

use std::process::Command;

use northgate_testkit::application::Application;
use northgate_testkit::northgate::Northgate;
use northgate_testkit::wait_until;

use crate::collector::Collector;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CALLER: &str = "00f067aa0ba902b7";
const OTHER_TRACE: &str = "11f92f3577b34da6a3ce929d0e0e4736";

/// A server that exports what its callers trace.
fn server(collector: &Collector, more: &[(&str, &str)]) -> Northgate {
    let endpoint = collector.endpoint();
    let settings = [("NORTHGATE_TRACES_ENDPOINT", &*endpoint), ("NORTHGATE_TRACES_RATIO", "0.0")];
    Northgate::start(&[&settings, more].concat())
}

/// The answer with its head, of a request in a trace.
fn ask(server: &Northgate, trace: &str, arguments: &[&str]) -> String {
    let context = format!("traceparent: 00-{trace}-{CALLER}-01");
    let mut curl = Command::new("curl");
    curl.args(["-sS", "-k", "-i", "-H", &context, "-H", "tracestate: vendor=a"]).args(arguments);
    String::from_utf8(server.output(&mut curl).stdout).unwrap()
}

fn login(server: &Northgate, demo: &Application, trace: &str) -> String {
    let body = format!("appId={}&secret={}", demo.app_id, demo.secret);
    ask(server, trace, &["-d", &body, &format!("{}/login", demo.api)])
}

fn metric(server: &Northgate, name: &str) -> Option<u64> {
    let url = format!("http://{}/metrics", server.private);
    let output = server.output(Command::new("curl").args(["-sS", &url]));
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_is_a_server_span_in_the_callers_trace_and_its_commit_a_part_of_it() {
    let collector = Collector::start();
    let server = server(&collector, &[]);
    let demo = Application::demo(&server);
    let answer = login(&server, &demo, TRACE);
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let spans = collector.trace(TRACE, 2);
    let of_kind = |kind: &str| spans.iter().find(|span| span.get("Kind") == kind).unwrap();
    let (request, commit) = (of_kind("Server"), of_kind("Internal"));
    let request_id = answer.lines().find_map(|line| line.strip_prefix("X-Request-Id: ")).unwrap();
    for (name, value) in [
        ("Parent ID", CALLER),
        ("Name", "POST /iocm/app/sec/v1.1.0/login"),
        ("Status code", "Unset"),
        ("http.request.method", "Str(POST)"),
        ("http.route", "Str(/iocm/app/sec/v1.1.0/login)"),
        ("http.response.status_code", "Int(200)"),
        ("northgate.operation", "Str(login)"),
        ("northgate.app_id", &format!("Str({})", demo.app_id)),
        ("northgate.request_id", &format!("Str({request_id})")),
    ] {
        assert_eq!(request.get(name), value, "{name} {request:?}");
    }
    assert_eq!((commit.get("Name"), commit.get("Parent ID")), ("store open", request.get("ID")));
    assert_eq!(commit.get("db.system.name"), "Str(sqlite)");
    assert!(request.get("Start time") <= commit.get("Start time"), "{spans:?}");
    assert!(commit.get("End time") <= request.get("End time"), "{spans:?}");
    let log = collector.log();
    assert!(log.contains("service.name: Str(northgate)"), "{log}");
    assert!(!log.contains(&demo.secret), "a secret is in a span");
}

#[tokio::test(flavor = "multi_thread")]
async fn verify_hands_the_trace_on_to_the_gateway_and_other_requests_leave_nothing() {
    let collector = Collector::start();
    let server = server(&collector, &[]);
    let demo = Application::demo(&server);
    let token = demo.login().await.member("accessToken");
    let (app_key, bearer) = (format!("app_key: {}", demo.app_id), format!("Authorization: Bearer {token}"));
    let url = format!("http://{}/verify", server.private);
    let answer = ask(&server, TRACE, &["-H", &app_key, "-H", &bearer, &url]);
    let span = collector.trace(TRACE, 1).remove(0);
    let handed_on = format!("traceparent: 00-{TRACE}-{}-01", span.get("ID"));
    assert!(answer.contains(&handed_on) && answer.contains("tracestate: vendor=a"), "{answer}");
    assert_eq!((span.get("Parent ID"), span.get("http.route")), (CALLER, "Str(/verify)"));
    assert_eq!(collector.spans().len(), 1, "the login before belonged to no trace");
    assert!(!collector.log().contains(&token), "a token is in a span");
    wait_until("the export is counted", || metric(&server, "northgate_spans_exported_total") == Some(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_collector_is_down_requests_are_answered_spans_wait_and_what_finds_no_room_is_counted() {
    let mut collector = Collector::stopped();
    let server = server(&collector, &[("NORTHGATE_TRACES_QUEUE", "1")]);
    let demo = Application::demo(&server);
    assert!(login(&server, &demo, TRACE).starts_with("HTTP/1.1 200"));
    wait_until("the log says so", || server.log().contains("the collector takes no spans"));
    for _ in 0..3 {
        assert!(login(&server, &demo, OTHER_TRACE).starts_with("HTTP/1.1 200"));
    }
    assert!(metric(&server, "northgate_spans_dropped_total") > Some(1));
    collector.run();
    collector.trace(TRACE, 1);
    wait_until("the log says so", || server.log().contains("the collector takes spans again"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_exports_the_last_spans() {
    let collector = Collector::start();
    let server = server(&collector, &[]);
    let demo = Application::demo(&server);
    login(&server, &demo, TRACE);
    let (_home, status) = server.end("-TERM");
    assert!(status.success());
    collector.trace(TRACE, 2);
}
