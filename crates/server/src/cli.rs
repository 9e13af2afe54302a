//! The command line: `northgate serve`, and the commands that administer a running server.

mod app;
mod arguments;
mod backup;
mod client;
mod clock;
mod config;
mod credential;
mod doctor;
mod export;
mod generate;
mod global_flags;
pub(crate) mod import;
mod key;
mod keyring_key;
mod migrate;
pub(crate) mod output;
mod ownership;
mod policy;
mod reload;
mod restore;
mod secret;
mod serve;
mod server_url;
mod status;

use std::error::Error;
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};
use serde_json::json;

use crate::serve::supervise::Handlers;
use crate::version;
use global_flags::GlobalFlags;

/// The token service in front of an IoT platform's northbound APIs.
#[derive(Parser)]
#[command(name = "northgate", version = version::long(), arg_required_else_help = true)]
struct Cli {
    #[command(flatten)]
    flags: GlobalFlags,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the server.
    Serve(serve::Serve),
    /// Create, change and import applications, and change their secrets.
    App(Box<app::App>),
    /// List and rotate the keys that authenticate tokens.
    Key(key::Key),
    /// Find stored times that lie far ahead of the server's clock, and correct them.
    Clock(clock::Clock),
    /// Make the key that seals the keyring in a shared database.
    KeyringKey(keyring_key::KeyringKey),
    /// Create the schema of the shared database, or migrate it to this version; nodes may run meanwhile.
    Migrate(migrate::Migrate),
    /// Write a consistent copy of the running server's database to a file.
    Backup(backup::Backup),
    /// Replace the database of a stopped server by a backup.
    Restore(restore::Restore),
    /// Write a whole installation to a file, to move it to another store: an embedded one that is stopped, or a shared database
    /// as of one moment.
    Export(export::Export),
    /// Read an installation from a file into an empty store.
    Import(export::Import),
    /// Check the configuration, and everything else that would stop a start.
    Config(config::Config),
    /// Let the running server take over a changed configuration.
    Reload(reload::Reload),
    /// Show whether the server is up and ready, with its store, certificates and keys; the exit code says it too.
    Status(status::Status),
    /// Find what an operator should look at: of the server, and of applications that are about to fail; the exit code says it too.
    Doctor(doctor::Doctor),
    /// Write man pages and shell completions, for packages.
    #[command(hide = true)]
    Generate(generate::Generate),
}

/// Exit code of a wrong command line, as clap gives it.
const WRONG_USAGE: u8 = 2;

/// Exit code of `status` and `doctor` for a server that runs and is not ready, or where something needs attention.
const NEEDS_ATTENTION: u8 = 3;

/// Runs the command of this process. The exit codes are in docs/operating/process.md.
pub fn run() -> ExitCode {
    // Before anything else: a signal in the first milliseconds must not end a server.
    let handlers = arguments::is_serve(std::env::args_os().skip(1)).then(Handlers::install);
    if let Err(sentence) = arguments::check(std::env::args_os().skip(1)) {
        return wrong_usage(&sentence);
    }
    let Cli { flags, command } = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) if error.use_stderr() && is_json_asked_for() => return wrong_usage(&error.to_string()),
        Err(error) => error.exit(),
    };
    let form = flags.form();
    let done = match command {
        Command::Serve(serve) => return serve.run(flags, handlers.unwrap_or_else(Handlers::install)),
        Command::App(app) => wait_for(app.run(&flags)),
        Command::Key(key) => wait_for(key.run(&flags)),
        Command::Clock(clock) => wait_for(clock.run(&flags)),
        Command::KeyringKey(key) => key.run(&flags),
        Command::Migrate(migrate) => wait_for(migrate.run(&flags)),
        Command::Backup(backup) => wait_for(backup.run(&flags)),
        Command::Export(export) => wait_for(export.run(&flags)),
        Command::Import(import) => wait_for(import.run(&flags)),
        Command::Restore(restore) => restore.run(&flags),
        Command::Config(config) => wait_for(config.run(&flags)),
        Command::Reload(reload) => wait_for(reload.run(&flags)),
        Command::Status(status) => wait_for(status.run(&flags)),
        Command::Doctor(doctor) => wait_for(doctor.run(&flags)),
        Command::Generate(generate) => generate.run(Cli::command()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            output::error(form, error.as_ref());
            match error.is::<status::NeedsAttention>() {
                true => ExitCode::from(NEEDS_ATTENTION),
                false => ExitCode::FAILURE,
            }
        }
    }
}

fn wrong_usage(sentence: &str) -> ExitCode {
    match is_json_asked_for() {
        true => output::remark(&json!({ "error": "wrong-usage", "detail": sentence }).to_string()),
        false => output::remark(&format!("error: {sentence}")),
    }
    ExitCode::from(WRONG_USAGE)
}

fn is_json_asked_for() -> bool {
    arguments::is_json_asked_for(std::env::args_os().skip(1))
}

/// One thread is plenty for a client that waits for one answer.
fn wait_for(command: impl Future<Output = Result<(), Box<dyn Error>>>) -> Result<(), Box<dyn Error>> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(command)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_usage(line: &str) -> bool {
        Cli::try_parse_from(line.split(' ')).is_ok()
    }

    #[test]
    fn the_command_line_contradicts_itself_nowhere() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_global_flags_stand_before_or_after_the_command() {
        assert!(is_usage("northgate --data-dir d app list --admin-listen 127.0.0.1:1"));
        assert!(is_usage("northgate serve --config c --data-dir d --listen 127.0.0.1:1 --dev"));
    }

    #[test]
    fn a_secret_is_never_taken_from_the_command_line() {
        assert!(is_usage("northgate app create n --app-id a --secret-stdin --json"));
        assert!(!is_usage("northgate app create n --app-id a --secret s"));
        assert!(!is_usage("northgate app secret add a --secret s"));
    }

    #[test]
    fn a_secret_retires_at_a_time_or_after_a_time() {
        assert!(is_usage("northgate app secret retire a 1 --after 7d"));
        assert!(!is_usage("northgate app secret retire a 1 --after 7d --at 2026-01-31T12:00:00Z"));
    }
}
