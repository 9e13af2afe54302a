//! Calls on the platform, and allow rules: which calls an application may make, by method and path prefix.
//!
//! A path is compared as it was sent. A path that servers read in different ways (`..`, `//`, `%2e`, `;`, …) is ambiguous and
//! makes no [`Call`], for any application: the gateway would choose a route by one reading, and the platform by another.

use std::fmt;

/// The most rules of one application; it bounds the comparisons for each call.
pub const MAX_RULES: usize = 64;

/// The longest rule, in bytes.
pub const MAX_RULE: usize = 256;

/// The allow rules of one application; an application without rules may make every call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Allow(Vec<Rule>);

/// One rule: methods and a path prefix, written as `GET,POST /iocm/app/cmd`, or `* /iocm/app/dm` for any method.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Rule {
    /// Empty for any.
    methods: Vec<String>,
    /// Without a trailing slash; empty for all paths.
    prefix: String,
}

/// A call on the platform with an unambiguous path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Call<'a> {
    method: &'a str,
    target: &'a str,
    path: &'a str,
}

/// A path that servers read in different ways, or a target that is not a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the path of the call is ambiguous: servers read it in different ways")]
pub struct AmbiguousPath;

impl<'a> Call<'a> {
    /// Parses a call from its method and the target of the request line; the query may be anything.
    pub fn parse(method: &'a str, target: &'a str) -> Result<Call<'a>, AmbiguousPath> {
        let path = target.split_once('?').map_or(target, |(path, _)| path);
        if is_unambiguous(path) { Ok(Call { method, target, path }) } else { Err(AmbiguousPath) }
    }

    pub fn method(&self) -> &'a str {
        self.method
    }

    /// Path and query, as in the request line.
    pub fn target(&self) -> &'a str {
        self.target
    }
}

/// Reason why texts are not rules.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AllowError {
    #[error("an application has at most {MAX_RULES} rules: name a shorter path instead of many longer ones")]
    TooMany,
    #[error("a rule has at most {MAX_RULE} characters")]
    TooLong,
    #[error("a rule is methods, a space and a path, such as \"GET,POST /iocm/app/cmd\", and not {0:?}")]
    Form(String),
    #[error("methods are upper-case words with commas between them, or * for any, and not {0:?}")]
    Methods(String),
    #[error("a path begins with / and has no //, no . or .. alone, no % and none of ; ? # \\, unlike {0:?}")]
    Path(String),
}

impl Allow {
    /// Parses rules.
    pub fn parse<T: AsRef<str>>(rules: &[T]) -> Result<Allow, AllowError> {
        if rules.len() > MAX_RULES {
            return Err(AllowError::TooMany);
        }
        rules.iter().map(|rule| Rule::parse(rule.as_ref())).collect::<Result<_, _>>().map(Allow)
    }

    /// The rules as texts that [`Allow::parse`] reads.
    pub fn texts(&self) -> Vec<String> {
        self.0.iter().map(Rule::to_string).collect()
    }

    /// Whether the rules permit `call`. An unknown call is permitted only without rules.
    pub fn permits(&self, call: Option<Call<'_>>) -> bool {
        if self.0.is_empty() {
            return true;
        }
        call.is_some_and(|call| self.0.iter().any(|rule| rule.covers(call.method, call.path)))
    }
}

impl Rule {
    fn parse(text: &str) -> Result<Rule, AllowError> {
        if text.len() > MAX_RULE {
            return Err(AllowError::TooLong);
        }
        let (methods, path) = text.trim().split_once(' ').ok_or_else(|| AllowError::Form(text.to_owned()))?;
        let path = path.trim_start();
        if path.contains(['%', '?']) || !is_unambiguous(path) {
            return Err(AllowError::Path(path.to_owned()));
        }
        let methods: Vec<String> = match methods {
            "*" => Vec::new(),
            methods => methods.split(',').map(str::to_owned).collect(),
        };
        let is_method =
            |word: &String| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_uppercase());
        if !methods.iter().all(is_method) {
            return Err(AllowError::Methods(methods.join(",")));
        }
        Ok(Rule { methods, prefix: path.trim_end_matches('/').to_owned() })
    }

    /// The path below the prefix begins with a new segment: `/iocm/app/dm` does not cover `/iocm/app/dms`.
    fn covers(&self, method: &str, path: &str) -> bool {
        (self.methods.is_empty() || self.methods.iter().any(|allowed| allowed == method))
            && path
                .strip_prefix(&*self.prefix)
                .is_some_and(|below| below.is_empty() || below.starts_with('/'))
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let methods = if self.methods.is_empty() { "*" } else { &self.methods.join(",") };
        let path = if self.prefix.is_empty() { "/" } else { &self.prefix };
        write!(f, "{methods} {path}")
    }
}

/// Whether every server reads the same segments in this path. Servers treat dot segments, empty segments, `;parameters`,
/// backslashes and escapes differently, and some decode twice. The gateway files refuse the same by a regular expression.
fn is_unambiguous(path: &str) -> bool {
    let Some(segments) = path.strip_prefix('/') else { return false };
    if segments.is_empty() {
        return true;
    }
    let segments = segments.strip_suffix('/').unwrap_or(segments);
    let is_plain = |segment: &str| !matches!(segment, "" | "." | "..");
    segments.split('/').all(is_plain)
        && path.bytes().all(|byte| byte.is_ascii_graphic() && !is_structure(byte))
        && escapes_are_text(path)
}

/// Whether some server takes the byte for more than a character of a name. Slashes and dots are checked in their places.
fn is_structure(byte: u8) -> bool {
    matches!(byte, b';' | b'\\' | b'#' | b'?')
}

/// Whether every escape is plain text: UTF-8, and no character with a meaning of its own in a path.
fn escapes_are_text(path: &str) -> bool {
    if !path.contains('%') {
        return true;
    }
    let mut decoded = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let Some((byte, behind)) = rest.split_first() {
        rest = behind;
        let mut byte = *byte;
        if byte == b'%' {
            let Some((Some(unescaped), behind)) =
                behind.split_at_checked(2).map(|(hex, rest)| (escaped(hex), rest))
            else {
                return false;
            };
            (byte, rest) = (unescaped, behind);
            if byte.is_ascii_control() || is_structure(byte) || is_never_escaped(byte) {
                return false;
            }
        }
        decoded.push(byte);
    }
    if path.split('/').any(is_blank_or_dots) {
        return false;
    }
    // Some servers decode an overlong encoding to a dot or a slash.
    std::str::from_utf8(&decoded).is_ok()
}

/// Some servers remove blanks at the ends of a segment: `..%20` is then `..`, and `%20` empty.
fn is_blank_or_dots(segment: &str) -> bool {
    let mut bare = segment;
    while let Some(rest) = bare.strip_suffix("%20").or_else(|| bare.strip_prefix("%20")) {
        bare = rest;
    }
    bare.len() < segment.len() && matches!(bare, "" | "." | "..")
}

/// Characters that stand for themselves in a path. `/%61dmin` is `/admin` only to servers that unescape before they route.
fn is_never_escaped(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'.' | b'%')
}

fn escaped(hex: &[u8]) -> Option<u8> {
    let digit = |byte: &u8| char::from(*byte).to_digit(16);
    match hex {
        [high, low] => u8::try_from(digit(high)? * 16 + digit(low)?).ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn permits(rules: &[&str], method: &str, target: &str) -> bool {
        Allow::parse(rules).expect("rules").permits(Some(Call::parse(method, target).expect(target)))
    }

    #[test]
    fn without_rules_everything_is_allowed_and_with_one_nothing_else() {
        assert!(permits(&[], "DELETE", "/x"));
        assert!(Allow::default().permits(None));
        assert!(!Allow::parse(&["* /"]).expect("a rule").permits(None));
        assert!(permits(&["* /"], "PATCH", "/anything/at%20all?x=/../"));
    }

    #[test]
    fn a_rule_covers_its_methods_at_its_path_and_below() {
        let rules = ["GET,POST /iocm/app/dm", "* /iodm/"];
        for (method, target) in [
            ("GET", "/iocm/app/dm"),
            ("POST", "/iocm/app/dm/v1.4.0/devices/d?appId=owner"),
            ("GET", "/iocm/app/dm/"),
            ("DELETE", "/iodm/northbound"),
            ("GET", "/iocm/app/dm/caf%C3%A9%20x"),
        ] {
            assert!(permits(&rules, method, target), "{method} {target}");
        }
        for (method, target) in [
            ("PUT", "/iocm/app/dm/x"),
            ("get", "/iocm/app/dm/x"),
            ("HEAD", "/iocm/app/dm/x"),
            ("GET", "/iocm/app/dms"),
            ("GET", "/iocm/app"),
            ("GET", "/IOCM/app/dm"),
        ] {
            assert!(!permits(&rules, method, target), "{method} {target}");
        }
    }

    /// Regression: only applications with allow rules were protected. `/iodm/../admin` and `/iodm/..;/manager` passed through
    /// gateways to the platform, which reads another path in them than the gateway.
    #[test]
    fn a_path_that_servers_read_in_different_ways_makes_no_call() {
        let dots = [
            "/..",
            "/../cmd",
            "/./x",
            "/.",
            "/x/./",
            "/..;/cmd",
            "/.;/x",
            "/..\\x",
            "/%2e%2e/cmd",
            "/%2E./cmd",
            "/.%2e",
            "/..%20/cmd",
            "/%20../cmd",
            "/%20.%20",
            "/%20/x",
        ];
        let empty = ["//x", "/x//", "//"];
        let escaped = [
            "/x%2fy",
            "/x%2F..%2Fy",
            "/x%5cy",
            "/%3b/x",
            "/x%3fy",
            "/x%23y",
            "/%252e%252e/cmd",
            "/%25",
            "/x%2ey",
        ];
        let control =
            ["/x%00", "/x%0a", "/x%0D%0Ay", "/x%7f", "/x%1F", "/x\0", "/x\t", "/x y", "/x\r", "/x\u{7f}"];
        let no_text = [
            "/%c0%ae%c0%ae/cmd",
            "/%e0%80%af",
            "/%ff",
            "/%f8%80%80%80%ae",
            "/%ed%a0%80",
            "/%C3",
            "/caf\u{e9}",
            "/\u{2025}/x",
        ];
        let no_escape = ["/%", "/%2", "/%zz", "/%+1", "/%u002e"];
        let unreserved = ["/%41", "/%7A", "/%30", "/x%39", "/d%6d", "/%5a", "/%4F", "/%70"];
        let structure = ["/;a=b/x", "/x;y", "/x;", "/x\\..\\y", "/x#y", "/#", "/x#/../?q"];
        let below =
            [&dots[..], &empty, &escaped, &control, &no_text, &no_escape, &unreserved, &structure].concat();
        for path in below.iter().map(|tail| format!("/iocm/app/dm{tail}")) {
            assert_eq!(Call::parse("GET", &path), Err(AmbiguousPath), "{path}");
            assert_eq!(Call::parse("GET", &format!("{path}?q")), Err(AmbiguousPath), "{path}");
        }
        for target in
            ["", "*", "?", "iocm/app/dm", "http://h/iocm/app/dm", "//h/iocm", "..", "/..", "h:443", "\\x"]
        {
            assert_eq!(Call::parse("GET", target), Err(AmbiguousPath), "{target}");
        }
    }

    #[test]
    fn a_path_that_every_server_reads_alike_makes_a_call_whatever_its_query_is() {
        for target in [
            "/",
            "/?",
            "/a/",
            "/a%20b/caf%C3%A9/%E2%80%A5",
            "/v1.4.0/devices/a.b..c/...",
            "/.well-known/x/.hidden/..x/x..",
            "/a!$&'()*+,:=@-_~\"<>[]^`{|}",
            "/%2D%5F%7E%40%2C%60%5B%5D%5E%7B",
            "/a?x=/../;%2e%00#\\//\u{e9}\0 ?",
        ] {
            assert!(Call::parse("GET", target).is_ok(), "{target}");
        }
    }

    #[test]
    fn rules_are_read_as_they_were_written() {
        let rules = ["GET,POST /iocm/app/cmd", "* /", "GET /a/b.c"];
        assert_eq!(Allow::parse(&rules).expect("rules").texts(), rules);
        assert_eq!(Allow::parse(&[" *   /a/ "]).expect("a rule").texts(), ["* /a"]);
    }

    #[test]
    fn what_is_no_rule_is_refused() {
        let bad = |rule: &str| Allow::parse(&[rule]).expect_err(rule);
        for form in ["", "GET", "/iocm"] {
            assert!(matches!(bad(form), AllowError::Form(_)), "{form}");
        }
        for methods in ["get /a", "GET, /a", ", /a", "G*T /a", "*,GET /a"] {
            assert!(matches!(bad(methods), AllowError::Methods(_)), "{methods}");
        }
        for path in ["GET a", "GET /a/../b", "GET //", "GET /a%20", "GET /a?b", "GET /a /b", "GET /é"] {
            assert!(matches!(bad(path), AllowError::Path(_)), "{path}");
        }
        assert_eq!(bad(&format!("GET /{}", "a".repeat(MAX_RULE))), AllowError::TooLong);
        assert_eq!(Allow::parse(&["* /"; MAX_RULES + 1]), Err(AllowError::TooMany));
        assert!(Allow::parse(&["* /"; MAX_RULES]).is_ok());
    }
}
