//! The document and the routers name the same paths and the same methods.
//!
//! axum does not tell its routes. So the paths are read from the sources, in which they all stand as `.route("…", …)`, those of the
//! admin API under the prefix that they are nested in, and the methods are asked of a running server, which has to name them in `Allow`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use reqwest::{Client, Method};

use crate::document::{self, Listener, METHODS, Paths};
use northgate_testkit::northgate::Northgate;

/// Other ways to make a path, which would have to be read as well.
const UNREAD: [&str; 3] = [".route_service(", ".nest_service(", ".fallback_service("];

#[test]
fn every_path_of_the_routers_is_in_the_document_and_no_other() {
    let documented: BTreeSet<String> = document::paths().into_keys().map(|(_, path)| path).collect();
    let routed = routed();
    let undocumented: Vec<_> = routed.difference(&documented).collect();
    let unrouted: Vec<_> = documented.difference(&routed).collect();
    assert!(undocumented.is_empty(), "not in docs/openapi.yaml: {undocumented:?}");
    assert!(unrouted.is_empty(), "in docs/openapi.yaml, and no route: {unrouted:?}");
}

/// The paths that the sources route, as the document writes them.
fn routed() -> BTreeSet<String> {
    let mut sources = Vec::new();
    read_sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../server/src"), &mut sources);
    let constants: BTreeMap<&str, &str> = sources.iter().flat_map(|source| constants(source)).collect();
    sources.iter().flat_map(|source| routes_of(source, &constants)).collect()
}

/// The paths that a source routes. The constants of its own go before those of others with the same name.
fn routes_of(source: &str, others: &BTreeMap<&str, &str>) -> Vec<String> {
    assert!(!UNREAD.iter().any(|unread| source.contains(unread)), "paths that this test does not read");
    let mut names = others.clone();
    names.extend(constants(source));
    let prefix =
        source.split(".nest(").nth(1).map_or("", |call| names[call.split(',').next().unwrap().trim()]);
    let calls = source.split(".route(").skip(1);
    calls.map(|call| format!("{prefix}{}", route(call.split(',').next().unwrap().trim(), &names))).collect()
}

fn read_sources(folder: &Path, sources: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        // The console's pages are for browsers, and not in the document.
        if path.is_dir() && !path.ends_with("console") {
            read_sources(&path, sources);
        } else if path.is_file()
            && !path.ends_with("console.rs")
            && !path.ends_with("tests.rs")
            && path.extension().is_some_and(|extension| extension == "rs")
        {
            sources.push(fs::read_to_string(path).unwrap());
        }
    }
}

/// The names and values of the texts that a source names.
fn constants(source: &str) -> impl Iterator<Item = (&str, &str)> {
    let lines = source.lines().filter_map(|line| {
        let line = line.trim_start().trim_start_matches("pub ").trim_start_matches("pub(crate) ");
        line.strip_prefix("const ").or_else(|| line.strip_prefix("let "))
    });
    let named = lines.filter_map(|line| line.split_once(": &str = \"").or_else(|| line.split_once(" = \"")));
    named.map(|(name, value)| {
        let (value, _) = value.split_once('"').unwrap_or_default();
        (name, value)
    })
}

/// What the first argument of `route` means, which is a literal, a constant or a `format!` of such.
fn route(argument: &str, constants: &BTreeMap<&str, &str>) -> String {
    let mut path = match argument.split('"').nth(1) {
        Some(literal) => literal.to_owned(),
        None => format!("{{{argument}}}"),
    };
    // `application_api`; the operator's prefix is a variable of the document's server.
    path = path.replace("{under}/", "{APPLICATION_API}/").replace("{prefix}", "");
    for (name, value) in constants {
        path = path.replace(&format!("{{{name}}}"), value);
    }
    // The path of the issuer, which is empty for most; and what axum calls the rest of a path.
    path.replace("{under}", "")
        .replace("{behind}", "")
        .replace("{*", "{")
        .replace("{{", "{")
        .replace("}}", "}")
}

#[tokio::test]
async fn every_path_takes_the_methods_that_are_documented_and_tells_them_to_another() {
    let server = Northgate::start(&[("NORTHGATE_API_V3_LOGIN", "on")]);
    let paths = document::paths();
    // Any method is taken, also those that OpenAPI has no word for.
    let takes_any = |methods: &BTreeSet<String>| methods.len() == METHODS.len();
    for ((listener, path), methods) in &paths {
        let mut expected = methods.clone();
        if methods.contains("GET") {
            expected.insert("HEAD".to_owned());
        }
        for method in METHODS.into_iter().chain(["QUERY", "PROPFIND"]) {
            let heard = ask(&server, *listener, method, path).await;
            if expected.contains(method) || takes_any(methods) {
                assert!(heard != Heard::NotFound, "{method} {path}: there is no such path");
                assert!(!matches!(heard, Heard::WrongMethod(_)), "{method} {path} is not taken");
            } else {
                assert_eq!(heard, Heard::WrongMethod(expected.clone()), "{method} {path}");
            }
        }
    }
    nothing_is_on_the_other_listener(&server, &paths).await;
}

async fn nothing_is_on_the_other_listener(server: &Northgate, paths: &Paths) {
    for (listener, path) in paths.keys() {
        let other = match listener {
            Listener::Public => Listener::Private,
            Listener::Private => Listener::Public,
        };
        if !paths.contains_key(&(other, path.clone())) {
            assert_eq!(ask(server, other, "GET", path).await, Heard::NotFound, "{path} on {other:?}");
        }
    }
}

/// What a server says to whether there is such a path and method.
#[derive(Debug, PartialEq)]
enum Heard {
    /// There is no such path; not that there is no such application.
    NotFound,
    /// With what `Allow` says.
    WrongMethod(BTreeSet<String>),
    Answered,
}

async fn ask(server: &Northgate, listener: Listener, method: &str, path: &str) -> Heard {
    let origin = match listener {
        Listener::Public => format!("https://{}", server.public),
        Listener::Private => format!("http://{}", server.private),
    };
    // Whatever a parameter is, it is one segment.
    let path: Vec<&str> =
        path.split('/').map(|segment| if segment.starts_with('{') { "1" } else { segment }).collect();
    let url = format!("{origin}{}", path.join("/"));
    let method = Method::from_bytes(method.as_bytes()).unwrap();
    let response = client().request(method, url).send().await.unwrap();
    let allow = response.headers().get("allow").map(|allow| allow.to_str().unwrap().to_owned());
    match response.status().as_u16() {
        405 => Heard::WrongMethod(allow.unwrap().split(',').map(str::to_owned).collect()),
        404 if is_of_no_path(&response.text().await.unwrap()) => Heard::NotFound,
        _ => Heard::Answered,
    }
}

/// In the form of the application API, or of OAuth (below `/oauth2/` and `/.well-known/`).
fn is_of_no_path(body: &str) -> bool {
    body.contains("50404") || body.contains("There is no such endpoint")
}

/// That it is the right server is not what is asked here.
fn client() -> Client {
    // Another test of this process may have said so already.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    Client::builder().danger_accept_invalid_certs(true).build().unwrap()
}
