//! Keys and certificates in the forms that OpenSSL writes, right and wrong ones.

use std::fs;
use std::path::Path;
use std::process::Command;

use northgate_server::config::tls::CertificateFiles;
use northgate_server::tls::Tls;

use crate::edge::running::{seeds, tls, tls_settings};
use crate::support::identity::{Identity, write_key};

/// Why a start with these files is refused, with the folder as `…`.
fn refusal(files: &CertificateFiles, folder: &Path) -> String {
    let error = Tls::load(tls_settings(vec![files.clone()]), seeds(1)).unwrap_err();
    error.to_string().replace(folder.to_str().unwrap(), "…")
}

fn openssl(folder: &Path, arguments: &str) {
    let said = Command::new("openssl").args(arguments.split(' ')).current_dir(folder).output().unwrap();
    assert!(said.status.success(), "openssl {arguments}: {said:?}");
}

#[test]
fn keys_are_taken_in_every_usual_form() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let (rsa, ecdsa) = (Identity::rsa().write(folder, "rsa"), Identity::ecdsa().write(folder, "ecdsa"));
    openssl(folder, "pkey -in rsa.key -traditional -out pkcs1.key");
    openssl(folder, "pkey -in ecdsa.key -traditional -out sec1.key");
    openssl(folder, "ecparam -name prime256v1 -out parameters.pem");
    let read = |name: &str| fs::read_to_string(folder.join(name)).unwrap();
    assert!(read("pkcs1.key").starts_with("-----BEGIN RSA PRIVATE KEY"));
    assert!(read("sec1.key").starts_with("-----BEGIN EC PRIVATE KEY"));
    // As `openssl ecparam -genkey` writes it, and two keys of which the second is the one.
    write_key(&folder.join("genkey.key"), &(read("parameters.pem") + &read("sec1.key")));
    write_key(&folder.join("both.key"), &(read("rsa.key") + &read("ecdsa.key")));
    for (chain, key) in [
        (&rsa.chain, "rsa.key"),
        (&rsa.chain, "pkcs1.key"),
        (&ecdsa.chain, "ecdsa.key"),
        (&ecdsa.chain, "sec1.key"),
        (&ecdsa.chain, "genkey.key"),
        (&ecdsa.chain, "both.key"),
    ] {
        tls(vec![CertificateFiles { chain: chain.clone(), key: folder.join(key) }]);
    }
}

#[test]
fn each_wrong_file_is_named_for_what_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let good = Identity::rsa().write(folder, "server");
    openssl(folder, "pkey -in server.key -aes256 -passout pass:x -out encrypted.key");
    openssl(folder, "rsa -in server.key -aes256 -passout pass:x -traditional -out old.key");
    openssl(folder, "x509 -in server.pem -outform der -out server.der");
    openssl(folder, "pkcs12 -export -in server.pem -inkey server.key -passout pass:x -out server.p12");
    let text = fs::read_to_string(&good.chain).unwrap();
    let utf16: Vec<u8> =
        "\u{feff}".encode_utf16().chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect();
    fs::write(folder.join("utf16.pem"), utf16).unwrap();
    fs::write(folder.join("empty"), " \n").unwrap();
    fs::write(folder.join("page.html"), "<html>not found</html>").unwrap();
    fs::write(folder.join("cut.pem"), &text[..text.len() - 30]).unwrap();
    let exchanged = ": are the files of tls.certificates and tls.keys exchanged?";
    for (chain, key, expected) in [
        (
            "server.key",
            "server.pem",
            format!("…/server.key contains no certificate, but PRIVATE KEY{exchanged}"),
        ),
        (
            "server.pem",
            "server.pem",
            format!("…/server.pem contains no private key, but CERTIFICATE{exchanged}"),
        ),
        ("empty", "server.key", "…/empty is empty".to_owned()),
        ("server.pem", "empty", "…/empty is empty".to_owned()),
        ("server.der", "server.key", "…/server.der is binary (DER or PKCS#12) and not PEM".to_owned()),
        ("server.p12", "server.key", "…/server.p12 is binary (DER or PKCS#12) and not PEM".to_owned()),
        ("utf16.pem", "server.key", "…/utf16.pem is text in UTF-16: save it as ASCII or UTF-8".to_owned()),
        (
            "page.html",
            "server.key",
            "…/page.html contains no certificate: it is not in PEM format".to_owned(),
        ),
        ("cut.pem", "server.key", "…/cut.pem is not in PEM format".to_owned()),
        ("server.pem", "encrypted.key", "the private key in …/encrypted.key is encrypted".to_owned()),
        ("server.pem", "old.key", "the private key in …/old.key is encrypted".to_owned()),
        ("server.pem", "nowhere", "…/nowhere could not be read".to_owned()),
    ] {
        let said = refusal(&CertificateFiles { chain: folder.join(chain), key: folder.join(key) }, folder);
        assert!(said.starts_with(&expected), "{said}");
    }
}
