//! Bounds on members and parameters, checked before any of them is parsed: until authentication, a sender decides how many there are.

/// The most members of a JSON text or parameters of a form or query. The largest real ones have some fifteen.
pub const MEMBERS_MAX: usize = 32;

/// More members or parameters than [`MEMBERS_MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there are more than {MEMBERS_MAX} members or parameters")]
pub struct TooMany;

/// Checks the members of all objects and the elements of all arrays of a JSON text together, at any depth.
///
/// Counts in one pass, without allocation: one for each container, and one for each comma outside of strings. An empty container
/// counts as well, which bounds the depth. A text that is not JSON is left to the parser.
pub fn check_json(json: &[u8]) -> Result<(), TooMany> {
    let (mut count, mut is_in_string, mut is_escaped) = (0, false, false);
    for byte in json {
        match (is_in_string, byte) {
            (true, _) if is_escaped => is_escaped = false,
            (true, b'\\') => is_escaped = true,
            (_, b'"') => is_in_string = !is_in_string,
            (false, b'{' | b'[' | b',') => count += 1,
            (_, _) => {}
        }
        if count > MEMBERS_MAX {
            return Err(TooMany);
        }
    }
    Ok(())
}

/// Checks the number of parameters of a query or form, empty ones included.
pub fn check_parameters(query: &str) -> Result<(), TooMany> {
    let separators = query.bytes().filter(|byte| *byte == b'&').take(MEMBERS_MAX).count();
    if separators < MEMBERS_MAX { Ok(()) } else { Err(TooMany) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(members: usize, value: &str) -> String {
        let members: Vec<_> = (0..members).map(|n| format!("\"m{n}\":{value}")).collect();
        format!("{{{}}}", members.join(","))
    }

    #[test]
    fn thirty_two_members_pass_and_one_more_does_not() {
        assert_eq!(check_json(object(32, "0").as_bytes()), Ok(()));
        assert_eq!(check_json(object(33, "0").as_bytes()), Err(TooMany));
        assert_eq!(check_json(b"{}"), Ok(()));
    }

    #[test]
    fn members_and_elements_count_at_every_depth() {
        let inner = object(16, "0");
        assert_eq!(check_json(format!(r#"{{"a":{inner},"b":{}}}"#, object(14, "0")).as_bytes()), Ok(()));
        assert_eq!(check_json(format!(r#"{{"a":{inner},"b":{inner}}}"#).as_bytes()), Err(TooMany));
        let elements = |count: usize| format!(r#"{{"a":[{}]}}"#, vec!["0"; count].join(","));
        assert_eq!(check_json(elements(31).as_bytes()), Ok(()));
        assert_eq!(check_json(elements(32).as_bytes()), Err(TooMany));
        for unit in ["[", "{\"a\":", "[[],", "{},"] {
            assert_eq!(check_json(unit.repeat(33).as_bytes()), Err(TooMany), "{unit}");
        }
    }

    #[test]
    fn separators_in_strings_do_not_count() {
        for text in [",,{[", r#"\"{,"#, r"\\\\", r#"\\\",["#] {
            let text = format!(r#"{{"a":"{}"}}"#, text.repeat(40));
            assert_eq!(check_json(text.as_bytes()), Ok(()), "{text}");
        }
        let behind = format!(r#"{{"a":"\\",{}"#, "\"b\":0,".repeat(32));
        assert_eq!(check_json(behind.as_bytes()), Err(TooMany));
    }

    #[test]
    fn parameters_count_even_if_they_are_empty() {
        assert_eq!(check_parameters(""), Ok(()));
        assert_eq!(check_parameters(&["a=b"; 32].join("&")), Ok(()));
        assert_eq!(check_parameters(&["a=b"; 33].join("&")), Err(TooMany));
        assert_eq!(check_parameters(&"&".repeat(5_461)), Err(TooMany));
    }
}
