//! Preflight: everything outside of the settings that would stop a start: files, ports, the database's URL, the data directory.

use std::fs::{self, Metadata};
use std::io;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::config::Config;
use crate::config::tls::{CertificateFiles, TlsSettings};
use crate::listener::opening;
use crate::private_file;
use crate::telemetry::with_causes;
use crate::tls::Tls;
use crate::tls::tickets::TicketSeeds;

/// Timeout of the question whether a server runs.
const ANSWER: Duration = Duration::from_secs(1);
/// The most bytes that are read of its answer.
const LONGEST_ANSWER: u64 = 4 * 1024;

/// Sentences about what would stop a start with this configuration; empty if nothing would.
pub fn faults(config: &Config) -> Vec<String> {
    let of_one = [database(config), keyring(config), directory(config)].into_iter().flatten();
    [certificates(config), ports(config), owner(config)].into_iter().flatten().chain(of_one).collect()
}

/// Each certificate with its key, and the authorities of client certificates.
fn certificates(config: &Config) -> Vec<String> {
    let fault = |files: &CertificateFiles| {
        let tls = TlsSettings { certificates: vec![files.clone()], ..config.tls.clone() };
        let error = Tls::load(tls, TicketSeeds(Vec::new())).err()?;
        Some(format!("{}{}", with_causes(&error), missing(config)))
    };
    let mut faults: Vec<String> = config.tls.certificates.iter().filter_map(fault).collect();
    faults.dedup();
    faults
}

/// What to do without a certificate.
pub fn missing(config: &Config) -> &'static str {
    let in_data_dir = CertificateFiles::in_data_dir(&config.data_dir);
    match config.tls.certificates.as_slice() {
        [only] if *only == in_data_dir && !only.chain.exists() => {
            "; set tls.certificates and tls.keys, or try it out with --dev"
        }
        _ => "",
    }
}

fn ports(config: &Config) -> Vec<String> {
    let (public, private) = (config.listen, config.admin_listen);
    if overlap(public, private) {
        return vec![format!(
            "listen and admin_listen are both on port {}: give one of them another port (--listen, --admin-listen)",
            public.port()
        )];
    }
    if is_served(private) {
        return Vec::new();
    }
    let taken = |(flag, address): (&str, SocketAddr)| {
        let error = TcpListener::bind(address).err()?;
        let remedy = if error.kind() == io::ErrorKind::AddrInUse {
            "stop the program that listens there, or choose another address with"
        } else {
            "choose another address with"
        };
        Some(format!("{address} cannot be listened on ({error}): {remedy} {flag}"))
    };
    [("--listen", public), ("--admin-listen", private)].into_iter().filter_map(taken).collect()
}

/// Whether a running Northgate has the private listener: then the ports are its own, and free once it stops.
fn is_served(private: SocketAddr) -> bool {
    let ask = || -> io::Result<Vec<u8>> {
        let mut stream = TcpStream::connect_timeout(&private, ANSWER)?;
        stream.set_read_timeout(Some(ANSWER))?;
        stream.write_all(b"GET /health/live HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
        let mut answer = Vec::new();
        stream.take(LONGEST_ANSWER).read_to_end(&mut answer)?;
        Ok(answer)
    };
    let answer = ask().unwrap_or_default();
    let text = String::from_utf8_lossy(&answer);
    text.starts_with("HTTP/1.1 200") && text.contains("x-request-id") || answer == opening::HTTPS_ONLY
}

/// Whether both cannot be listened on at once. Port 0 is chosen by the system, differently for each.
fn overlap(one: SocketAddr, other: SocketAddr) -> bool {
    let is_any = one.ip().is_unspecified() || other.ip().is_unspecified();
    one.port() == other.port() && one.port() != 0 && (is_any || one.ip() == other.ip())
}

fn database(config: &Config) -> Option<String> {
    let error = config.database.as_ref()?.resolve().err()?;
    Some(with_causes(&error))
}

/// Whether files can be made in the data directory, or the directory itself can be made.
fn directory(config: &Config) -> Option<String> {
    let dir = &config.data_dir;
    let existing = dir.ancestors().find(|part| part.as_os_str().is_empty() || part.exists())?;
    let existing = if existing.as_os_str().is_empty() { Path::new(".") } else { existing };
    let error = tempfile_in(existing).err()?;
    Some(format!("cannot write in the data directory {} (data_dir): {error}", dir.display()))
}

fn tempfile_in(directory: &Path) -> io::Result<()> {
    let probe = directory.join(format!(".northgate-check-{}", std::process::id()));
    fs::File::create_new(&probe)?;
    fs::remove_file(probe)
}

/// Checked by root, files that the owner of the data directory cannot read: the server runs as that user.
fn owner(config: &Config) -> Vec<String> {
    let Ok(data_dir) = fs::metadata(&config.data_dir) else { return Vec::new() };
    if data_dir.uid() == 0 {
        return Vec::new();
    }
    let unreadable = files(config).into_iter().filter(|file| {
        fs::metadata(file).is_ok_and(|found| !is_readable(&found, data_dir.uid(), data_dir.gid()))
    });
    let sentence = |file: PathBuf| {
        format!(
            "{} cannot be read by the user {}, who owns the data directory {}: change its owner or group",
            file.display(),
            data_dir.uid(),
            config.data_dir.display()
        )
    };
    unreadable.map(sentence).collect()
}

/// Every file that the configuration names.
fn files(config: &Config) -> Vec<PathBuf> {
    let of_tls = config.tls.certificates.iter().flat_map(|files| [files.chain.clone(), files.key.clone()]);
    let authorities = config.tls.client_certificates.authorities().map(Path::to_owned);
    let keys = [config.keyring.clone(), config.keyring_key.clone()];
    of_tls.chain(authorities).chain(keys).collect()
}

/// Whether a user reads a file by its mode; supplementary groups are not known.
fn is_readable(found: &Metadata, user: u32, group: u32) -> bool {
    let bit = match (found.uid() == user, found.gid() == group) {
        (true, _) => 0o400,
        (false, true) => 0o040,
        (false, false) => 0o004,
    };
    found.mode() & bit != 0
}

/// The keyring, if it exists: an exposed or damaged one stops the start.
fn keyring(config: &Config) -> Option<String> {
    private_file::read(&config.keyring).err().map(|error| with_causes(&error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_overlap_on_one_port_and_one_or_any_interface() {
        let overlaps = |one: &str, other: &str| overlap(one.parse().unwrap(), other.parse().unwrap());
        assert!(overlaps("0.0.0.0:8743", "127.0.0.1:8743"));
        assert!(overlaps("127.0.0.1:8743", "127.0.0.1:8743"));
        assert!(!overlaps("127.0.0.1:8743", "127.0.0.1:8744"));
        assert!(!overlaps("127.0.0.1:8743", "127.0.0.2:8743"));
        assert!(!overlaps("127.0.0.1:0", "127.0.0.1:0"));
    }
}
