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
    assert_eq!(found("/.well-known/oauth-authorization-server")["issuer"], Value::Null);
}
