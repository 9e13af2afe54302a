//! The address of the private listener where the system chooses its port (port 0): a file in the data directory, by which the
//! command line finds the server.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use crate::private_file::{self, PrivateFileError};

/// Reason why the command line does not find the server.
#[derive(Debug, thiserror::Error)]
pub enum AdminAddressError {
    #[error(transparent)]
    File(#[from] PrivateFileError),
    #[error(
        "the port of admin_listen is 0, and there is no address of a running server at {}: start it with `northgate serve`, \
         or name its data directory with --data-dir",
        .0.display()
    )]
    Missing(PathBuf),
    #[error("{} holds no address and port: start the server again", .0.display())]
    Malformed(PathBuf),
}

/// Writes the address of the listener, where `configured` left the port open.
pub fn publish(data_dir: &Path, configured: SocketAddr, got: SocketAddr) -> Result<(), PrivateFileError> {
    match configured.port() {
        0 => private_file::write(&file(data_dir), &format!("{got}\n")),
        _ => Ok(()),
    }
}

/// The address of the private listener: as configured, or as a server wrote it.
pub fn find(data_dir: &Path, configured: SocketAddr) -> Result<SocketAddr, AdminAddressError> {
    if configured.port() != 0 {
        return Ok(configured);
    }
    let path = file(data_dir);
    let Some(text) = private_file::read(&path)? else { return Err(AdminAddressError::Missing(path)) };
    text.trim_end().parse().map_err(|_| AdminAddressError::Malformed(path))
}

fn file(data_dir: &Path) -> PathBuf {
    data_dir.join("admin-address")
}
