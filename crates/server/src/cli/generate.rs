//! `northgate generate`: man pages and shell completions from the definitions of the commands, for packages.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use clap::{Args, Command, Subcommand};
use clap_complete::Shell;

#[derive(Args)]
pub struct Generate {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Write a man page for each command into a directory
    Man { directory: PathBuf },
    /// Write completions for bash, zsh and fish into a directory
    Completions { directory: PathBuf },
}

impl Generate {
    pub fn run(self, program: Command) -> Result<(), Box<dyn Error>> {
        match self.what {
            What::Man { directory } => man(program, &directory),
            What::Completions { directory } => completions(program, &directory),
        }
    }
}

fn man(program: Command, directory: &Path) -> Result<(), Box<dyn Error>> {
    fs::create_dir_all(directory)?;
    let program = program.after_help(EXIT_CODES).disable_help_subcommand(true);
    Ok(clap_mangen::generate_to(program, directory)?)
}

fn completions(mut program: Command, directory: &Path) -> Result<(), Box<dyn Error>> {
    fs::create_dir_all(directory)?;
    for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
        clap_complete::generate_to(shell, &mut program, "northgate", directory)?;
    }
    Ok(())
}

/// The exit codes of all commands, as in docs/operating/process.md.
const EXIT_CODES: &str = "Exit codes: 0 success; 1 failure, with an error on standard error; 2 wrong command line; 3 `status`: \
                          the server runs and is not ready, or needs attention; 130, 131, 143 `serve`: a second request to stop.";
