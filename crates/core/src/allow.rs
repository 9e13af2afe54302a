//! Allow rules: which calls on the platform an application may make, by method and by the beginning of the path.
//!
//! A path is compared as it was sent. One that a server behind the gateway could read in another way (`..`, `//`,
//! `%2e`, `;`, …) is allowed by no rule, so that no rule can be walked around.

use std::fmt;

/// Rules of one application. It bounds what a call is compared with.
pub const MAX_RULES: usize = 64;

/// The longest rule, in bytes.
pub const MAX_RULE: usize = 256;

/// The rules of one application; without any, everything is allowed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Allow(Vec<Rule>);

/// These methods under this path, written as `GET,POST /iocm/app/cmd`, or `* /iocm/app/dm` for any method.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Rule {
    /// Empty for any.
    methods: Vec<String>,
    /// Without a slash at its end; empty for all paths.
    prefix: String,
}

/// A call on the platform, as its gateway describes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Call<'a> {
    pub method: &'a str,
    /// As in the request line; a query does not matter.
    pub target: &'a str,
}

/// Why texts are no rules.
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
    /// The rules that these texts are.
    pub fn parse<T: AsRef<str>>(rules: &[T]) -> Result<Allow, AllowError> {
        if rules.len() > MAX_RULES {
            return Err(AllowError::TooMany);
        }
        rules.iter().map(|rule| Rule::parse(rule.as_ref())).collect::<Result<_, _>>().map(Allow)
    }

    /// The rules as texts, which can be parsed again.
    pub fn texts(&self) -> Vec<String> {
        self.0.iter().map(Rule::to_string).collect()
    }

    /// Whether `call` may be made. A call that is not known may only where there are no rules.
    pub fn permits(&self, call: Option<Call<'_>>) -> bool {
        if self.0.is_empty() {
            return true;
        }
        let Some(call) = call else { return false };
        let path = call.target.split_once('?').map_or(call.target, |(path, _)| path);
        is_unambiguous(path) && self.0.iter().any(|rule| rule.covers(call.method, path))
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

/// Whether every server reads the same segments in this path. Servers differ in what they make of dots, of empty
/// segments, of `;parameters`, of backslashes and of what is escaped, some of them twice.
fn is_unambiguous(path: &str) -> bool {
    let Some(segments) = path.strip_prefix('/') else { return false };
    let segments = segments.strip_suffix('/').unwrap_or(segments);
    let is_plain = |segment: &str| !matches!(segment, "" | "." | "..");
    (segments.is_empty() && path == "/" || segments.split('/').all(is_plain))
        && path.bytes().all(|byte| byte.is_ascii_graphic() && !is_structure(byte))
        && escapes_are_text(path)
}

/// What some server takes for more than a character of a name. The slash and the dots are looked at in their places.
fn is_structure(byte: u8) -> bool {
    matches!(byte, b';' | b'\\' | b'#' | b'?')
}

/// Whether all that is escaped is text: UTF-8, and nothing that has a meaning of its own in a path.
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
            if byte.is_ascii_control() || is_structure(byte) || matches!(byte, b'/' | b'.' | b'%') {
                return false;
            }
        }
        decoded.push(byte);
    }
    // An overlong encoding is a dot or a slash to some.
    std::str::from_utf8(&decoded).is_ok()
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
        Allow::parse(rules).expect("rules").permits(Some(Call { method, target }))
    }

    #[test]
    fn without_rules_everything_is_allowed_and_with_one_nothing_else() {
        assert!(permits(&[], "DELETE", "//../x"));
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
            ("GET", "iocm/app/dm"),
            ("GET", "http://h/iocm/app/dm"),
            ("GET", ""),
            ("GET", "*"),
        ] {
            assert!(!permits(&rules, method, target), "{method} {target}");
        }
    }

    #[test]
    fn no_rule_can_be_walked_around() {
        for tail in [
            "/../cmd",
            "/..",
            "/./x",
            "//x",
            "/x//",
            "/%2e%2e/cmd",
            "/%2E./cmd",
            "/x%2fy",
            "/x%2F..%2Fy",
            "/x%5cy",
            "/x\\..\\y",
            "/..;/cmd",
            "/;a=b/x",
            "/x;y",
            "/%3b/x",
            "/x%3fy",
            "/x%23y",
            "/x#y",
            "/%252e%252e/cmd",
            "/x%00",
            "/x%0a",
            "/x%7f",
            "/%c0%ae%c0%ae/cmd",
            "/%e0%80%af",
            "/%ff",
            "/%",
            "/%2",
            "/%zz",
            "/%+1",
            "/x y",
            "/\u{2025}/x",
            "/x\t",
        ] {
            assert!(!permits(&["* /iocm/app/dm", "* /"], "GET", &format!("/iocm/app/dm{tail}")), "{tail}");
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
