//! `northgate app secret`: the secrets of an application.

use std::error::Error;
use std::io::{self, Read};

use clap::Subcommand;
use hyper::Method;
use serde_json::{Value, json};

use super::app::path;
use super::client::Client;
use super::output::{self, Form};
use crate::blanks;
use crate::http::admin::answer::{AddedSecret, SecretLine, Secrets};

/// Printed after every allocated secret.
pub const SHOWN_ONCE: &str = "The secret is shown this once and cannot be read again: keep it now.";

/// 256 characters of UTF-8 and a line end; longer input cannot be a secret.
const LONGEST: u64 = 4 * 256 + 2;

#[derive(Subcommand)]
pub enum SecretCommand {
    /// Add a secret beside the present ones, and print it, once
    Add {
        app_id: String,
        /// Its label
        #[arg(long)]
        label: Option<String>,
        /// Read the secret from standard input; without it, one is allocated
        #[arg(long)]
        secret_stdin: bool,
    },
    /// List the secrets with their last use and retirement
    List { app_id: String },
    /// Retire a secret: refuse it at once, at a time or after a time
    Retire {
        app_id: String,
        secret_id: u32,
        /// At this time, such as 2026-01-31T12:00:00Z
        #[arg(long, value_name = "TIME")]
        at: Option<String>,
        /// After this time, such as 7d
        #[arg(long, value_name = "TIME", conflicts_with = "at")]
        after: Option<String>,
        /// At once, and revoke all tokens of the application, since a thief may have got any of them with it
        #[arg(long, conflicts_with_all = ["at", "after"])]
        revoke: bool,
    },
}

impl SecretCommand {
    pub async fn run(self, client: &Client, form: Form) -> Result<(), Box<dyn Error>> {
        match self {
            SecretCommand::Add { app_id, label, secret_stdin } => {
                let secret = if secret_stdin { Some(from_stdin()?) } else { None };
                let body = members([("label", label), ("secret", secret)]);
                let path = format!("{}/secrets", path(&app_id));
                added(form, &client.request_json(Method::POST, &path, &body).await?)
            }
            SecretCommand::List { app_id } => {
                listed(form, &client.request(Method::GET, &format!("{}/secrets", path(&app_id))).await?)
            }
            SecretCommand::Retire { app_id, secret_id, at, after, revoke } => {
                let mut body = members([("at", at), ("after", after)]);
                if revoke {
                    body["revoke"] = true.into();
                }
                let path = format!("{}/secrets/{secret_id}/retire", path(&app_id));
                let answer = client.request_json(Method::POST, &path, &body).await?;
                listed(form, &answer)?;
                warn_of_last(&app_id, &serde_json::from_str::<Secrets>(&answer)?.secrets);
                Ok(())
            }
        }
    }
}

/// The one line of standard input.
pub fn from_stdin() -> Result<String, Box<dyn Error>> {
    let mut text = String::new();
    io::stdin().take(LONGEST).read_to_string(&mut text)?;
    one_line(&text).map(str::to_owned)
}

fn one_line(text: &str) -> Result<&str, Box<dyn Error>> {
    match blanks::one_line(text) {
        Ok("") => Err("there is no secret on standard input".into()),
        Ok(line) => Ok(line),
        Err(blank) => {
            Err(format!("the secret on standard input: write it on one line, without {blank}").into())
        }
    }
}

fn members<const N: usize>(given: [(&str, Option<String>); N]) -> Value {
    let given = given.into_iter().filter_map(|(name, value)| Some((name.to_owned(), json!(value?))));
    Value::Object(given.collect())
}

fn added(form: Form, answer: &str) -> Result<(), Box<dyn Error>> {
    if form == Form::Json {
        output::line(answer);
        return Ok(());
    }
    let added: AddedSecret = serde_json::from_str(answer)?;
    let mut pairs = vec![("id", added.id.to_string())];
    pairs.extend(added.secret.clone().map(|secret| ("secret", secret)));
    output::pairs(&pairs);
    if added.secret.is_some() {
        output::remark(SHOWN_ONCE);
    }
    Ok(())
}

fn listed(form: Form, answer: &str) -> Result<(), Box<dyn Error>> {
    if form == Form::Json {
        output::line(answer);
    } else {
        table(&serde_json::from_str::<Secrets>(answer)?.secrets);
    }
    Ok(())
}

/// An application without a secret cannot log in, which shows only when its tokens end.
fn warn_of_last(app_id: &str, secrets: &[SecretLine]) {
    if secrets.iter().all(|secret| secret.retire_at.is_some()) {
        output::remark(&format!(
            "warning: every secret of {app_id} is retired or will be: it cannot log in after that. Add one with \
             `northgate app secret add {app_id}`"
        ));
    }
}

/// Secrets as a table.
pub fn table(secrets: &[SecretLine]) {
    let or_dash = |time: &Option<String>| time.clone().unwrap_or_else(|| "-".to_owned());
    let row = |secret: &SecretLine| {
        let (used, retires) = (or_dash(&secret.last_used_at), or_dash(&secret.retire_at));
        vec![secret.id.to_string(), secret.created_at.clone(), used, retires, secret.label.clone()]
    };
    let rows: Vec<Vec<String>> = secrets.iter().map(row).collect();
    output::table(&["SECRET", "CREATED", "LAST USED", "RETIRES", "LABEL"], &rows, "no secrets");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_one_line_without_its_end() {
        for text in ["a b", "a b\n", "a b\r\n"] {
            assert_eq!(one_line(text).expect("a secret"), "a b");
        }
        for text in ["", "\n", "a\nb", "a\n\n", "a ", " a", "a\u{a0}", "\u{feff}a", "a\u{200b}b"] {
            assert!(one_line(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn what_is_not_given_is_not_sent() {
        assert_eq!(members([("at", None), ("after", Some("7d".to_owned()))]), json!({ "after": "7d" }));
    }
}
