use northgate_core::text::TextError;
use proptest::prelude::*;

use super::*;

const JSON: Option<&[u8]> = Some(b"application/json");
const FORM: Option<&[u8]> = Some(b"application/x-www-form-urlencoded");

fn login<'a>(content_type: Option<&[u8]>, body: &'a [u8]) -> Result<[Cow<'a, str>; 2], DecodeError> {
    decode(["appId", "secret"], content_type, body)
}

fn token<'a>(content_type: Option<&[u8]>, body: &'a [u8]) -> Result<Cow<'a, str>, DecodeError> {
    decode(["accessToken"], content_type, body).map(|[token]| token)
}

/// `{"appId":"a","secret":<secret>}`
fn login_with(secret: &str) -> Result<String, DecodeError> {
    let body = format!(r#"{{"appId":"a","secret":{secret}}}"#);
    login(JSON, body.as_bytes()).map(|[_, secret]| secret.into_owned())
}

#[test]
fn requests_of_real_clients_are_understood_as_sent() {
    let as_sent: [(Option<&[u8]>, &[u8]); 8] = [
        // Java, PHP and curl.
        (FORM, b"appId=a1&secret=s1"),
        // Go.
        (FORM, b"Secret=s1&appId=a1"),
        // Axios adds the charset.
        (Some(b"application/x-www-form-urlencoded; charset=UTF-8"), b"appId=a1&secret=s1"),
        // Java's JSON.
        (Some(b"application/json; charset=UTF-8"), br#"{"appId":"a1","secret":"s1","refreshToken":"r1"}"#),
        // Python's JSON, sorted and with spaces.
        (JSON, br#"{"appId": "a1", "refreshToken": "r1", "secret": "s1"}"#),
        // JSON sent as a form, and the other way round.
        (FORM, br#"{"appId":"a1","secret":"s1"}"#),
        (JSON, b"appId=a1&secret=s1"),
        (None, br#" {"appId":"a1","secret":"s1"}"#),
    ];
    for (content_type, body) in as_sent {
        let text = String::from_utf8_lossy(body);
        assert_eq!(login(content_type, body), Ok(["a1".into(), "s1".into()]), "{text}");
    }
    // Ruby's logout.
    assert_eq!(token(JSON, b"accessToken=t1"), Ok("t1".into()));
    assert_eq!(token(JSON, br#"{"accessToken":"t1"}"#), Ok("t1".into()));
}

#[test]
fn the_content_type_may_be_written_in_any_way_or_left_out() {
    for content_type in ["Application/JSON", "application/json;charset=gbk", " application/json ; a=\"b;c\""]
    {
        assert!(login(Some(content_type.as_bytes()), br#"{"appId":"a","secret":"s"}"#).is_ok());
    }
    assert!(login(None, b"appId=a&secret=s").is_ok());
    assert!(login(Some(b""), b"appId=a&secret=s").is_ok());
}

#[test]
fn another_content_type_is_wrong_whatever_the_body() {
    for content_type in ["text/plain", "application/xml", "application/jsonp", "multipart/form-data"] {
        let result = login(Some(content_type.as_bytes()), b"appId=a&secret=s");
        assert_eq!(result, Err(DecodeError::ContentType), "{content_type}");
    }
}

#[test]
fn an_empty_body_lacks_everything() {
    for content_type in [JSON, FORM, None] {
        assert_eq!(login(content_type, b""), Err(DecodeError::Missing("appId")));
    }
}

#[test]
fn missing_null_and_empty_are_the_same() {
    assert_eq!(login(JSON, b"{}"), Err(DecodeError::Missing("appId")));
    assert_eq!(login(JSON, br#"{"appId":"a"}"#), Err(DecodeError::Missing("secret")));
    assert_eq!(login_with("null"), Err(DecodeError::Missing("secret")));
    assert_eq!(login_with(r#""""#), Err(DecodeError::Missing("secret")));
    for form in ["appId=a", "appId=a&secret", "appId=a&secret=", "&&appId=a&", "appId=a&=s"] {
        assert_eq!(login(FORM, form.as_bytes()), Err(DecodeError::Missing("secret")), "{form}");
    }
}

#[test]
fn a_member_that_is_no_string_is_wrong() {
    for value in ["1", "-1", "1.5", "true", "false", "[]", r#"["s"]"#, "{}", r#"{"a":[1,{"b":null}]}"#] {
        assert_eq!(login_with(value), Err(DecodeError::NotText("secret")), "{value}");
    }
}

#[test]
fn a_member_has_at_most_256_characters_of_any_size() {
    for character in ["a", "é", "密", "𝄞"] {
        let (longest, longer) = (character.repeat(256), character.repeat(257));
        assert_eq!(login_with(&format!("\"{longest}\"")), Ok(longest.clone()));
        let too_long = DecodeError::Text("secret", TextError::TooLong);
        assert_eq!(login_with(&format!("\"{longer}\"")), Err(too_long));
        assert!(login(FORM, format!("appId=a&secret={longest}").as_bytes()).is_ok());
        assert_eq!(login(FORM, format!("appId=a&secret={longer}").as_bytes()), Err(too_long));
    }
}

#[test]
fn a_control_character_is_wrong() {
    let control = DecodeError::Text("secret", TextError::ControlCharacter);
    for value in [r#""a\u0000b""#, r#""\n""#, r#""\u007f""#] {
        assert_eq!(login_with(value), Err(control), "{value}");
    }
    // JSON allows none of them unescaped.
    assert_eq!(login_with("\"a\0b\""), Err(DecodeError::Json));
    assert_eq!(login(FORM, b"appId=a&secret=a%00b"), Err(control));
    assert_eq!(login(FORM, b"appId=a&secret=a\0b"), Err(control));
}

#[test]
fn broken_utf8_is_wrong() {
    assert_eq!(login(JSON, b"{\"appId\":\"a\",\"secret\":\"\xff\"}"), Err(DecodeError::Utf8));
    assert_eq!(login(JSON, b"{\"appId\":\"a\",\"secret\":\"s\",\"x\":\"\xc3\"}"), Err(DecodeError::Utf8));
    assert_eq!(login(FORM, b"appId=a&secret=%ff"), Err(DecodeError::Utf8));
    assert_eq!(login(FORM, b"appId=a&secret=\xc3"), Err(DecodeError::Utf8));
    // A lone surrogate is not a character.
    assert_eq!(login_with(r#""\ud800""#), Err(DecodeError::Json));
}

#[test]
fn broken_json_is_wrong() {
    let whole = r#"{"appId":"a","secret":"s"}"#;
    for end in 1..whole.len() {
        assert_eq!(login(JSON, &whole.as_bytes()[..end]), Err(DecodeError::Json), "{}", &whole[..end]);
    }
    for body in ["[]", "null", "1", "\"appId\"", "{,}", "{'appId':'a'}", "<xml/>", " ", "{\"appId\":\"a\",}"]
    {
        assert_eq!(login(JSON, body.as_bytes()), Err(DecodeError::Json), "{body}");
    }
    for garbage in ["x", "{}", ",", "\0", "]"] {
        assert_eq!(login(JSON, format!("{whole}{garbage}").as_bytes()), Err(DecodeError::Json), "{garbage}");
    }
    assert!(login(JSON, format!("\u{feff} {whole}\r\n").as_bytes()).is_ok());
}

#[test]
fn a_member_that_is_there_twice_is_wrong() {
    for body in [r#"{"appId":"a","secret":"s","appId":"a"}"#, r#"{"APPID":null,"appId":"a","secret":"s"}"#] {
        assert_eq!(login(JSON, body.as_bytes()), Err(DecodeError::Twice("appId")), "{body}");
    }
    assert_eq!(login(FORM, b"secret=s&appId=a&Secret=s"), Err(DecodeError::Twice("secret")));
    assert!(login(FORM, b"x=1&appId=a&x=2&secret=s").is_ok());
}

#[test]
fn other_members_are_ignored_whatever_they_are() {
    for value in ["null", "1e999", "-0", "\"\\u0000\"", "[[[]]]", r#"{"appId":"b","secret":1}"#, "\"[[[[\""] {
        let body = format!(r#"{{"x":{value},"appId":"a","secret":"s","refreshToken":{value}}}"#);
        assert_eq!(login(JSON, body.as_bytes()), Ok(["a".into(), "s".into()]), "{value}");
    }
    assert!(login(FORM, b"x=%ff&y&appId=a&secret=s&=z").is_ok());
}

// Regression: a body with an ignored member of more than 64 levels was refused, which no page documented.
#[test]
fn an_ignored_member_may_be_nested_as_deep_as_the_body_is_long() {
    for depth in [63, 64, 127, 128, 129, 8_000] {
        for (open, close) in [("[", "]"), ("{\"x\":", "}"), ("[{\"x\":", "}]")] {
            let nested = format!("{}0{}", open.repeat(depth), close.repeat(depth));
            let body = format!(r#"{{"appId":"a","x":{nested},"secret":"s"}}"#);
            assert_eq!(login(JSON, body.as_bytes()), Ok(["a".into(), "s".into()]), "{open} {depth}");
            // A wanted member of any depth is not a string.
            assert_eq!(login_with(&nested), Err(DecodeError::NotText("secret")), "{open} {depth}");
        }
        let unclosed = format!(r#"{{"appId":"a","secret":"s","x":{}}}"#, "[".repeat(depth));
        assert_eq!(login(JSON, unclosed.as_bytes()), Err(DecodeError::Json), "{depth}");
    }
}

#[test]
fn a_body_has_at_most_32_members_known_or_not() {
    let json = |count: usize| {
        let others: String = (2..count).map(|n| format!(r#","x{n}":{n}"#)).collect();
        format!(r#"{{"appId":"a","secret":"s"{others}}}"#)
    };
    let form = |count: usize| format!("appId=a&secret=s{}", "&x=1".repeat(count - 2));
    assert!(login(JSON, json(32).as_bytes()).is_ok() && login(FORM, form(32).as_bytes()).is_ok());
    for count in [33, 5_000] {
        assert_eq!(login(JSON, json(count).as_bytes()), Err(DecodeError::TooMany));
        assert_eq!(login(FORM, form(count).as_bytes()), Err(DecodeError::TooMany));
    }
}

#[test]
fn names_may_have_escapes_and_any_case() {
    assert!(login(JSON, br#"{"\u0061ppid":"a","SECRET":"s"}"#).is_ok());
    assert!(login(FORM, b"%61ppID=a&sEcret=s").is_ok());
}

#[test]
fn a_value_may_have_escapes() {
    assert_eq!(login_with(r#""a\"\\\u00e9\ud834\udd1e""#).as_deref(), Ok("a\"\\é𝄞"));
    let form = |secret: &str| {
        let body = format!("appId=a&secret={secret}");
        login(FORM, body.as_bytes()).map(|[_, secret]| secret.into_owned())
    };
    assert_eq!(form("a+b%20c%2B%C3%A9=d").as_deref(), Ok("a b c+é=d"));
    // Clients that do not encode.
    assert_eq!(form("50%25%&x").as_deref(), Ok("50%%"));
    assert_eq!(form("100%zz%4").as_deref(), Ok("100%zz%4"));
    assert_eq!(form("{\"a\"}/\\:\r\n").as_deref(), Ok("{\"a\"}/\\:"));
}

#[test]
fn what_is_wrong_is_said_before_what_is_missing() {
    assert_eq!(login(JSON, br#"{"secret":1}"#), Err(DecodeError::NotText("secret")));
    assert_eq!(login(JSON, br#"{"appId":"","secret":"s","SECRET":"s"}"#), Err(DecodeError::Twice("secret")));
    assert_eq!(login(JSON, br#"{"appId":1"#), Err(DecodeError::Json));
    let long = "x".repeat(257);
    let too_long = DecodeError::Text("secret", TextError::TooLong);
    assert_eq!(login(FORM, format!("secret={long}").as_bytes()), Err(too_long));
}

proptest! {
    #[test]
    fn what_is_decoded_can_be_used(content_type in 0..3, body in proptest::collection::vec(any::<u8>(), 0..64)) {
        let content_type = [JSON, FORM, None][content_type as usize];
        if let Ok(texts) = login(content_type, &body) {
            for text in texts {
                prop_assert_eq!(check_text(&text), Ok(()));
            }
        }
    }

    #[test]
    fn any_text_comes_through_json(secret in "[^\\p{Cc}]{1,256}") {
        let text = serde_json::to_string(&secret).expect("JSON");
        prop_assert_eq!(login_with(&text), Ok(secret));
    }
}
