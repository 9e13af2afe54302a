//! Global flags: the settings by which commands find the data directory and the listeners, the same as for `serve`.

use std::error::Error;
use std::path::PathBuf;

use clap::Args;

use super::client::{Client, url_of};
use super::output::Form;
use super::server_url;
use crate::admin_address;
use crate::config::Config;
use crate::config::layers::Sources;
use crate::http_client::Origin;
use crate::keys::admin_token;
use crate::tls::trust;

/// The settings of every command. Each is also an environment variable and a line of the configuration file.
#[derive(Args)]
pub struct GlobalFlags {
    /// The configuration file [env: NORTHGATE_CONFIG]
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The data directory, for everything that must survive a restart [env: NORTHGATE_DATA_DIR]
    #[arg(long, global = true, value_name = "DIR")]
    pub data_dir: Option<String>,
    /// The address of the private listener [env: NORTHGATE_ADMIN_LISTEN]
    #[arg(long, global = true, value_name = "ADDR")]
    pub admin_listen: Option<String>,
    /// The running server, where it is on another machine: https://host:port
    #[arg(long, global = true, value_name = "URL", value_parser = server_url::parse)]
    server: Option<Origin>,
    /// With --server: PEM file with the authorities of its certificate, or with the certificate itself [default: those of this
    /// machine]
    #[arg(long, global = true, value_name = "FILE", requires = "server")]
    ca: Option<PathBuf>,
    /// A file with the token for the server [default: admin-token in the data directory; env: NORTHGATE_ADMIN_TOKEN]
    #[arg(long, global = true, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// How results and errors are printed
    #[arg(long, global = true, value_name = "FORM", default_value = "text")]
    output: Form,
    /// The same as --output json
    #[arg(long, global = true)]
    json: bool,
}

/// Flags of commands that work with the shared database.
#[derive(Args)]
pub struct DatabaseUrl {
    /// The PostgreSQL database that nodes share: postgres://user:password@host:5432/name [env: NORTHGATE_DATABASE_URL]
    #[arg(long, value_name = "URL")]
    pub database_url: Option<String>,
}

impl DatabaseUrl {
    /// The flag as a setting.
    pub fn setting(self) -> Vec<(String, String)> {
        self.database_url.map(|url| ("database.url".to_owned(), url)).into_iter().collect()
    }
}

impl GlobalFlags {
    /// The configuration, and the admin token from the environment.
    pub fn resolve(&self, more: Vec<(String, String)>) -> Result<(Config, Option<String>), Box<dyn Error>> {
        let sources = self.sources(more);
        // Not a setting, since settings are printed.
        let admin_token = sources.environment.get(admin_token::VARIABLE).cloned();
        Ok((Config::load(sources)?, admin_token))
    }

    /// The layers of the configuration, with these flags among them.
    pub fn sources(&self, more: Vec<(String, String)>) -> Sources {
        let named = [("data_dir", &self.data_dir), ("admin_listen", &self.admin_listen)];
        let set = named.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value.clone()?)));
        Sources::of_process(self.config.clone(), set.chain(more).collect())
    }

    /// How results and errors are printed.
    pub fn form(&self) -> Form {
        if self.json { Form::Json } else { self.output }
    }

    /// A client of the running server.
    pub fn client(&self) -> Result<Client, Box<dyn Error>> {
        match &self.server {
            Some(server) => self.remote(server),
            None => self.local(),
        }
    }

    /// A client of a server on another machine, of which there are no files here.
    fn remote(&self, server: &Origin) -> Result<Client, Box<dyn Error>> {
        let given = self.sources(Vec::new()).environment.remove(admin_token::VARIABLE);
        let token = match (&self.token_file, given) {
            (Some(file), _) => admin_token::read(file)?,
            (None, Some(given)) => admin_token::parse(&given, admin_token::VARIABLE.to_owned())?,
            (None, None) => {
                return Err(format!("--server needs --token-file, or {}", admin_token::VARIABLE).into());
            }
        };
        let trusted = || self.ca.as_deref().map_or_else(trust::of_the_system, trust::only);
        let tls = server.is_tls.then(trusted).transpose()?;
        Ok(Client::new(server.clone(), tls, token))
    }

    fn local(&self) -> Result<Client, Box<dyn Error>> {
        let (config, given) = self.resolve(Vec::new())?;
        let token = match &self.token_file {
            Some(file) => admin_token::read(file)?,
            None => admin_token::find(&config.data_dir, given.as_deref())?,
        };
        // As the listener: plain HTTP on a loopback address only. Elsewhere the server's own certificates are trusted, which this
        // machine has.
        let is_tls = !config.admin_listen.ip().is_loopback();
        let files = config.tls.certificates.iter().map(|certificate| certificate.chain.as_path());
        let tls = is_tls.then(|| trust::pinned(files)).transpose()?;
        let address = admin_address::find(&config.data_dir, config.admin_listen)?;
        Ok(Client::new(url_of(address, is_tls), tls, token))
    }
}
