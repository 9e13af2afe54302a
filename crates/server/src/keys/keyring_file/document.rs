//! The text of a keyring file: TOML, with bytes as hexadecimal digits and times in RFC 3339.

use std::fmt::Write;

use northgate_core::clock::Timestamp;
use northgate_core::key_id::KeyId;
use northgate_core::keyring::{KeyBytes, KeyRecord, KeyringRecord};
use serde::Deserialize;

use crate::rfc3339;

const HEADER: &str = "\
# The keyring of a Northgate installation. Keep it secret, and keep a backup of it apart from the database's.
# Who reads it can make tokens. If it is lost, all tokens and all allocated secrets are lost with it.
# All nodes of an installation have the same one. Written by Northgate: rotate with `northgate key rotate`.
";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    pepper: String,
    keys: Vec<Key>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Key {
    id: u16,
    created_at: String,
    /// Missing in files from before keys were published ahead of their use.
    use_from: Option<String>,
    retire_at: Option<String>,
    bytes: String,
}

/// The file's text for `record`.
pub fn format(record: &KeyringRecord) -> String {
    let mut text = format!("{HEADER}\npepper = \"{}\"\n", hex(record.pepper.reveal()));
    for key in &record.keys {
        // Writing to a String cannot fail.
        let _ = write!(text, "\n[[keys]]\nid = {}\n", key.id.0);
        let _ = writeln!(text, "created_at = \"{}\"", rfc3339::format(key.created_at));
        let _ = writeln!(text, "use_from = \"{}\"", rfc3339::format(key.use_from));
        if let Some(at) = key.retire_at {
            let _ = writeln!(text, "retire_at = \"{}\"", rfc3339::format(at));
        }
        let _ = writeln!(text, "bytes = \"{}\"", hex(key.bytes.reveal()));
    }
    text
}

/// Parses the text. The error never quotes it, since it is secret.
pub fn parse(text: &str) -> Result<KeyringRecord, String> {
    let document: Document = toml::from_str(text).map_err(|error| {
        let line = error.span().map_or(1, |span| text[..span.start].matches('\n').count() + 1);
        format!("line {line} is not as Northgate writes it")
    })?;
    let pepper = bytes(&document.pepper).ok_or("pepper must be 64 hexadecimal digits")?;
    let keys = document.keys.into_iter().map(key).collect::<Result<Vec<_>, String>>()?;
    Ok(KeyringRecord { pepper, keys })
}

fn key(key: Key) -> Result<KeyRecord, String> {
    let time = |name: &str, text: &str| -> Result<Timestamp, String> {
        rfc3339::parse(text).ok_or_else(|| format!("{name} of key {} is no time in RFC 3339", key.id))
    };
    let created_at = time("created_at", &key.created_at)?;
    let use_from = key.use_from.as_deref().map(|text| time("use_from", text)).transpose()?;
    Ok(KeyRecord {
        id: KeyId(key.id),
        created_at,
        use_from: use_from.unwrap_or(created_at),
        retire_at: key.retire_at.as_deref().map(|text| time("retire_at", text)).transpose()?,
        bytes: bytes(&key.bytes)
            .ok_or_else(|| format!("bytes of key {} must be 64 hexadecimal digits", key.id))?,
    })
}

/// The bytes as hexadecimal digits.
pub fn hex(bytes: &[u8; 32]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The bytes of 64 hexadecimal digits.
pub fn bytes(hex: &str) -> Option<KeyBytes> {
    let mut bytes = [0; 32];
    if hex.len() != 64 || !hex.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    for (byte, digits) in bytes.iter_mut().zip(hex.as_bytes().chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    }
    Some(KeyBytes::from_bytes(bytes))
}
