//! Figures of the page on moving applications, compared with what a server gives.

use crate::commands::root;
use crate::machine::Machine;

/// Columns and buffers of applications are sized by this table.
#[test]
fn appids_secrets_and_tokens_have_the_lengths_that_the_page_says() {
    let page = std::fs::read_to_string(root().join("docs/moving-applications.md")).unwrap();
    let length = |row: &str| {
        let line = page.lines().find(|line| line.starts_with(row)).unwrap_or_else(|| panic!("no row {row}"));
        line.split('|').nth(2).unwrap().trim().to_owned()
    };
    let tokens = length("| access token, refresh token |");
    let script = format!(
        "LOGIN=$(curl -sS --cacert \"$NORTHGATE_DATA_DIR/tls/cert.pem\" -d \"appId=$APP_ID&secret=$SECRET\" \
         https://localhost:8743/iocm/app/sec/v1.1.0/login)\n\
         [ ${{#APP_ID}} = {} ] && [ ${{#SECRET}} = {} ]\n\
         grep -Eq '\"accessToken\":\"[A-Za-z0-9_-]{{{tokens}}}\"' <<<\"$LOGIN\"\n\
         grep -Eq '\"refreshToken\":\"[A-Za-z0-9_-]{{{tokens}}}\"' <<<\"$LOGIN\"\n",
        length("| appId, allocated |"),
        length("| secret, allocated |"),
    );
    let machine = Machine::for_page("docs/moving-applications.md", "");
    machine.run(&[script]).unwrap_or_else(|output| panic!("{output}"));
}
