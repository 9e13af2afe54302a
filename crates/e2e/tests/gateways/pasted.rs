//! The lines of docs/gateways.md, pasted.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use crate::support::identity::Identity;
use northgate_testkit::packages;

/// The key of a certificate has mode 0600 and is root's, and Debian's Caddy runs as its own user: with the lines that stood there it did
/// not start.
#[test]
fn caddys_lines_work_as_pasted_in_order() {
    packages::debian("caddy");
    let lines = pasted("### Caddy and its key");
    assert!(lines.iter().any(|line| line.starts_with("runuser -u caddy -- caddy validate ")), "{lines:?}");
    let folder = prepared();
    for line in &lines {
        run(folder.path(), line).unwrap_or_else(|said| panic!("{line}: {said}"));
    }
    let key = folder.path().join("etc/northgate/gateway/key.pem");
    assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o640);
    // The last line would have said so.
    fs::set_permissions(&key, Permissions::from_mode(0o600)).unwrap();
    let said = run(folder.path(), lines.last().unwrap()).unwrap_err();
    assert!(said.contains("permission denied"), "{said}");
}

/// The first block of lines for a shell below a heading, without those that need a running system.
fn pasted(heading: &str) -> Vec<String> {
    let page = include_str!("../../../../docs/gateways.md");
    let (_, below) = page.split_once(heading).unwrap();
    let (_, block) = below.split_once("```sh\n").unwrap();
    let (block, _) = block.split_once("```").unwrap();
    block.lines().filter(|line| !line.starts_with("systemctl ")).map(str::to_owned).collect()
}

/// What the reader of the page has: a certificate, its key, and the files.
fn prepared() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    fs::set_permissions(path, Permissions::from_mode(0o755)).unwrap();
    let own = Identity::ecdsa();
    for (name, text) in [("cert.pem", &own.chain), ("ca.pem", &own.chain), ("key.pem", &own.key)] {
        fs::write(path.join(name), text).unwrap();
    }
    fs::set_permissions(path.join("key.pem"), Permissions::from_mode(0o600)).unwrap();
    let from = northgate_testkit::repository("deploy/gateways/caddy/Caddyfile");
    let file = fs::read_to_string(from).unwrap().replace("/etc/", &format!("{}/etc/", path.display()));
    fs::create_dir_all(path.join("deploy/gateways/caddy")).unwrap();
    fs::write(path.join("deploy/gateways/caddy/Caddyfile"), file).unwrap();
    fs::create_dir_all(path.join("etc/caddy")).unwrap();
    folder
}

/// Runs a line with `/etc` in `folder`; what it says if it fails.
fn run(folder: &Path, line: &str) -> Result<(), String> {
    let line = line.replace("/etc/", &format!("{}/etc/", folder.display()));
    let output = Command::new("sh").args(["-c", &line]).current_dir(folder).output().unwrap();
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    if output.status.success() { Ok(()) } else { Err(said) }
}
