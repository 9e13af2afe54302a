//! Normalization of the URIs in proofs (RFC 9449 §4.3), without query and fragment.

/// `uri` normalized by its syntax and scheme (RFC 3986 §6.2.2, §6.2.3); `None` unless it is http or https. Dot segments stay: a
/// call with one is refused as ambiguous.
pub fn normalize(uri: &str) -> Option<String> {
    let end = uri.find(['?', '#']).unwrap_or(uri.len());
    let (scheme, rest) = uri[..end].split_once("://")?;
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let (scheme, authority) = (scheme.to_ascii_lowercase(), authority.to_ascii_lowercase());
    let default_port = match scheme.as_str() {
        "https" => ":443",
        "http" => ":80",
        _ => return None,
    };
    let host = authority.strip_suffix(default_port).unwrap_or(&authority);
    let path = if path.is_empty() { "/" } else { path };
    (!host.is_empty()).then(|| format!("{scheme}://{host}{}", normalize_escapes(path)))
}

/// Decodes escapes of unreserved characters, and writes the others in upper case (RFC 3986 §6.2.2.1, §6.2.2.2).
fn normalize_escapes(path: &str) -> String {
    let mut parts = path.split('%');
    let mut normal = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let escape = part.split_at_checked(2).filter(|(hex, _)| hex.bytes().all(|b| b.is_ascii_hexdigit()));
        let byte = escape.and_then(|(hex, rest)| Some((u8::from_str_radix(hex, 16).ok()?, hex, rest)));
        match byte {
            Some((byte, _, rest)) if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) => {
                normal.push(char::from(byte));
                normal.push_str(rest);
            }
            Some((_, hex, rest)) => {
                normal.extend(["%", &hex.to_ascii_uppercase(), rest]);
            }
            None => normal.extend(["%", part]),
        }
    }
    normal
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uris_that_are_written_in_another_way_are_the_same() {
        for same in ["HTTPS://A.example:443/b", "https://a.example/b?c=d", "https://a.example/b#c"] {
            assert_eq!(normalize(same).as_deref(), Some("https://a.example/b"));
        }
        // Regression: clients and gateways escape differently, and a valid proof counted as one for another URL.
        for same in
            ["https://a/%7eb/caf%c3%a9%2f", "https://a/~b/caf%C3%A9%2F", "https://a/%7E%62/caf%C3%a9%2f"]
        {
            assert_eq!(normalize(same).as_deref(), Some("https://a/~b/caf%C3%A9%2F"));
        }
        for other in [
            "https://a/%2",
            "https://a/%",
            "https://a/%+1",
            "https://a/%é1",
            "https://a/%25zz",
            "https://a/%252F",
        ] {
            assert_eq!(normalize(other).as_deref(), Some(other));
        }
        assert_eq!(normalize("http://a:80").as_deref(), Some("http://a/"));
        assert_eq!(normalize("https://a:80/").as_deref(), Some("https://a:80/"));
    }

    #[test]
    fn what_is_no_uri_of_a_call_is_none() {
        for bad in ["", "/b", "https://", "https:///b", "ftp://a/b"] {
            assert_eq!(normalize(bad), None, "{bad}");
        }
    }
}
