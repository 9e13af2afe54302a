//! Parser of one Forwarded header line (RFC 7239).

use super::Hop;

/// The clients in one line, from the last to the first; `None` for one that is hidden or not named. A line that is malformed
/// anywhere yields none: after a missing quote, a client's text could swallow what the proxy added.
pub(super) fn hops(line: &[u8]) -> impl Iterator<Item = Option<Hop>> {
    let hops = parse(line).unwrap_or_else(|| vec![None]);
    hops.into_iter().rev()
}

fn parse(line: &[u8]) -> Option<Vec<Option<Hop>>> {
    let mut rest = std::str::from_utf8(line).ok()?;
    let mut hops = Vec::new();
    loop {
        hops.push(element(&mut rest)?);
        rest = blank(rest);
        match rest.strip_prefix(',') {
            Some(next) => rest = blank(next),
            None => return rest.is_empty().then_some(hops),
        }
    }
}

/// `for=192.0.2.7;proto=https`: pairs, each name at most once.
fn element(rest: &mut &str) -> Option<Option<Hop>> {
    let mut found = None;
    loop {
        let name = take(rest, is_token)?;
        *rest = rest.strip_prefix('=')?;
        let value = match rest.strip_prefix('"') {
            Some(quoted) => {
                *rest = quoted;
                quoted_text(rest)?
            }
            None => take(rest, is_token)?.to_owned(),
        };
        if name.eq_ignore_ascii_case("for") && found.replace(node(&value)).is_some() {
            return None;
        }
        match rest.strip_prefix(';') {
            Some(next) => *rest = next,
            None => return Some(found.flatten()),
        }
    }
}

/// An address; IPv6 in brackets only. `unknown` and obfuscated identifiers (`_hidden`) are not addresses.
fn node(value: &str) -> Option<Hop> {
    let is_bare_ipv6 = !value.starts_with('[') && value.matches(':').count() > 1;
    if is_bare_ipv6 {
        return None;
    }
    // A port may be obfuscated as well.
    match value.rsplit_once(":_") {
        Some((address, hidden)) if !hidden.contains(']') => Hop::parse(address),
        Some(_) | None => Hop::parse(value),
    }
}

/// The text of a quoted string up to its closing quote.
fn quoted_text(rest: &mut &str) -> Option<String> {
    let mut text = String::new();
    let mut characters = rest.char_indices();
    while let Some((position, character)) = characters.next() {
        match character {
            '"' => {
                *rest = &rest[position + 1..];
                return Some(text);
            }
            '\\' => text.push(characters.next()?.1),
            _ => text.push(character),
        }
    }
    None
}

fn take<'t>(rest: &mut &'t str, is_part: impl Fn(char) -> bool) -> Option<&'t str> {
    let end = rest.find(|character| !is_part(character)).unwrap_or(rest.len());
    let (taken, after) = rest.split_at(end);
    *rest = after;
    (!taken.is_empty()).then_some(taken)
}

/// The characters of a token (RFC 9110 §5.6.2). Some proxies write a port without the required quotes.
fn is_token(character: char) -> bool {
    character.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~:".contains(character)
}

fn blank(text: &str) -> &str {
    text.trim_start_matches([' ', '\t'])
}
