//! The Debian package and the RPM package, installed, run, upgraded and removed in a Debian of their own.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use northgate_testkit::process_guard::ProcessGuard;
use northgate_testkit::{cache, packages, program, repository, wait_until};

/// A Debian 12 with nothing but its base, in a folder.
struct Debian(TempDir);

impl Debian {
    fn new() -> Debian {
        let root = tempfile::tempdir().unwrap();
        let copy = Command::new("cp").arg("-a").arg(base().join(".")).arg(root.path()).status();
        assert!(copy.unwrap().success());
        Debian(root)
    }

    fn path(&self, path: &str) -> PathBuf {
        self.0.path().join(path.trim_start_matches('/'))
    }

    fn command(&self, line: &str) -> Command {
        let mut command = Command::new("chroot");
        command.arg(self.0.path()).args(["/bin/sh", "-ec", line]).env_clear();
        command.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env("DEBIAN_FRONTEND", "noninteractive");
        command
    }

    #[track_caller]
    fn run(&self, line: &str) -> String {
        let output = self.command(line).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{line}: {said}{}", String::from_utf8_lossy(&output.stderr));
        said
    }

    fn install(&self, package: &Path) {
        fs::copy(package, self.path("northgate.deb")).unwrap();
        self.run("dpkg --install /northgate.deb");
    }
}

/// The base, made once.
fn base() -> PathBuf {
    packages::debian_package("debootstrap", "/usr/sbin/debootstrap");
    let root = cache().join("debian-12");
    let turn = File::create(cache().join("debian-12.lock")).unwrap();
    turn.lock().unwrap();
    if !root.join("finished").exists() {
        let _ = fs::remove_dir_all(&root);
        let site = Command::new("apt-get")
            .args(["indextargets", "--format", "$(SITE) $(CODENAME)"])
            .output()
            .unwrap();
        let sites = String::from_utf8(site.stdout).unwrap();
        let site =
            sites.lines().filter_map(|line| line.split_once(' ')).find(|(_, name)| *name == "bookworm");
        let site = site.map(|(site, _)| site.to_owned()).expect("a package source of Debian 12");
        let mut bootstrap = Command::new("/usr/sbin/debootstrap");
        let output = bootstrap.args(["--variant=minbase", "bookworm"]).arg(&root).arg(site).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
        File::create(root.join("finished")).unwrap();
    }
    root
}

/// The package of the program under test, made by `deb` or `rpm`.
fn package(by: &str, folder: &Path, revision: &str) -> PathBuf {
    packages::debian_package("binutils", "/usr/bin/strip");
    packages::debian_package("rpm", "/usr/bin/rpmbuild");
    let mut make = Command::new(repository("deploy/package").join(by));
    let output = make.arg(program()).arg(folder).env("REVISION", revision).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    PathBuf::from(String::from_utf8(output.stdout).unwrap().trim())
}

fn configure(debian: &Debian) {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    fs::write(debian.path("/etc/northgate/tls/cert.pem"), made.cert.pem()).unwrap();
    fs::write(debian.path("/etc/northgate/tls/cert.key"), made.signing_key.serialize_pem()).unwrap();
    debian.run("chown root:northgate /etc/northgate/tls/* && chmod 640 /etc/northgate/tls/cert.key");
    let text = fs::read_to_string(debian.path("/etc/northgate/northgate.toml")).unwrap();
    let text =
        text.replace("# [tls]", "[tls]").replace("# certificates", "certificates").replace("# keys", "keys");
    let addresses = "listen = \"127.0.0.1:0\"\nadmin_listen = \"127.0.0.1:0\"\n";
    fs::write(debian.path("/etc/northgate/northgate.toml"), format!("{addresses}{text}")).unwrap();
}

const MODES: &str = "stat -c '%A %U:%G' /etc/northgate/northgate.toml /etc/northgate/tls /var/lib/northgate";
const EXPECTED_MODES: &str =
    "-rw-r----- root:northgate\ndrwxr-x--- root:northgate\ndrwx------ northgate:northgate\n";
const AS_SERVICE: &str = "setpriv --reuid northgate --regid northgate --init-groups";

/// Checks the configuration and serves as the service does, until there is an application.
fn run(debian: &Debian, folder: &Path) {
    debian.run(&format!("{AS_SERVICE} northgate config check"));
    let serve = debian.command(&format!("exec {AS_SERVICE} northgate serve"));
    let server = ProcessGuard::start(&serve, folder, "serve", "TERM");
    wait_until("the server is ready", || {
        debian.command(&format!("{AS_SERVICE} northgate status")).output().unwrap().status.success()
    });
    debian.run(&format!("{AS_SERVICE} northgate app create Meters"));
    server.end();
}

#[test]
fn a_package_is_installed_configured_run_upgraded_removed_and_purged() {
    let (folder, debian) = (tempfile::tempdir().unwrap(), Debian::new());
    debian.install(&package("deb", folder.path(), "1"));
    assert_eq!(debian.run(MODES), EXPECTED_MODES);
    for file in [
        "/usr/lib/systemd/system/northgate.service",
        "/usr/share/man/man1/northgate-app-create.1.gz",
        "/usr/share/bash-completion/completions/northgate",
    ] {
        assert!(debian.path(file).exists(), "{file}");
    }
    let unit = fs::read_to_string(debian.path("/usr/lib/systemd/system/northgate.service")).unwrap();
    assert!(unit.contains("ExecStart=/usr/bin/northgate serve"), "{unit}");

    configure(&debian);
    run(&debian, folder.path());

    let before = fs::read_to_string(debian.path("/etc/northgate/northgate.toml")).unwrap();
    debian.install(&package("deb", folder.path(), "2"));
    let version = concat!("Version: ", env!("CARGO_PKG_VERSION"), "-2\n");
    assert!(debian.run("dpkg --status northgate").contains(version));
    assert_eq!(fs::read_to_string(debian.path("/etc/northgate/northgate.toml")).unwrap(), before);
    assert!(debian.path("/var/lib/northgate/northgate.db").exists());

    debian.run("dpkg --remove northgate");
    assert!(!debian.path("/usr/bin/northgate").exists());
    assert!(debian.path("/var/lib/northgate/northgate.db").exists());
    debian.run("dpkg --purge northgate");
    assert!(!debian.path("/var/lib/northgate").exists() && !debian.path("/etc/northgate").exists());
    assert!(!debian.command("getent passwd northgate").output().unwrap().status.success());
}

#[test]
fn an_rpm_is_installed_configured_run_upgraded_and_removed() {
    let (folder, debian) = (tempfile::tempdir().unwrap(), Debian::new());
    let rpm = |action: &str, what: &Path| {
        // The database of the packages of this root is rpm's own, which knows nothing of Debian's packages.
        let mut rpm = Command::new("/usr/bin/rpm");
        let output =
            rpm.arg("--root").arg(debian.path("/")).args(["--nodeps", action]).arg(what).output().unwrap();
        assert!(output.status.success(), "{action}: {}", String::from_utf8_lossy(&output.stderr));
    };
    rpm("--install", &package("rpm", folder.path(), "1"));
    assert_eq!(debian.run(MODES), EXPECTED_MODES);
    configure(&debian);
    run(&debian, folder.path());
    let before = fs::read_to_string(debian.path("/etc/northgate/northgate.toml")).unwrap();
    rpm("--upgrade", &package("rpm", folder.path(), "2"));
    assert_eq!(fs::read_to_string(debian.path("/etc/northgate/northgate.toml")).unwrap(), before);
    rpm("--erase", Path::new("northgate"));
    assert!(!debian.path("/usr/bin/northgate").exists());
    assert!(debian.path("/var/lib/northgate/northgate.db").exists());
}
