//! The names in a certificate: its subject and its alternative names (RFC 5280 §4.1.2.6, §4.2.1.6).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use northgate_core::credential::{CertificateName, NameField};

use super::distinguished::Distinguished;
use super::{Certificate, Der};

const SEQUENCE: u8 = 0x30;
const RFC822_NAME: u8 = 0x81;
const DNS_NAME: u8 = 0x82;
const URI: u8 = 0x86;
const IP_ADDRESS: u8 = 0x87;

/// The subject and subject alternative names; empty if the DER does not parse.
pub fn of(der: &[u8]) -> Vec<CertificateName> {
    let Some(certificate) = Certificate::parse(der) else { return Vec::new() };
    let subject = Distinguished::decode(certificate.subject).map(|subject| subject.to_string());
    let subject = subject.filter(|subject| !subject.is_empty());
    let subject = subject.map(|value| CertificateName { field: NameField::Subject, value });
    subject.into_iter().chain(alternative(certificate.alternative_names)).collect()
}

/// The name that an operator wrote, in the form of [`of`]; `None` if a certificate cannot contain it.
pub fn written(field: NameField, text: &str) -> Option<CertificateName> {
    let value = match field {
        NameField::Subject => Distinguished::parse(text).filter(|name| !name.is_empty())?.to_string(),
        NameField::SanIp => text.parse::<IpAddr>().ok()?.to_string(),
        NameField::SanDns | NameField::SanEmail | NameField::SanUri => ia5(field, text.as_bytes())?,
    };
    Some(CertificateName { field, value })
}

fn alternative(names: Option<&[u8]>) -> Vec<CertificateName> {
    let mut found = Vec::new();
    let Some(names) = names.and_then(|names| Der(names).expect(SEQUENCE)) else { return found };
    let mut names = Der(names);
    while let Some((tag, contents)) = names.next() {
        let (field, value) = match tag {
            DNS_NAME => (NameField::SanDns, ia5(NameField::SanDns, contents)),
            RFC822_NAME => (NameField::SanEmail, ia5(NameField::SanEmail, contents)),
            URI => (NameField::SanUri, ia5(NameField::SanUri, contents)),
            IP_ADDRESS => (NameField::SanIp, ip(contents).map(|ip| ip.to_string())),
            _ => continue,
        };
        found.extend(value.map(|value| CertificateName { field, value }));
    }
    found
}

/// Host names, also those of mail addresses, compare case-insensitively; the rest byte by byte.
fn ia5(field: NameField, text: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(text).ok().filter(|text| !text.is_empty() && text.is_ascii())?;
    Some(match (field, text.rsplit_once('@')) {
        (NameField::SanDns, _) => text.to_ascii_lowercase(),
        (NameField::SanEmail, Some((local, host))) => format!("{local}@{}", host.to_ascii_lowercase()),
        (NameField::SanEmail, None) => return None,
        (NameField::Subject | NameField::SanUri | NameField::SanIp, _) => text.to_owned(),
    })
}

fn ip(bytes: &[u8]) -> Option<IpAddr> {
    let v4 = <[u8; 4]>::try_from(bytes).map(|bytes| IpAddr::V4(Ipv4Addr::from(bytes)));
    v4.or_else(|_| <[u8; 16]>::try_from(bytes).map(|bytes| IpAddr::V6(Ipv6Addr::from(bytes)))).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::string::Ia5String;
    use rcgen::{CertificateParams, DnType, KeyPair, SanType};

    #[test]
    fn the_names_of_a_certificate_are_those_that_were_put_in() {
        let mut wanted =
            CertificateParams::new(["Meters.Example".to_owned(), "192.0.2.1".to_owned()]).unwrap();
        wanted.distinguished_name = rcgen::DistinguishedName::new();
        wanted.distinguished_name.push(DnType::CountryName, "DE");
        wanted.distinguished_name.push(DnType::OrganizationName, "Strom, Gas & Co");
        wanted.distinguished_name.push(DnType::CommonName, "Z\u{e4}hler");
        wanted.subject_alt_names.push(SanType::URI(Ia5String::try_from("urn:a").unwrap()));
        wanted.subject_alt_names.push(SanType::Rfc822Name(Ia5String::try_from("A@B.C").unwrap()));
        let made = wanted.self_signed(&KeyPair::generate().unwrap()).unwrap();
        let expected = [
            (NameField::Subject, "CN = Z\u{e4}hler, O=Strom\\, Gas & Co,c=DE"),
            (NameField::SanDns, "meters.example"),
            (NameField::SanIp, "192.0.2.1"),
            (NameField::SanUri, "urn:a"),
            (NameField::SanEmail, "A@b.c"),
        ];
        let expected: Vec<_> =
            expected.into_iter().filter_map(|(field, text)| written(field, text)).collect();
        assert_eq!(of(made.der()), expected);
    }

    #[test]
    fn what_no_certificate_can_have_is_no_name() {
        for (field, text) in [
            (NameField::Subject, ""),
            (NameField::Subject, "meters"),
            (NameField::SanIp, "meters"),
            (NameField::SanDns, ""),
            (NameField::SanEmail, "meters"),
        ] {
            assert_eq!(written(field, text), None, "{text}");
        }
    }
}
