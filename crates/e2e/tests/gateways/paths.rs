//! A path is judged, used for the choice of a route, and forwarded in one reading.

use crate::gateway::Kind;
use crate::gateway_stack::GatewayStack;
use crate::raw;

const BAD_CALL: &str = r#"{"error_code":"50400","error_desc":"The input is invalid.","resultcode":"50400","resultmsg":"The input is invalid."}"#;

/// Servers read other segments in these.
const AMBIGUOUS: &[&str] = &[
    "/iodm/../admin",
    "/iodm/x/..",
    "/iodm/./x",
    "/iodm/.",
    "/iodm//x",
    "//iodm/x",
    "/iodm/..;/manager",
    "/iodm/.;/x",
    "/iodm/x;y",
    "/iodm/x%3by",
    "/iodm/%2e%2e/x",
    "/iodm/.%2E/x",
    "/iodm/%252e%252e/x",
    "/iodm/%25%32%65/x",
    "/iodm/..%2Fx",
    "/iodm/x%2fy",
    "/iodm/..%5cx",
    "/iodm/..\\x",
    "/iodm/x%3fy",
    "/iodm/x%23y",
    "/iodm/x%00",
    "/iodm/x%0d%0ay",
    "/iodm/x%7f",
    "/iodm/%c0%ae%c0%ae/x",
    "/iodm/%e0%80%ae/x",
    "/iodm/%ff",
    "/iocm/app/sec/../dm/x",
    "/iocm/app/sec/%2e%2e/dm/x",
    "/iocm/app/sec/..%2fdm/x",
    "/iocm/app/sec/..;/dm/x",
    "/iocm/app/sec//../../dm/x",
    "/iocm//app/sec/../dm/x",
    "/oauth2/../iodm/x",
    "/.well-known/../iodm/x",
    "/x/../iodm/x",
    "/../iodm/x",
    "/IODM/../x",
];

/// Not even HTTP, or nearly: the gateway's parser may be faster, and answer in words of its own.
const MALFORMED: &[&str] = &[
    "/iodm/\u{1}x",
    "/iodm/x\ty",
    "/iodm/x#y",
    "/iodm/x#/../y",
    "/iodm/%zz",
    "/iodm/%",
    "/iodm/x%2",
    "/iodm/%u002e%u002e/x",
    "http://other/iodm/../x",
    "http://other/iodm/..;/x",
    "*",
    "iodm/x",
];

/// Letters and digits that are escaped: some servers unescape them before they choose a route.
const SPELLED: &[&str] = &[
    "/%69odm/x",
    "/iodm/%61dmin",
    "/iodm/x%39",
    "/iodm/%5A",
    "/iocm/app/s%65c/dm/x",
    "/oauth%32/x",
    "/%49ODM/x",
];

/// Every server reads the same in these.
const PLAIN: &[&str] = &[
    "/iodm/a%20b",
    "/iodm/caf%C3%A9",
    "/iodm/v1.4.0/a..b/.../x",
    "/iodm/.hidden/..x/x..",
    "/iodm/x/",
    "/iodm/",
    "/iodm/x?",
    "/iodm/x?a=/../&b=//%2e%00%zz\\",
    "/iodm/!$&'()*+,=:@-_~",
    "/iodm/%2D%7E%2C",
];

/// `/iodm/../admin` went through HAProxy as it is, `/iodm/..;/manager`, `..%5c` and `%252e%252e` through nginx and Caddy, `..%2F`
/// through Traefik, and applications without allow rules, which is the default, were protected by nothing.
#[tokio::test]
async fn an_ambiguous_path_is_refused_and_reaches_neither_platform_nor_login() {
    for kind in Kind::ALL {
        let stack = GatewayStack::new(kind).await;
        let token = stack.token().await;
        for target in AMBIGUOUS {
            for query in ["", "?x=/iodm/y"] {
                let line = format!("GET {target}{query} HTTP/1.1");
                let heard =
                    raw::send(&stack, raw::call(&stack, &line, &token, "Connection: close\r\n")).await;
                assert_eq!((heard.status, &heard.body[..]), (400, BAD_CALL), "{kind:?} {target}");
            }
        }
        for target in MALFORMED {
            let line = format!("GET {target} HTTP/1.1");
            let heard = raw::send(&stack, raw::call(&stack, &line, &token, "Connection: close\r\n")).await;
            assert_eq!(heard.status, 400, "{kind:?} {target} {heard:?}");
        }
        assert_eq!(stack.platform.calls(), 0, "{kind:?}");
    }
}

#[tokio::test]
async fn a_path_that_every_server_reads_alike_arrives_as_it_was_judged() {
    for kind in Kind::ALL {
        let stack = GatewayStack::new(kind).await;
        let token = stack.token().await;
        for target in PLAIN {
            let line = format!("GET {target} HTTP/1.1");
            let heard = raw::send(&stack, raw::call(&stack, &line, &token, "Connection: close\r\n")).await;
            assert_eq!(heard.status, 200, "{kind:?} {target} {heard:?}");
            let arrived = heard.platform()["target"].as_str().unwrap().to_owned();
            assert_eq!(judged(&stack.relay.asked()), arrived, "{kind:?} {target}");
        }
        // Only proxies are sent a whole URL. It is refused, or its path is the call.
        let line = format!("GET https://{}/iodm/x HTTP/1.1", stack.host());
        let heard = raw::send(&stack, raw::call(&stack, &line, &token, "Connection: close\r\n")).await;
        assert!(heard.status == 400 || heard.platform()["target"] == "/iodm/x", "{kind:?} {heard:?}");
    }
}

/// The call that Northgate was asked about last.
fn judged(asked: &str) -> String {
    let (_, last) = asked.rsplit_once("/verify").unwrap();
    let named = |line: &str| {
        let (name, value) = line.split_once(": ")?;
        let is_uri = ["x-original-uri", "x-forwarded-uri"].contains(&&name.to_ascii_lowercase()[..]);
        is_uri.then(|| value.to_owned())
    };
    // Envoy puts it behind the path of the question.
    last.lines().find_map(named).unwrap_or_else(|| last.split(' ').next().unwrap().to_owned())
}

/// nginx and Caddy chose the route of `/%69odm/x` by `/iodm/x` and forwarded the former; `/iocm/app/s%65c/x` went to Northgate through
/// them and to the platform through HAProxy and Envoy. Traefik unescapes before it judges, chooses and forwards.
#[tokio::test]
async fn an_escaped_letter_is_refused_or_unescaped_before_the_path_is_judged() {
    for kind in Kind::ALL {
        let stack = GatewayStack::new(kind).await;
        let token = stack.token().await;
        for target in SPELLED {
            let line = format!("GET {target} HTTP/1.1");
            let heard = raw::send(&stack, raw::call(&stack, &line, &token, "Connection: close\r\n")).await;
            match (kind, heard.status) {
                (Kind::Traefik, 200) => {
                    assert!(
                        !heard.platform()["target"].as_str().unwrap().contains('%'),
                        "{target} {heard:?}"
                    );
                }
                (Kind::Traefik, status) => assert_eq!(status, 404, "{target} {heard:?}"),
                _ => assert_eq!((heard.status, &heard.body[..]), (400, BAD_CALL), "{kind:?} {target}"),
            }
        }
    }
}

/// Caddy served `/IODM/x` as `/iodm/x`; nginx redirected `/oauth2` and `/iocm/app/sec` in HTML.
#[tokio::test]
async fn a_route_is_a_prefix_as_it_is_written() {
    for kind in Kind::ALL {
        let stack = GatewayStack::new(kind).await;
        let token = stack.token().await;
        for target in ["/IODM/x", "/iocm/APP/x", "/IOCM/app/sec/v1.1.0/login", "/OAUTH2/token", "/oauth2"] {
            let line = format!("GET {target} HTTP/1.1");
            let heard = raw::send(&stack, raw::call(&stack, &line, &token, "Connection: close\r\n")).await;
            assert_eq!(heard.status, 404, "{kind:?} {target} {heard:?}");
            assert_eq!(heard.platform()["error_code"], "50404", "{kind:?} {target} {heard:?}");
        }
        assert_eq!(stack.platform.calls(), 0, "{kind:?}");
        let call = raw::call(&stack, "GET /iocm/app/sec HTTP/1.1", &token, "Connection: close\r\n");
        assert_eq!(raw::send(&stack, call).await.platform()["target"], "/iocm/app/sec", "{kind:?}");
    }
}

/// Routes are chosen by the path that was sent: another spelling of a prefix is another path.
#[tokio::test]
async fn no_spelling_of_a_prefix_of_northgate_reaches_the_platform_unasked() {
    for kind in Kind::ALL {
        let stack = GatewayStack::new(kind).await;
        for target in AMBIGUOUS.iter().chain(MALFORMED).chain(&[
            "/iocm/app/SEC/x",
            "/IOCM/APP/DM/x",
            "/iocm/app/secx/y",
        ]) {
            let line = format!("GET {target} HTTP/1.1");
            let heard =
                raw::send(&stack, raw::call(&stack, &line, "nonsense", "Connection: close\r\n")).await;
            assert!((400..500).contains(&heard.status), "{kind:?} {target} {heard:?}");
        }
        assert_eq!(stack.platform.calls(), 0, "{kind:?}");
    }
}
