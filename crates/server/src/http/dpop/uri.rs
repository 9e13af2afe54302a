//! URIs as they are compared in proofs (RFC 9449 §4.3): without query and fragment, and written in one way.

/// The one way to write `uri` (RFC 3986 §6.2.2 and §6.2.3); nothing where it is not one of http or https.
pub fn normal(uri: &str) -> Option<String> {
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
    (!host.is_empty()).then(|| format!("{scheme}://{host}{path}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uris_that_are_written_in_another_way_are_the_same() {
        for same in ["HTTPS://A.example:443/b", "https://a.example/b?c=d", "https://a.example/b#c"] {
            assert_eq!(normal(same).as_deref(), Some("https://a.example/b"));
        }
        assert_eq!(normal("http://a:80").as_deref(), Some("http://a/"));
        assert_eq!(normal("https://a:80/").as_deref(), Some("https://a:80/"));
    }

    #[test]
    fn what_is_no_uri_of_a_call_is_none() {
        for bad in ["", "/b", "https://", "https:///b", "ftp://a/b"] {
            assert_eq!(normal(bad), None, "{bad}");
        }
    }
}
