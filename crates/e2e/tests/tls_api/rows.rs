//! Requests that are not good, with what is answered to each.

use northgate_testkit::application::{Application, FORM, JSON};

pub const INVALID: Told = (400, r#"{"error_code":"50400","error_desc":"The input is invalid."}"#);
pub const MISSING: Told =
    (400, r#"{"error_code":"102202","error_desc":"Required Parameter is null or empty."}"#);
pub const REJECTED: Told = (401, r#"{"error_code":"100208","error_desc":"AppId or secret is not right."}"#);
pub const THROTTLED: Told = (403, r#"{"error_code":"1010009","error_desc":"app throttle exceed."}"#);
pub const INTERNAL: Told = (500, r#"{"error_code":"50252","error_desc":"Internal server error."}"#);

/// A status and a body.
pub type Told = (u16, &'static str);

/// A request to an operation, and its answer.
#[derive(Debug)]
pub struct Row {
    pub operation: &'static str,
    pub content_type: &'static str,
    pub body: Vec<u8>,
    pub answer: Told,
}

/// An operation with the members of a valid request.
struct Good<'g> {
    operation: &'static str,
    members: Vec<(&'static str, &'g str)>,
}

/// Everything that can be wrong with the requests of an application, which has these tokens. `refused` is what the dialect
/// answers to a refresh token that is not good.
pub fn rows(app: &Application, access_token: &str, refresh_token: &str, refused: Told) -> Vec<Row> {
    let (app_id, secret) = (("appId", &app.app_id[..]), ("secret", &app.secret[..]));
    let login = Good { operation: "login", members: vec![app_id, secret] };
    let refresh =
        Good { operation: "refreshToken", members: vec![app_id, secret, ("refreshToken", refresh_token)] };
    let logout = Good { operation: "logout", members: vec![("accessToken", access_token)] };
    let mut rows = Vec::new();
    for good in [&login, &refresh, &logout] {
        rows.extend(good.with_a_member_that_is_wrong());
        rows.extend(good.with_a_body_that_is_wrong());
    }
    let longest = &"x".repeat(256);
    for (name, value, answer) in [
        ("appId", "nobody", REJECTED),
        ("appId", longest, REJECTED),
        ("secret", "wrong", REJECTED),
        ("secret", longest, REJECTED),
        ("refreshToken", "nonsense", refused),
        ("refreshToken", longest, refused),
        ("refreshToken", access_token, refused),
        ("accessToken", "nonsense", INVALID),
        ("accessToken", longest, INVALID),
        ("accessToken", refresh_token, INVALID),
    ] {
        for good in [&login, &refresh, &logout] {
            rows.extend(good.with(name, &serde_json::Value::from(value).to_string(), answer));
        }
    }
    rows
}

impl Good<'_> {
    fn json(&self) -> String {
        let member = |(name, value): &(&str, &str)| format!(r#""{name}":"{value}""#);
        format!("{{{}}}", self.members.iter().map(member).collect::<Vec<_>>().join(","))
    }

    fn form(&self) -> String {
        let field = |(name, value): &(&str, &str)| format!("{name}={value}");
        self.members.iter().map(field).collect::<Vec<_>>().join("&")
    }

    fn row(&self, content_type: &'static str, body: impl Into<Vec<u8>>, answer: Told) -> Row {
        Row { operation: self.operation, content_type, body: body.into(), answer }
    }

    /// The request with another value, written as JSON, for a member; none if there is no such member.
    fn with(&self, name: &str, json: &str, answer: Told) -> Option<Row> {
        let (_, value) = self.members.iter().find(|(known, _)| *known == name)?;
        let good = format!(r#""{name}":"{value}""#);
        Some(self.row(JSON, self.json().replace(&good, &format!(r#""{name}":{json}"#)), answer))
    }

    fn with_a_member_that_is_wrong(&self) -> Vec<Row> {
        let too_long = "x".repeat(257);
        let mut rows = Vec::new();
        for (name, value) in &self.members {
            let field = format!("{name}={value}");
            for (json, answer) in [
                ("null", MISSING),
                (r#""""#, MISSING),
                ("7", INVALID),
                ("-7.5e300", INVALID),
                ("true", INVALID),
                ("[]", INVALID),
                (r#"{"a":[]}"#, INVALID),
                (r#""a\u0000b""#, INVALID),
                (r#""a\nb""#, INVALID),
                (r#""\ud800""#, INVALID),
                (&format!(r#""{too_long}""#), INVALID),
                // The same one twice, and two that differ.
                (&format!(r#""{value}","{name}":"{value}""#), INVALID),
                (&format!(r#""{value}","{name}":null"#), INVALID),
            ] {
                rows.extend(self.with(name, json, answer));
            }
            for (instead, answer) in [
                (String::new(), MISSING),
                ((*name).to_owned(), MISSING),
                (format!("{name}="), MISSING),
                (format!("{name}={too_long}"), INVALID),
                (format!("{name}=a%00b"), INVALID),
                (format!("{name}=%ff"), INVALID),
                (format!("{field}&{field}"), INVALID),
            ] {
                rows.push(self.row(FORM, self.form().replace(&field, &instead), answer));
            }
            let renamed = self.json().replace(&format!(r#""{name}""#), r#""another""#);
            rows.push(self.row(JSON, renamed, MISSING));
        }
        rows
    }

    fn with_a_body_that_is_wrong(&self) -> Vec<Row> {
        let (json, form) = (self.json(), self.form());
        let more: String = (0..40).map(|n| format!(r#","m{n}":1"#)).collect();
        let many = format!("{}{more}}}", &json[..json.len() - 1]);
        let open = format!(r#"{},"deep":{}"#, &json[..json.len() - 1], "[".repeat(10_000));
        let not_utf8 = [&json.as_bytes()[..json.len() - 1], b",\"x\":\"\xff\"}"].concat();
        vec![
            self.row(JSON, "", MISSING),
            self.row(FORM, "", MISSING),
            self.row("", "", MISSING),
            self.row(JSON, "{}", MISSING),
            self.row(FORM, "&&&", MISSING),
            self.row(JSON, &json[..json.len() - 1], INVALID),
            self.row(JSON, json.clone() + "}", INVALID),
            self.row(JSON, json.replace(':', "="), INVALID),
            self.row(JSON, format!("[{json}]"), INVALID),
            self.row(JSON, serde_json::Value::from(json.clone()).to_string(), INVALID),
            self.row(JSON, "null", INVALID),
            self.row(JSON, "\0", INVALID),
            self.row(JSON, many, INVALID),
            self.row(JSON, open, INVALID),
            self.row(JSON, not_utf8, INVALID),
            self.row("text/plain", form.clone(), INVALID),
            self.row("application/xml", json.clone(), INVALID),
            self.row("multipart/form-data; boundary=x", form, INVALID),
        ]
    }
}
