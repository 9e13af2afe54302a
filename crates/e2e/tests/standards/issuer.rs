//! Where metadata is when the server has a name of its own, since a client looks for it by nothing else (RFC 8414 §3).

use std::process::Command;

use serde_json::Value;

use crate::house::House;

/// RFC 8414 §3.1: the well-known path is inserted "between the host component and the path component" of the issuer.
#[test]
fn the_metadata_of_an_issuer_with_a_path_is_before_that_path() {
    let issuer = "https://tokens.example.com/one/two";
    let house = House::new(&[("NORTHGATE_OAUTH_ISSUER", issuer)]);
    let found = |path: &str| {
        let url = format!("https://localhost:{}{path}", house.server.public.port());
        let mut curl = Command::new("curl");
        curl.args(["-sS", "--cacert"]).arg(house.certificate()).arg(url);
        let output = house.server.output(&mut curl);
        serde_json::from_slice::<Value>(&output.stdout).unwrap_or_default()
    };
    let metadata = found("/.well-known/oauth-authorization-server/one/two");
    assert_eq!(metadata["issuer"], issuer);
    assert_eq!(metadata["token_endpoint"], format!("{issuer}/oauth2/token"));
    for path in [
        "/.well-known/openid-configuration/one/two",
        "/one/two/.well-known/openid-configuration",
        "/one/two/.well-known/oauth-authorization-server",
    ] {
        assert_eq!(found(path), metadata, "{path}");
    }
    assert!(found("/one/two/oauth2/jwks")["keys"].is_array());
    // That would be the metadata of another issuer.
    for path in ["/.well-known/oauth-authorization-server", "/.well-known/openid-configuration"] {
        assert_eq!(found(path)["issuer"], Value::Null);
    }
}

/// An issuer that a client would write in another way stops the start with a sentence.
#[test]
fn an_issuer_whose_path_is_no_path_of_ours_is_refused_at_the_start() {
    let home = tempfile::tempdir().unwrap();
    for path in ["/", "//a", "/a/../b", "/a//b", "/a/.well-known/b"] {
        let mut command = northgate_testkit::northgate::northgate(home.path());
        command.args(["config", "check"]).env("NORTHGATE_OAUTH_ISSUER", format!("https://a.example{path}"));
        let output = command.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && said.contains("oauth.issuer"), "{path}: {output:?}");
        assert!(said.contains("without query, fragment, final slash and empty segments"), "{said}");
    }
}
