//! A machine of its own for a page: a directory in the place of `/`, and stand-ins for the programs that would change the real one.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::commands::root;

/// The service manager of this machine: the server is a child of the page's shell.
const SYSTEMCTL: &str = r#"#!/bin/bash
set -eu
stop() { kill "$(cat "$MACHINE/pid")" && tail --pid "$(cat "$MACHINE/pid")" -s 0.05 -f /dev/null; }
start() {
    setsid northgate serve --dev >>"$MACHINE/printed" 2>>"$MACHINE/log" & echo $! >"$MACHINE/pid"
    for _ in $(seq 300); do
        if curl -sf "http://$NORTHGATE_ADMIN_LISTEN/health/ready" >/dev/null; then return 0; fi
        sleep 0.1
    done
    cat "$MACHINE/log" >&2
    return 1
}
case "$1" in
    start) start ;;
    stop) stop ;;
    reload) kill -HUP "$(cat "$MACHINE/pid")" ;;
    enable) [ -e "$MACHINE/etc/systemd/system/$3.service" ] ;;
    *) exit 1 ;;
esac
"#;

/// `sudo [-u USER] [NAME=VALUE…] COMMAND…`. The user does not exist here, and only root can give files to another one.
const SUDO: &str = r#"#!/bin/bash
if [ "$1" = -u ]; then shift 2; fi
if [ "$1" = chown ] && [ "$(id -u)" -ne 0 ]; then exit 0; fi
exec env "$@"
"#;

/// Docker, of which only the command line is looked at: the suite `deploy` reads the compose file.
const DOCKER: &str = "#!/bin/bash\n[ \"$1\" = compose ] && [ -e compose.yaml ]\n";

/// Before the page: a server, an application, and the tokens of a login in the variables that pages use.
const BEFORE: &str = r#"
set -euo pipefail
trap 'systemctl stop northgate || true' EXIT
systemctl start northgate
read -r APP_ID SECRET < <(awk '$1 == "appId" || $1 == "secret" { printf "%s ", $2 } END { print "" }' "$MACHINE/printed")
"#;

pub struct Machine {
    home: TempDir,
    page: String,
    /// The URL of an empty database.
    database: String,
}

impl Machine {
    pub fn for_page(page: &str, database: &str) -> Machine {
        let home = tempfile::tempdir().unwrap();
        let machine = Machine { home, page: page.to_owned(), database: database.to_owned() };
        for folder in ["bin", "etc/northgate", "etc/systemd/system", "var/lib", "backup", "root", "tmp"] {
            fs::create_dir_all(machine.path(folder)).unwrap();
        }
        let northgate = format!("#!/bin/bash\nexec '{}' \"$@\"\n", northgate_testkit::program());
        let programs =
            [("northgate", &northgate[..]), ("systemctl", SYSTEMCTL), ("sudo", SUDO), ("docker", DOCKER)];
        for (name, text) in programs {
            let path = machine.path(&format!("bin/{name}"));
            fs::write(&path, text).unwrap();
            fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
        }
        machine.prepare();
        machine
    }

    fn path(&self, name: &str) -> String {
        self.home.path().join(name).to_str().unwrap().to_owned()
    }

    /// What the reader of the page has before its first command: the files that its other blocks show.
    fn prepare(&self) {
        let copy = Command::new("cp").arg("-r").arg(root().join("deploy")).arg(self.path("deploy")).status();
        assert!(copy.unwrap().success());
        match &self.page[..] {
            "docs/gateways.md" => {
                let file = root().join("deploy/gateways/nginx/northgate.conf");
                fs::copy(file, self.path("northgate.conf")).unwrap();
            }
            "docs/operating/applications.md" => {
                self.write_block("csv", "apps.csv");
                fs::write(self.path("public.json"), PUBLIC_KEY).unwrap();
            }
            "docs/operating/install.md" => self.write_block("toml", "etc/northgate/northgate.toml"),
            _ => {}
        }
    }

    /// The first block of the page in a language, as a file.
    fn write_block(&self, language: &str, file: &str) {
        let text = fs::read_to_string(root().join(&self.page)).unwrap();
        let (_, block) = text.split_once(&format!("```{language}\n")).unwrap();
        let (block, _) = block.split_once("```").unwrap();
        fs::write(self.path(file), self.here(block)).unwrap();
    }

    /// A text of the page with the paths and ports of this machine.
    fn here(&self, text: &str) -> String {
        let mut here = text.to_owned();
        for folder in ["tmp", "etc", "var/lib", "backup", "root"] {
            for before in [' ', '=', '"'] {
                here =
                    here.replace(&format!("{before}/{folder}/"), &format!("{before}{}/", self.path(folder)));
            }
        }
        here.replace("target/release/northgate", "northgate")
            .replace("northgate-data/", &format!("{}/", self.path("var/lib/northgate")))
            .replace(" APPID", " $APP_ID")
            .replace("-o northgate -g northgate ", "")
            // The day of the backup in the first block is today.
            .replace("northgate-2026-11-22.db", "northgate-$(date +%F).db")
            .replace("postgres://…", &format!("'{}'", self.database))
            .replace("timeout 10 ", "timeout 3 ")
            .replace(":18743", ":0")
            .replace(":18744", ":0")
    }

    /// Runs the blocks; what was said if one of them failed.
    pub fn run(&self, blocks: &[String]) -> Result<(), String> {
        let (public, private) = free_ports();
        let mut script = BEFORE.to_owned();
        if self.page == "docs/operating/postgresql.md" {
            script.push_str(&format!("export NORTHGATE_DATABASE_URL='{}'\n", self.database));
        }
        for block in blocks {
            script.push_str(&self.here(block));
            script.push('\n');
        }
        let script = script.replace(":8743", &format!(":{public}")).replace(":8744", &format!(":{private}"));
        let path = format!("{}:/usr/sbin:/usr/bin:/sbin:/bin", self.path("bin"));
        let mut shell = Command::new("/bin/bash");
        shell.args(["-xc", &script]).current_dir(self.home.path()).env_clear().stdin(Stdio::null());
        shell.envs([("PATH", path), ("MACHINE", self.path("")), ("HOME", self.path("root"))]);
        shell.env("NORTHGATE_DATA_DIR", self.path("var/lib/northgate"));
        shell.env("NORTHGATE_LISTEN", format!("127.0.0.1:{public}"));
        shell.env("NORTHGATE_ADMIN_LISTEN", format!("127.0.0.1:{private}"));
        let output = shell.output().unwrap();
        if output.status.success() {
            return Ok(());
        }
        let said = [output.stdout, output.stderr].concat();
        Err(format!("{}\n{}", output.status, String::from_utf8_lossy(&said)))
    }
}

/// A public key without its private half.
const PUBLIC_KEY: &str = r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;

fn free_ports() -> (u16, u16) {
    let free = || std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let (one, other) = (free(), free());
    (one.local_addr().unwrap().port(), other.local_addr().unwrap().port())
}
