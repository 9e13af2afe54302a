//! `serve --dev`: creates a certificate and an application to try the server out, and prints lines to paste.

use std::borrow::Cow;
use std::fmt::Write;

use northgate_core::actor::Actor;
use northgate_core::administer::{Creation, Wanted};
use northgate_core::allow::Allow;
use northgate_core::auth::Auth;
use northgate_core::clock::Timestamp;
use northgate_core::policy::Overrides;

use super::ServeError;
use crate::cli::output;
use crate::config::Config;
use crate::config::tls::CertificateFiles;
use crate::tls;

/// The name of the try-out application.
const DEMO: &str = "demo";

/// Creates a self-signed certificate in the data directory, unless one exists.
pub fn make_certificate(config: &Config) -> Result<(), ServeError> {
    if config.tls.certificates.contains(&CertificateFiles::in_data_dir(&config.data_dir)) {
        tls::dev::certificate(&config.data_dir).map_err(|error| ServeError::Dev(Box::new(error)))?;
    }
    Ok(())
}

/// Creates the application at the first start, and prints how to use it.
pub async fn introduce(config: &Config, auth: &Auth, now: Timestamp) -> Result<(), ServeError> {
    if auth.registry().count() > 0 {
        output::line(&welcome_back(config, auth));
        return Ok(());
    }
    let wanted = Wanted {
        id: None,
        name: DEMO.to_owned(),
        owner: None,
        secret: None,
        overrides: Overrides::default(),
        allow: Allow::default(),
    };
    match auth.create(wanted, &Actor::LOCAL, now).await.map_err(|error| ServeError::Dev(Box::new(error)))? {
        Creation::Created(application, Some(secret)) => {
            output::line(&welcome(config, application.id.as_str(), secret.reveal()));
        }
        // A new appId is random, so that it cannot be taken.
        Creation::Created(_, None) | Creation::Same(_) | Creation::Taken(_) => {}
    }
    Ok(())
}

fn welcome(config: &Config, app_id: &str, secret: &str) -> String {
    let api = format!("{}{}/iocm/app/sec/v1.1.0", public(config), config.api.prefix);
    let certificate = CertificateFiles::in_data_dir(&config.data_dir).chain;
    let curl = format!("curl -sS --cacert {}", shell_word(&certificate.display().to_string()));
    let token = |name: &str| format!(r#"$(echo "$TOKENS" | sed 's/.*"{name}":"\([^"]*\)".*/\1/')"#);
    let json = "-H 'Content-Type: application/json'";
    let mut text = places(config);
    // Writing to a String cannot fail.
    let _ = write!(
        text,
        r#"
The application `{DEMO}`:
  appId   {app_id}
  secret  {secret}    (shown this once)

Log in, refresh, log out; paste them in this order, in the directory that the server was started in:

TOKENS=$({curl} -d 'appId={app_id}&secret={secret}' {api}/login); echo "$TOKENS"

TOKENS=$({curl} {json} -d '{{"appId":"{app_id}","secret":"{secret}","refreshToken":"'"{refresh}"'"}}' {api}/refreshToken); echo "$TOKENS"

{curl} {json} -d '{{"accessToken":"'"{access}"'"}}' -w '%{{http_code}}\n' {api}/logout

"#,
        refresh = token("refreshToken"),
        access = token("accessToken"),
    );
    text
}

fn welcome_back(config: &Config, auth: &Auth) -> String {
    let mut text = places(config);
    let demo = auth.registry().all().into_iter().find(|application| application.name == DEMO);
    // Writing to a String cannot fail.
    let _ = match demo {
        Some(demo) => write!(
            text,
            "\nThe application `{DEMO}`:\n  appId   {id}\n  secret  was shown when it was created; add a new one with\n          \
             {program} app secret add {id} --data-dir {data_dir} --admin-listen {admin}\n\n",
            id = demo.id,
            program = shell_word(&program()),
            data_dir = shell_word(&config.data_dir.display().to_string()),
            admin = config.admin_listen,
        ),
        None => writeln!(text),
    };
    text
}

fn places(config: &Config) -> String {
    format!(
        "Northgate serves applications on {} and its operator on http://{}.\nIts data is in {}.\n",
        public(config),
        config.admin_listen,
        config.data_dir.display()
    )
}

/// The URL for OAuth clients, because assertions and proofs name it; the listener's own where the issuer leads elsewhere.
fn public(config: &Config) -> String {
    let (issuer, listen) = (config.oauth.at(config.listen).issuer, config.listen);
    if issuer.leads_to(listen) { issuer.origin() } else { format!("https://{listen}") }
}

/// The program's name as it was called, so that a line with it works as pasted.
fn program() -> String {
    std::env::args().next().unwrap_or_else(|| "northgate".to_owned())
}

/// The text as one word of a shell's command line.
fn shell_word(text: &str) -> Cow<'_, str> {
    let is_plain = |c: char| c.is_alphanumeric() || "/._-+:@%,=".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(format!("'{}'", text.replace('\'', r"'\''")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_quoted_only_where_a_shell_would_not_leave_it_alone() {
        for (text, word) in
            [("northgate-data/tls", "northgate-data/tls"), ("my data", "'my data'"), ("it's", r"'it'\''s'")]
        {
            assert_eq!(shell_word(text), word);
        }
    }
}
