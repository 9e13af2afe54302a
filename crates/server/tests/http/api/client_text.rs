//! Texts of clients and the log: whatever a client sends, and wherever it puts it, no line shows it.

use crate::support::document::{Listener, endpoints};
use crate::support::page::Page;
use crate::support::socket::{Socket, ask};
use crate::support::world::*;

/// The target of lines about changes.
const AUDIT: &str = "northgate::audit";

/// Pages and paths that the document of the interfaces does not have.
const UNDOCUMENTED: [(&str, &str); 8] = [
    ("GET", "/nowhere"),
    ("POST", "/oauth2/nowhere"),
    ("GET", "/admin/v1/nowhere"),
    ("GET", "/verify?style=oauth"),
    ("GET", "/console/sign-in"),
    ("POST", "/console/sign-in"),
    ("POST", "/console/applications/demo"),
    ("GET", "/console/applications"),
];

/// Names that a parser looks for, and one that none does.
const NAMES: [&str; 20] = [
    "appId",
    "secret",
    "refreshToken",
    "accessToken",
    "client_id",
    "client_secret",
    "client_assertion",
    "client_assertion_type",
    "grant_type",
    "refresh_token",
    "token",
    "token_type_hint",
    "scope",
    "since",
    "wait",
    "style",
    "csrf",
    "to",
    "q",
    "unknown",
];

/// Members of requests to the admin API. An appId that an operator gives is registered, and then may be in a line.
const ADMIN_NAMES: [&str; 22] = [
    "secret",
    "name",
    "owner",
    "policy",
    "allow",
    "rows",
    "publicKey",
    "certificate",
    "jwk",
    "subject",
    "sanDns",
    "sanUri",
    "at",
    "after",
    "revoke",
    "atOnce",
    "dryRun",
    "dpop",
    "rotation",
    "accessLifetime",
    "limit",
    "unknown",
];

const HEADERS: [&str; 20] = [
    "Authorization",
    "app_key",
    "x-app-key",
    "access_token",
    "DPoP",
    "Content-Type",
    "X-Original-URI",
    "X-Forwarded-Method",
    "X-Client-Cert-Thumbprint",
    "X-Forwarded-For",
    "User-Agent",
    "If-None-Match",
    "Cookie",
    "Origin",
    "Host",
    "Forwarded",
    "X-Request-Id",
    "traceparent",
    "tracestate",
    "X-Forwarded-Host",
];

/// Requests with `text` in each position that a client can write to, each with these lines in its head.
fn requests(method: &str, path: &str, names: &[&str], lines: &str, text: &str) -> Vec<Vec<u8>> {
    let mut requests = Vec::new();
    let query = if path.contains('?') { '&' } else { '?' };
    let get = |method: &str, target: String, head: String| {
        format!("{method} {target} HTTP/1.1\r\nHost: localhost\r\n{lines}{head}\r\n").into_bytes()
    };
    let send = |content_type: &str, body: &str| {
        let head = format!("Content-Type: {content_type}\r\nContent-Length: {}\r\n", body.len());
        [get(method, path.to_owned(), head), body.as_bytes().to_vec()].concat()
    };
    requests.push(get(text, path.to_owned(), String::new()));
    requests.push(get(method, format!("/{text}{path}"), String::new()));
    requests.push(get(method, format!("{path}/{text}"), String::new()));
    requests.push(get(method, path.replace("demo", text), String::new()));
    requests.push(get(method, path.replace("/1", &format!("/{text}")), String::new()));
    for header in HEADERS {
        requests.push(get(method, path.to_owned(), format!("{header}: {text}\r\n")));
        requests.push(get(method, path.to_owned(), format!("{header}: {text}\r\n{header}: {text}\r\n")));
    }
    requests.push(get(method, path.to_owned(), format!("{text}: x\r\n")));
    requests.push(get(method, path.to_owned(), format!("Authorization: Basic {text}\r\n")));
    requests.push(get(method, path.to_owned(), format!("Cookie: northgate_session={text}\r\n")));
    for scheme in ["Bearer", "DPoP"] {
        let head = format!("app_key: demo\r\nAuthorization: {scheme} {text}\r\n");
        requests.push(get(method, path.to_owned(), head));
    }
    for name in names {
        let swapped = if *name == "appId" { "secret" } else { "appId" };
        for form in [
            format!("{name}={text}"),
            format!("{name}={text}&{name}={text}"),
            format!("{name}:{text}&{name}:{text}"),
            format!("{text}={name}&{text}={name}"),
            format!("{name}={text}&{swapped}={text}"),
            format!("grant_type=client_credentials&{name}={text}&client_id=demo&client_secret=x"),
            format!("{name}={text}%ff"),
        ] {
            requests.push(get(method, format!("{path}{query}{form}"), String::new()));
            requests.push(send(FORM, &form));
        }
        for json in [
            format!(r#"{{"{name}":"{text}"}}"#),
            format!(r#"{{"{name}":"{text}","{name}":"{text}"}}"#),
            format!(r#"{{"{text}":"{name}","{text}":1,"#),
            format!(r#"{{"{name}":{text}}}"#),
            format!(r#"{{"{name}":["{text}"]}}"#),
            format!(r#"{{"{name}":{{"{text}":"{text}"}}}}"#),
            format!(r#"{{"name":"x","{name}":"{text}","policy":{{"{name}":"{text}"}}}}"#),
            format!(
                r#"{{"rows":[{{"appId":"b","secret":"b","{name}":"{text}"}},{{"{text}":"{name}"}},"{text}"]}}"#
            ),
        ] {
            requests.push(send(JSON, &json));
        }
        requests.push(send(text, &format!("{name}={text}")));
    }
    requests
}

/// The documented operations of a listener, those of `/verify` with two methods only: it reads none.
fn operations(listener: Listener) -> Vec<(String, String)> {
    let mut operations = Vec::new();
    for endpoint in endpoints().into_iter().filter(|endpoint| endpoint.listeners().contains(&listener)) {
        let path = endpoint.path.replace("applications/a", "applications/demo");
        let is_verify = path.starts_with("/verify");
        let methods = endpoint.operations.into_iter().map(|operation| operation.method);
        let methods = methods.filter(|method| !is_verify || matches!(&method[..], "GET" | "POST"));
        operations.extend(methods.map(|method| (method, path.clone())));
    }
    let others = UNDOCUMENTED.map(|(method, path)| (method.to_owned(), path.to_owned()));
    operations.extend(others);
    operations
}

// The body `client_secret:VALUE&client_secret:VALUE` wrote the secret into `detail`, and introspection a token.
#[tokio::test]
async fn no_text_of_a_client_is_written_wherever_it_stands() {
    let world = World::new().await;
    let private = world.administered().await.address;
    let access = world.login().await.member("accessToken");
    let (page, _guard) = Page::open();
    let mut sent = 0;
    for text in ["Client-Wrote-This", &world.secret, &access] {
        for (address, listener) in [(world.public, Listener::Public), (private, Listener::Private)] {
            for (method, path) in operations(listener) {
                // Without the admin token the admin API reads no body.
                let names = if path.starts_with("/admin") { &NAMES[..2] } else { &NAMES[..] };
                for request in requests(&method, &path, names, "", text) {
                    ask(address, &request).await;
                    sent += 1;
                }
            }
        }
        let lines = page.text();
        assert!(!lines.contains(text), "{text} is in the log");
    }
    assert!(page.lines("northgate::request").len() >= sent, "each request has a line");
}

// The admin API was not tried. The values that an operator gave an application are in the lines of the audit, and nowhere else.
#[tokio::test]
async fn no_text_of_an_operator_is_written_but_in_the_audit() {
    let world = World::new().await;
    let admin = world.administered().await;
    let (page, _guard) = Page::open();
    let lines = format!("Authorization: Bearer {}\r\n", admin.token);
    let text = "Operator-Wrote-This";
    let mut sent = 0;
    for (method, path) in operations(Listener::Private) {
        if path.starts_with("/admin") {
            for request in requests(&method, &path, &ADMIN_NAMES, &lines, text) {
                ask(admin.address, &request).await;
                sent += 1;
            }
        }
    }
    let written = page.text();
    assert!(!written.contains(&admin.token), "the admin token is in the log");
    let found = written.lines().find(|line| line.contains(text) && !line.contains(AUDIT));
    assert_eq!(found, None);
    assert!(page.lines("northgate::request").len() >= sent, "each request has a line");
}

// A secret that an operator gives is in no line, the audit included.
#[tokio::test]
async fn no_secret_that_an_operator_gives_is_written() {
    let world = World::new().await;
    let admin = world.administered().await;
    let (page, _guard) = Page::open();
    let line = format!("Authorization: Bearer {}\r\n", admin.token);
    let secret = "Given-Secret-31337";
    let one = "/admin/v1/applications";
    for (path, body) in [
        (one, format!(r#"{{"name":"b","appId":"b","secret":"{secret}"}}"#)),
        (one, format!(r#"{{"name":"b","appId":"b","secret":"{secret}"}}"#)),
        ("/admin/v1/applications/demo/secrets", format!(r#"{{"secret":"{secret}"}}"#)),
        ("/admin/v1/applications/demo/secrets", format!(r#"{{"secret":"{secret}","secret":"{secret}"}}"#)),
        ("/admin/v1/applications/demo/secrets", format!(r#"{{"secret":["{secret}"]}}"#)),
        ("/admin/v1/import", format!(r#"{{"rows":[{{"appId":"c","secret":"{secret}"}}]}}"#)),
        ("/admin/v1/import", format!(r#"{{"rows":[{{"appId":"b","secret":"x{secret}"}}]}}"#)),
        ("/admin/v1/import", format!(r#"{{"rows":[{{"appId":"d","secret":{{"a":"{secret}"}}}}]}}"#)),
    ] {
        let head = format!("POST {path} HTTP/1.1\r\nHost: localhost\r\n{line}Content-Type: {JSON}\r\n");
        let answer = ask(admin.address, format!("{head}Content-Length: {}\r\n\r\n{body}", body.len())).await;
        assert!(answer.status < 500, "{path}: {}", answer.body);
        assert!(!answer.body.contains(secret), "{path}: {}", answer.body);
    }
    assert!(!page.text().contains(secret));
    assert!(page.text().contains(AUDIT), "an application was created");
}

// What the HTTP parser refuses never reaches a handler, and must not be written either.
#[tokio::test]
async fn no_text_of_a_malformed_request_is_written() {
    let world = World::new().await;
    let (page, _guard) = Page::open();
    for request in [
        "Client-Wrote-This\r\n\r\n",
        "GET /Client-Wrote-This HTTP/9.9\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nClient Wrote This: Client-Wrote-This\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: Client-Wrote-This\r\n\r\n",
    ] {
        let mut socket = Socket::open(world.public).await;
        socket.send(request).await;
        while !socket.is_closed().await {}
    }
    assert!(!page.text().contains("Client-Wrote-This"), "{}", page.text());
}
