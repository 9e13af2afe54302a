//! `northgate app credential`: keys and certificates by which an application authenticates to OAuth.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use hyper::Method;
use serde_json::{Map, Value};

use super::app::path;
use super::client::Client;
use super::output::{self, Form};
use crate::http::admin::answer::{CredentialLine, Credentials};

#[derive(Subcommand)]
pub enum CredentialCommand {
    /// Register a key, a certificate or a name in one
    Add(Box<Add>),
    /// List the credentials
    List { app_id: String },
    /// Remove a credential; it is refused at once
    Remove { app_id: String, credential_id: u32 },
}

#[derive(Args)]
pub struct Add {
    app_id: String,
    /// Its label
    #[arg(long)]
    label: Option<String>,
    #[command(flatten)]
    what: What,
}

#[derive(Args)]
#[group(required = true, multiple = false)]
struct What {
    /// A public key that signs assertions (private_key_jwt), as a JWK
    #[arg(long, value_name = "FILE")]
    jwk: Option<PathBuf>,
    /// The same in PEM
    #[arg(long, value_name = "FILE")]
    public_key: Option<PathBuf>,
    /// A certificate in PEM, of any issuer (self_signed_tls_client_auth)
    #[arg(long, value_name = "FILE")]
    certificate: Option<PathBuf>,
    /// The subject of a certificate that an authority in tls.client_ca has signed (tls_client_auth), such as "CN=meters,O=City"
    #[arg(long, value_name = "DN")]
    subject: Option<String>,
    /// A host name in such a certificate
    #[arg(long, value_name = "NAME")]
    san_dns: Option<String>,
    /// A URI in such a certificate
    #[arg(long, value_name = "URI")]
    san_uri: Option<String>,
    /// An IP address in such a certificate
    #[arg(long, value_name = "IP")]
    san_ip: Option<String>,
    /// A mail address in such a certificate
    #[arg(long, value_name = "ADDRESS")]
    san_email: Option<String>,
}

impl CredentialCommand {
    pub async fn run(self, client: &Client, form: Form) -> Result<(), Box<dyn Error>> {
        match self {
            CredentialCommand::Add(add) => {
                let path = format!("{}/credentials", path(&add.app_id));
                let answer = client.request_json(Method::POST, &path, &add.body()?).await?;
                if form == Form::Json {
                    output::line(&answer);
                } else {
                    table(&[serde_json::from_str(&answer)?]);
                }
                Ok(())
            }
            CredentialCommand::List { app_id } => {
                let path = format!("{}/credentials", path(&app_id));
                listed(form, &client.request(Method::GET, &path).await?)
            }
            CredentialCommand::Remove { app_id, credential_id } => {
                let path = format!("{}/credentials/{credential_id}", path(&app_id));
                listed(form, &client.request(Method::DELETE, &path).await?)
            }
        }
    }
}

impl Add {
    fn body(self) -> Result<Value, Box<dyn Error>> {
        let What { jwk, public_key, certificate, subject, san_dns, san_uri, san_ip, san_email } = self.what;
        let jwk = jwk.map(|file| read(&file).and_then(|text| not_json(&file, &text))).transpose()?;
        let text = |file: Option<PathBuf>| file.map(|file| read(&file).map(Value::from)).transpose();
        let members = [
            ("label", self.label.map(Value::from)),
            ("jwk", jwk),
            ("publicKey", text(public_key)?),
            ("certificate", text(certificate)?),
            ("subject", subject.map(Value::from)),
            ("sanDns", san_dns.map(Value::from)),
            ("sanUri", san_uri.map(Value::from)),
            ("sanIp", san_ip.map(Value::from)),
            ("sanEmail", san_email.map(Value::from)),
        ];
        let given = members.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
        Ok(Value::Object(given.collect::<Map<_, _>>()))
    }
}

fn read(file: &Path) -> Result<String, Box<dyn Error>> {
    fs::read_to_string(file).map_err(|error| format!("{} could not be read: {error}", file.display()).into())
}

fn not_json(file: &Path, text: &str) -> Result<Value, Box<dyn Error>> {
    serde_json::from_str(text).map_err(|error| format!("{} is not JSON: {error}", file.display()).into())
}

fn listed(form: Form, answer: &str) -> Result<(), Box<dyn Error>> {
    if form == Form::Json {
        output::line(answer);
    } else {
        table(&serde_json::from_str::<Credentials>(answer)?.credentials);
    }
    Ok(())
}

/// Credentials as a table.
pub fn table(credentials: &[CredentialLine]) {
    let row = |line: &CredentialLine| {
        let (kind, value) = (line.kind.clone(), line.value.clone());
        vec![line.id.to_string(), line.created_at.clone(), kind, value, line.label.clone()]
    };
    let rows: Vec<Vec<String>> = credentials.iter().map(row).collect();
    output::table(&["CREDENTIAL", "CREATED", "KIND", "VALUE", "LABEL"], &rows, "no credentials");
}
