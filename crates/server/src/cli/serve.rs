//! `northgate serve`: run the server.

use std::error::Error;
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::process::ExitCode;

use clap::Args;

use super::global_flags::{DatabaseUrl, GlobalFlags};
use crate::serve;
use crate::serve::supervise::{self, Handlers, Signals};

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
        let (mut config, admin_token) = flags.resolve(set)?;
        if self.dev {
            config.listen.set_ip(IpAddr::V4(Ipv4Addr::LOCALHOST));
            config.admin_listen.set_ip(IpAddr::V4(Ipv4Addr::LOCALHOST));
        }
        Ok(serve::run(serve::Serve { config, admin_token, is_dev: self.dev }, signals)?)
    }
}
