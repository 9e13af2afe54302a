//! `northgate serve`: run the server.

use std::error::Error;
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::process::ExitCode;

use clap::Args;

use super::global_flags::{DatabaseUrl, GlobalFlags};
use crate::config::Config;
use crate::config::log::LogFormat;
use crate::keys::admin_token;
use crate::serve;
use crate::serve::supervise::{self, Handlers, Signals};
use crate::telemetry;

/// The address itself if it is a loopback one, else 127.0.0.1.
fn loopback(ip: IpAddr) -> IpAddr {
    if ip.is_loopback() { ip } else { IpAddr::V4(Ipv4Addr::LOCALHOST) }
}

#[derive(Args)]
pub struct Serve {
    /// The address of the public listener [env: NORTHGATE_LISTEN]
    #[arg(long, value_name = "ADDR")]
    listen: Option<String>,
    #[command(flatten)]
    database: DatabaseUrl,
    /// Try it out: both listeners on 127.0.0.1, a self-signed certificate and an application `demo`
    #[arg(long)]
    dev: bool,
}

impl Serve {
    /// Runs until a signal stops it. Signals are handled before the configuration is read, since reading may hang, too.
    pub fn run(self, flags: GlobalFlags, handlers: io::Result<Handlers>) -> ExitCode {
        supervise::run(handlers, move |signals| self.serve(&flags, signals))
    }

    fn serve(self, flags: &GlobalFlags, signals: Signals) -> Result<(), Box<dyn Error>> {
        let listen = self.listen.map(|address| ("listen".to_owned(), address));
        let set = self.database.setting().into_iter().chain(listen).collect();
        let mut sources = flags.sources(set);
        if self.dev {
            // A try-out has nothing to do with the installation of this machine.
            sources.standard_file = None;
        }
        let admin_token = sources.environment.get(admin_token::VARIABLE).cloned();
        let journal = sources.environment.get("JOURNAL_STREAM").cloned();
        let mut config = Config::check(sources.clone()).map_err(|faults| {
            if faults.is_json {
                telemetry::speak(LogFormat::Json);
            }
            faults.first()
        })?;
        config.log.journal = journal;
        if self.dev {
            config.listen.set_ip(loopback(config.listen.ip()));
            config.admin_listen.set_ip(loopback(config.admin_listen.ip()));
        }
        Ok(serve::run(serve::Serve { sources, config, admin_token, is_dev: self.dev }, signals)?)
    }
}
