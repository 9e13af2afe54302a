//! Laws of the client's address behind trusted proxies.

use axum::http::HeaderValue;
use proptest::prelude::*;

use super::*;
use crate::config::Config;
use crate::config::layers::Sources;
use crate::listener::timeouts::Activity;

fn proxy() -> Proxy {
    let flags = vec![("proxies.trusted".to_owned(), "10.0.0.0/8,2001:db8:f::/48".to_owned())];
    let config = Config::load(Sources { flags, ..Sources::default() }).unwrap();
    Proxy { trusted: config.proxies.trusted, authorities: None }
}

/// The client of a request with these lines, as it is logged.
fn client(lines: &[(&'static str, &str)]) -> String {
    let mut headers = HeaderMap::new();
    for (name, value) in lines {
        headers.append(*name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
    }
    let gateway = Peer::direct("10.0.0.1:4711".parse().unwrap());
    let activity = Arc::new(Activity::new(tokio::time::Instant::now()));
    proxy().client(&Remote { activity, peer: gateway, certificate: None }, &headers).peer.to_string()
}

const GATEWAY: &str = "10.0.0.1:4711";

#[test]
fn the_client_is_the_rightmost_address_that_is_not_trusted() {
    for (value, expected) in [
        ("192.0.2.7", "192.0.2.7"),
        ("6.6.6.6, 192.0.2.7", "192.0.2.7"),
        ("6.6.6.6,192.0.2.7 , 10.9.9.9,\t10.0.0.2", "192.0.2.7"),
        ("192.0.2.7:50000", "192.0.2.7:50000"),
        ("2001:db8::7", "2001:db8::7"),
        ("[2001:db8::7]", "2001:db8::7"),
        ("[2001:db8::7]:50000, 2001:db8:f::1", "[2001:db8::7]:50000"),
        ("::ffff:192.0.2.7, ::ffff:10.0.0.3", "192.0.2.7"),
        // All are trusted: the request began at the farthest.
        ("10.0.0.4, 10.0.0.3", "10.0.0.4"),
    ] {
        assert_eq!(client(&[("x-forwarded-for", value)]), expected, "{value}");
    }
    assert_eq!(client(&[]), GATEWAY);
}

#[test]
fn many_lines_are_one_list_in_their_order() {
    let lines = ["6.6.6.6", "192.0.2.7, 10.0.0.3", "10.0.0.2"].map(|line| ("x-forwarded-for", line));
    assert_eq!(client(&lines), "192.0.2.7");
    let lines =
        ["for=6.6.6.6", "for=192.0.2.7, for=10.0.0.3", "for=10.0.0.2"].map(|line| ("forwarded", line));
    assert_eq!(client(&lines), "192.0.2.7");
}

#[test]
fn what_is_not_an_address_ends_the_walk_at_the_proxy_that_wrote_it() {
    for (value, expected) in [
        ("6.6.6.6, unknown", GATEWAY),
        ("6.6.6.6, ", GATEWAY),
        ("", GATEWAY),
        ("6.6.6.6, garbage, 10.0.0.2", "10.0.0.2"),
        ("6.6.6.6, 192.0.2.7:, 10.0.0.2", "10.0.0.2"),
        ("6.6.6.6, 192.0.2.07", GATEWAY),
        ("6.6.6.6, 192.0.2.7:99999", GATEWAY),
        ("6.6.6.6, fe80::1%eth0", GATEWAY),
        ("6.6.6.6, 192.0.2.7 10.0.0.2", GATEWAY),
        ("6.6.6.6, \"192.0.2.7\"", GATEWAY),
        ("6.6.6.6, 192.0.2.7;", GATEWAY),
        ("6.6.6.6, \u{ff11}92.0.2.7", GATEWAY),
    ] {
        assert_eq!(client(&[("x-forwarded-for", value)]), expected, "{value}");
    }
}

#[test]
fn forwarded_is_read_as_rfc_7239_has_it() {
    for (value, expected) in [
        ("for=192.0.2.7", "192.0.2.7"),
        ("For=\"[2001:db8::7]:4711\"", "[2001:db8::7]:4711"),
        ("for=\"[2001:db8::7]\";proto=https;by=203.0.113.43", "2001:db8::7"),
        ("proto=https;host=\"a,b;c=\\\"\";for=192.0.2.7", "192.0.2.7"),
        ("for=\"192.0.2.7:50000\"", "192.0.2.7:50000"),
        ("for=192.0.2.7:50000", "192.0.2.7:50000"),
        ("for=\"192.0.2.7:_port\"", "192.0.2.7"),
        ("for=6.6.6.6, for=192.0.2.7 , for=10.0.0.2", "192.0.2.7"),
        ("for=6.6.6.6, for=\"\\1\\92.0.2.7\"", "192.0.2.7"),
    ] {
        assert_eq!(client(&[("forwarded", value)]), expected, "{value}");
    }
}

#[test]
fn hidden_and_malformed_elements_of_forwarded_let_nobody_choose() {
    for (value, expected) in [
        ("for=6.6.6.6, for=unknown", GATEWAY),
        ("for=6.6.6.6, for=_hidden, for=10.0.0.2", "10.0.0.2"),
        ("for=6.6.6.6, for=\"_hidden:4711\"", GATEWAY),
        ("for=6.6.6.6, proto=https", GATEWAY),
        ("for=6.6.6.6, for=2001:db8::7", GATEWAY),
        ("for=6.6.6.6, for=\"2001:db8::7\"", GATEWAY),
        // The client's quote would swallow what the proxy added.
        ("for=6.6.6.6;x=\", for=192.0.2.7", GATEWAY),
        ("for=6.6.6.6;x=\", for=\"[2001:db8::7]\"", GATEWAY),
        ("for=6.6.6.6;x=\"\\\", for=\"192.0.2.7\"", GATEWAY),
        ("for=192.0.2.7;for=6.6.6.6", GATEWAY),
        ("for=6.6.6.6,", GATEWAY),
        ("for=6.6.6.6,,for=6.6.6.6", GATEWAY),
        ("for=", GATEWAY),
        ("for = 6.6.6.6", GATEWAY),
        ("6.6.6.6", GATEWAY),
        ("", GATEWAY),
    ] {
        assert_eq!(client(&[("forwarded", value)]), expected, "{value}");
    }
    // A line of the client's with an open quote ends there.
    let lines = [("forwarded", "for=6.6.6.6;x=\""), ("forwarded", "for=192.0.2.7")];
    assert_eq!(client(&lines), "192.0.2.7");
}

#[test]
fn where_both_headers_are_there_they_have_to_agree() {
    let both = |simple, standard| client(&[("x-forwarded-for", simple), ("forwarded", standard)]);
    assert_eq!(both("192.0.2.7", "for=6.6.6.6"), GATEWAY);
    assert_eq!(both("192.0.2.7", "for=_hidden"), GATEWAY);
    assert_eq!(both("192.0.2.7", "for=\"192.0.2.7:50000\""), "192.0.2.7");
}

#[test]
fn a_long_list_is_walked_so_far_and_no_further() {
    let long = format!("6.6.6.6{}", ", 10.0.0.2".repeat(1000));
    assert_eq!(client(&[("x-forwarded-for", &long)]), "10.0.0.2");
}

proptest! {
    /// Whatever precedes what the proxy added, the client is what the proxy added, or the proxy itself.
    #[test]
    fn a_client_never_chooses(written in "[ -~]{0,40}", name in 0..2_usize) {
        let (name, added) = [("x-forwarded-for", "192.0.2.7"), ("forwarded", "for=192.0.2.7")][name];
        let found = client(&[(name, &format!("{written}, {added}"))]);
        prop_assert!(found == "192.0.2.7" || found == GATEWAY, "{found}");
        prop_assert_eq!(client(&[(name, &written), (name, added)]), "192.0.2.7");
    }
}
