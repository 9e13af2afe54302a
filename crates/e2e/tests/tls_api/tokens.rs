//! Tokens that are not what they are presented as.

use std::io::Write;
use std::process::Stdio;

use crate::rows::INVALID;
use northgate_testkit::application::Application;
use northgate_testkit::northgate::{Northgate, northgate};

/// Base64url, in its order.
const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// Every text that differs from the token in one bit of what it stands for, and some that differ in how it is written.
fn flipped(token: &str) -> Vec<String> {
    let mut all = Vec::new();
    for (position, letter) in token.bytes().enumerate() {
        let index = ALPHABET.iter().position(|known| *known == letter).unwrap();
        for bit in 0..6 {
            let mut other = token.as_bytes().to_vec();
            other[position] = ALPHABET[index ^ (1 << bit)];
            all.push(String::from_utf8(other).unwrap());
        }
    }
    let cut = &token[..token.len() - 1];
    all.extend([cut.to_owned(), format!("{token}A"), format!("{token}="), format!(" {token}")]);
    all.extend([
        token.to_lowercase(),
        token.to_uppercase(),
        format!("{token}{token}")[..256.min(2 * token.len())].to_owned(),
    ]);
    all
}

#[tokio::test]
async fn a_token_with_one_bit_flipped_is_none() {
    let server = Northgate::start(&[]);
    let demo = Application::demo(&server);
    let pair = demo.login().await;
    let (access, refresh) = (pair.member("accessToken"), pair.member("refreshToken"));
    for token in flipped(&refresh) {
        let answer = demo.refresh(&token).await;
        assert_eq!((answer.status, &answer.body[..]), INVALID, "{token}");
    }
    for token in flipped(&access) {
        let answer = demo.logout(&token).await;
        assert_eq!((answer.status, &answer.body[..]), INVALID, "{token}");
        // Around a header's value, white space is no part of it.
        if !token.starts_with(' ') {
            assert_eq!(demo.verify(&token).await.status, 403, "{token}");
        }
    }
    assert_eq!(demo.verify(&access).await.status, 200);
    assert_eq!(demo.refresh(&refresh).await.status, 200);
}

#[tokio::test]
async fn a_token_of_another_application_is_refused_and_stays_good_for_its_own() {
    for (dialect, expected) in [("intl", "50400"), ("cn", "100208")] {
        let server =
            Northgate::start(&[("NORTHGATE_API_DIALECT", dialect), ("NORTHGATE_POLICY_RETRY_WINDOW", "0s")]);
        let (demo, other) = (Application::demo(&server), Application::created(&server, "Other"));
        let pair = demo.login().await;
        let (access, refresh) = (pair.member("accessToken"), pair.member("refreshToken"));
        assert_eq!(other.refresh(&refresh).await.member("error_code"), expected);
        assert_eq!(other.verify(&access).await.member("error_code"), "1010005");
        assert_eq!(demo.verify(&access).await.status, 200);
        assert_eq!(demo.refresh(&refresh).await.status, 200);
    }
}

#[tokio::test]
async fn an_access_token_is_no_refresh_token_and_the_other_way_round() {
    let server = Northgate::start(&[]);
    let demo = Application::demo(&server);
    let pair = demo.login().await;
    let (access, refresh) = (pair.member("accessToken"), pair.member("refreshToken"));
    assert_eq!(demo.refresh(&access).await.member("error_code"), "50400");
    assert_eq!(demo.logout(&refresh).await.member("error_code"), "50400");
    assert_eq!(demo.verify(&refresh).await.member("error_code"), "1010005");
    assert_eq!(demo.verify(&access).await.status, 200);
}

// With the database of the other one, so that the application, its secret and the grant are the same: only the keyring is
// not. A stolen database is worthless.
#[tokio::test]
async fn a_token_of_another_installation_is_none_of_ours() {
    let there = Northgate::start(&[]);
    let theirs = twin(&there);
    let pair = theirs.login().await;
    let (access, refresh) = (pair.member("accessToken"), pair.member("refreshToken"));
    there.tell(&["backup", "copy.db"]);
    let (home, _) = Northgate::start(&[]).end("-TERM");
    let copy = there.home.path().join("copy.db");
    let restored = northgate(home.path()).arg("restore").arg(copy).output().unwrap();
    assert!(restored.status.success(), "{restored:?}");

    let here = Northgate::start_in(home, &[]);
    let ours = Application::new(&here, &theirs.app_id, &theirs.secret);
    assert_eq!(ours.login().await.status, 200);
    assert_eq!(ours.refresh(&refresh).await.member("error_code"), "50400");
    assert_eq!(ours.logout(&access).await.member("error_code"), "50400");
    assert_eq!(ours.verify(&access).await.member("error_code"), "1010005");
    assert_eq!(theirs.verify(&access).await.status, 200);
    assert_eq!(theirs.refresh(&refresh).await.status, 200);
}

/// An application whose secret does not depend on a keyring.
fn twin(server: &Northgate) -> Application {
    let admin_listen = server.private.to_string();
    let mut create = northgate(server.home.path());
    create.args([
        "app",
        "create",
        "Twin",
        "--app-id",
        "twin",
        "--secret-stdin",
        "--admin-listen",
        &admin_listen,
    ]);
    let mut create = create.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    create.stdin.take().unwrap().write_all(b"imported_secret\n").unwrap();
    assert!(create.wait().unwrap().success());
    Application::new(server, "twin", "imported_secret")
}
