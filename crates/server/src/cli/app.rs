//! `northgate app`: applications.

mod list;
mod show;

use std::error::Error;

use clap::{Args, Subcommand};
use hyper::Method;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::json;

use super::client::Client;
use super::credential::CredentialCommand;
use super::global_flags::GlobalFlags;
use super::import::Import;
use super::output::{self, Form};
use super::policy::PolicyFlags;
use super::secret::{self, SecretCommand};
use crate::http::admin::answer::{CreatedApplication, Details};
use list::List;

#[derive(Args)]
pub struct App {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Create an application and print its secret, once
    Create(Create),
    /// List the applications
    List(List),
    /// Show an application with its policy, secrets and live grants
    Show { app_id: String },
    /// Change the name, the owner or the policy of an application
    Set(Set),
    /// Freeze an application: login and refresh are refused, and its tokens do not verify
    Freeze { app_id: String },
    /// Unfreeze an application
    Unfreeze { app_id: String },
    /// Revoke all issued tokens of an application; it may log in again
    Revoke {
        app_id: String,
        /// Confirm: its access and refresh tokens end
        #[arg(long)]
        yes: bool,
    },
    /// Delete an application with its secrets and grants
    Delete {
        app_id: String,
        /// Confirm: its tokens end
        #[arg(long)]
        yes: bool,
    },
    /// Import existing applications, with the appId and secret that they already use
    Import(Import),
    /// Change the secrets of an application
    #[command(subcommand)]
    Secret(SecretCommand),
    /// Change the keys and certificates by which an application authenticates to OAuth
    #[command(subcommand)]
    Credential(CredentialCommand),
}

#[derive(Args)]
struct Create {
    /// Its name
    name: String,
    /// Its existing appId; without it, one is allocated
    #[arg(long, value_name = "ID")]
    app_id: Option<String>,
    /// The team or customer that it belongs to
    #[arg(long)]
    owner: Option<String>,
    /// Read its existing secret from standard input; without it, one is allocated
    #[arg(long)]
    secret_stdin: bool,
    /// Allow these methods under this path and nothing else, such as "GET,POST /iocm/app/dm"; can be repeated
    #[arg(long, value_name = "RULE")]
    allow: Vec<String>,
    #[command(flatten)]
    policy: PolicyFlags,
}

#[derive(Args)]
struct Set {
    app_id: String,
    /// Its new name
    #[arg(long)]
    name: Option<String>,
    /// The team or customer that it belongs to
    #[arg(long)]
    owner: Option<String>,
    /// Remove the owner
    #[arg(long, conflicts_with = "owner")]
    no_owner: bool,
    /// Allow these methods under this path, such as "GET,POST /iocm/app/dm" or "* /iodm"; replaces all earlier rules; can be
    /// repeated
    #[arg(long, value_name = "RULE")]
    allow: Vec<String>,
    /// Remove all rules: the application may make any call
    #[arg(long, conflicts_with = "allow")]
    allow_all: bool,
    #[command(flatten)]
    policy: PolicyFlags,
}

impl App {
    pub async fn run(self, flags: &GlobalFlags) -> Result<(), Box<dyn Error>> {
        let client = flags.client()?;
        let form = flags.form();
        match self.command {
            Command::Create(create) => create.run(&client, form).await,
            Command::List(list) => list.run(&client, form).await,
            Command::Show { app_id } => details(form, &client.request(Method::GET, &path(&app_id)).await?),
            Command::Set(set) => set.run(&client, form).await,
            Command::Freeze { app_id } => post(&client, &app_id, "freeze", form).await,
            Command::Unfreeze { app_id } => post(&client, &app_id, "unfreeze", form).await,
            Command::Revoke { app_id, yes } => {
                confirm(yes, &app_id)?;
                post(&client, &app_id, "revoke", form).await
            }
            Command::Delete { app_id, yes } => delete(&client, &app_id, yes, form).await,
            Command::Import(import) => import.run(&client, form).await,
            Command::Secret(command) => command.run(&client, form).await,
            Command::Credential(command) => command.run(&client, form).await,
        }
    }
}

/// The path of an application in the admin API. All but letters and digits is encoded: an appId may be `a/b`, or even `..`.
pub fn path(app_id: &str) -> String {
    format!("/admin/v1/applications/{}", utf8_percent_encode(app_id, NON_ALPHANUMERIC))
}

impl Create {
    async fn run(self, client: &Client, form: Form) -> Result<(), Box<dyn Error>> {
        let mut body = json!({ "name": self.name, "policy": self.policy.members(), "allow": self.allow });
        if let Some(app_id) = self.app_id {
            body["appId"] = app_id.into();
        }
        if let Some(owner) = self.owner {
            body["owner"] = owner.into();
        }
        if self.secret_stdin {
            body["secret"] = secret::from_stdin()?.into();
        }
        let answer = client.request_json(Method::POST, "/admin/v1/applications", &body).await?;
        if form == Form::Json {
            output::line(&answer);
            return Ok(());
        }
        let created: CreatedApplication = serde_json::from_str(&answer)?;
        let mut pairs = vec![("application", created.name), ("appId", created.app_id)];
        pairs.extend(created.secret.clone().map(|secret| ("secret", secret)));
        output::pairs(&pairs);
        if created.secret.is_some() {
            output::remark(secret::SHOWN_ONCE);
        }
        Ok(())
    }
}

impl Set {
    async fn run(self, client: &Client, form: Form) -> Result<(), Box<dyn Error>> {
        let policy = self.policy.members();
        let sets_owner = self.no_owner || self.owner.is_some();
        let sets_allow = self.allow_all || !self.allow.is_empty();
        if self.name.is_none() && !sets_owner && policy.is_empty() && !sets_allow {
            return Err("nothing to set: give --name, --owner, --no-owner, --allow, --allow-all or a flag of the policy".into());
        }
        let mut body = json!({ "policy": policy });
        if sets_allow {
            body["allow"] = self.allow.into();
        }
        if sets_owner {
            body["owner"] = self.owner.into();
        }
        if let Some(name) = self.name {
            body["name"] = name.into();
        }
        details(form, &client.request_json(Method::PATCH, &path(&self.app_id), &body).await?)
    }
}

async fn post(client: &Client, app_id: &str, verb: &str, form: Form) -> Result<(), Box<dyn Error>> {
    details(form, &client.request(Method::POST, &format!("{}/{verb}", path(app_id))).await?)
}

fn confirm(yes: bool, app_id: &str) -> Result<(), Box<dyn Error>> {
    let sentence =
        || format!("this ends all tokens of {app_id}, and there is no way back: repeat it with --yes");
    yes.then_some(()).ok_or_else(|| sentence().into())
}

async fn delete(client: &Client, app_id: &str, yes: bool, form: Form) -> Result<(), Box<dyn Error>> {
    confirm(yes, app_id)?;
    client.request(Method::DELETE, &path(app_id)).await?;
    let members = json!({ "appId": app_id, "deleted": true });
    output::done(form, &members, &format!("{app_id} is deleted"));
    Ok(())
}

fn details(form: Form, answer: &str) -> Result<(), Box<dyn Error>> {
    if form == Form::Json {
        output::line(answer);
    } else {
        show::show(&serde_json::from_str::<Details>(answer)?);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_of_an_application_is_one_segment_whatever_its_app_id() {
        assert_eq!(path("aB3"), "/admin/v1/applications/aB3");
        assert_eq!(path("a/b?c"), "/admin/v1/applications/a%2Fb%3Fc");
        assert_eq!(path(".."), "/admin/v1/applications/%2E%2E");
    }
}
