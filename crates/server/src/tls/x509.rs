//! Parser of the certificate fields that rustls does not expose: validity, public key and names (RFC 5280 §4.1).

mod distinguished;
pub mod names;

/// The fields of a certificate, borrowed from its DER.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Certificate<'a> {
    /// Seconds since 1970; negative before.
    pub not_before_s: i64,
    pub not_after_s: i64,
    /// The contents of the key's AlgorithmIdentifier.
    pub key_algorithm: &'a [u8],
    pub key: &'a [u8],
    /// The contents of its issuer.
    pub issuer: &'a [u8],
    /// The contents of its subject.
    pub subject: &'a [u8],
    /// The extension subjectAltName, if it has one.
    pub alternative_names: Option<&'a [u8]>,
}

const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xa0;
const EXTENSIONS: u8 = 0xa3;
const OBJECT_IDENTIFIER: u8 = 0x06;
const OCTET_STRING: u8 = 0x04;
/// 2.5.29.17 (RFC 5280, section 4.2.1.6).
const SUBJECT_ALT_NAME: [u8; 3] = [0x55, 0x1d, 0x11];

impl<'a> Certificate<'a> {
    /// Parses versions 1 to 3; `None` if it is not a certificate.
    pub fn parse(der: &'a [u8]) -> Option<Certificate<'a>> {
        let mut outer = Der(Der(der).expect(SEQUENCE)?);
        let mut body = Der(outer.expect(SEQUENCE)?);
        // Version 1 has no version.
        if body.0.first() == Some(&VERSION) {
            body.expect(VERSION)?;
        }
        body.expect(INTEGER)?; // Serial number.
        body.expect(SEQUENCE)?; // Signature algorithm.
        let issuer = body.expect(SEQUENCE)?;
        let mut validity = Der(body.expect(SEQUENCE)?);
        let subject = body.expect(SEQUENCE)?;
        let mut key_info = Der(body.expect(SEQUENCE)?);
        Some(Certificate {
            not_before_s: time(validity.next()?)?,
            not_after_s: time(validity.next()?)?,
            key_algorithm: key_info.expect(SEQUENCE)?,
            // The first byte counts the unused bits, of which keys have none.
            key: key_info.expect(BIT_STRING)?.strip_prefix(&[0])?,
            issuer,
            subject,
            alternative_names: alternative_names(body),
        })
    }
}

/// Searches the extensions at the end of a certificate's body.
fn alternative_names<'a>(mut body: Der<'a>) -> Option<&'a [u8]> {
    let extensions = loop {
        let (tag, contents) = body.next()?;
        if tag == EXTENSIONS {
            break contents;
        }
    };
    let mut extensions = Der(Der(extensions).expect(SEQUENCE)?);
    loop {
        let mut extension = Der(extensions.expect(SEQUENCE)?);
        if extension.expect(OBJECT_IDENTIFIER)? != SUBJECT_ALT_NAME {
            continue;
        }
        // The optional flag "critical" comes between.
        while let Some((tag, contents)) = extension.next() {
            if tag == OCTET_STRING {
                return Some(contents);
            }
        }
    }
}

/// Unread DER.
struct Der<'a>(&'a [u8]);

impl<'a> Der<'a> {
    fn expect(&mut self, tag: u8) -> Option<&'a [u8]> {
        self.next().filter(|(found, _)| *found == tag).map(|(_, contents)| contents)
    }

    fn next(&mut self) -> Option<(u8, &'a [u8])> {
        let (&[tag, first], mut rest) = self.0.split_first_chunk()?;
        let length = match first {
            0..=0x7f => usize::from(first),
            // One to four bytes of length follow.
            0x81..=0x84 => {
                let (bytes, after) = rest.split_at_checked(usize::from(first & 0x7f))?;
                rest = after;
                bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte))
            }
            _ => return None,
        };
        let (contents, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some((tag, contents))
    }
}

/// `YYMMDDhhmmssZ` or `YYYYMMDDhhmmssZ`, as RFC 5280 allows them, in seconds since 1970.
fn time((tag, text): (u8, &[u8])) -> Option<i64> {
    let digits = std::str::from_utf8(text.strip_suffix(b"Z")?).ok()?;
    let year_digits = match (tag, digits.len()) {
        (UTC_TIME, 12) => 2,
        (GENERALIZED_TIME, 14) => 4,
        _ => return None,
    };
    if !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let two = |at: usize| digits[at..at + 2].parse::<i64>().ok();
    let year = match digits[..year_digits].parse::<i64>().ok()? {
        short if tag == UTC_TIME && short < 50 => 2000 + short,
        short if tag == UTC_TIME => 1900 + short,
        year => year,
    };
    let at = year_digits;
    let days = days_since_1970(year, two(at)?, two(at + 2)?);
    Some(((days * 24 + two(at + 4)?) * 60 + two(at + 6)?) * 60 + two(at + 8)?)
}

/// The Gregorian calendar, with years that begin in March so that the leap day comes last.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (century_cycle, year_of_cycle) = (year.div_euclid(400), year.rem_euclid(400));
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_cycle = year_of_cycle * 365 + year_of_cycle / 4 - year_of_cycle / 100 + day_of_year;
    century_cycle * 146_097 + day_of_cycle - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_seconds_since_1970() {
        assert_eq!(time((UTC_TIME, b"700101000000Z")), Some(0));
        assert_eq!(time((UTC_TIME, b"491231235959Z")), Some(2_524_607_999));
        assert_eq!(time((UTC_TIME, b"500101000000Z")), Some(-631_152_000));
        assert_eq!(time((GENERALIZED_TIME, b"20240229120000Z")), Some(1_709_208_000));
        assert_eq!(time((GENERALIZED_TIME, b"20000301000000Z")), Some(951_868_800));
        assert_eq!(time((UTC_TIME, b"20240229120000Z")), None);
        assert_eq!(time((GENERALIZED_TIME, b"2024022912000+Z")), None);
    }

    #[test]
    fn a_certificate_that_is_cut_off_anywhere_is_no_certificate() {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let der = made.cert.der();
        let whole = Certificate::parse(der).unwrap();
        assert!(whole.not_before_s < whole.not_after_s);
        for length in 0..der.len() {
            assert_eq!(Certificate::parse(&der[..length]), None);
        }
    }
}
