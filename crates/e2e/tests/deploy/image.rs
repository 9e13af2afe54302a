//! The OCI image: what is in it, and the program as process 1 of a container with a root that cannot be written.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use northgate_testkit::{packages, program, repository};

/// An image, unpacked.
struct Image {
    folder: TempDir,
    config: Value,
    size: u64,
}

impl Image {
    fn new() -> Image {
        packages::debian_package("binutils", "/usr/bin/strip");
        packages::debian_package("buildah", "/usr/bin/buildah");
        let folder = tempfile::tempdir().unwrap();
        let mut make = Command::new(repository("deploy/package/image"));
        let output = make.arg(program()).arg(folder.path()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let archive = String::from_utf8(output.stdout).unwrap();
        let archive = Path::new(archive.trim());
        let layout = folder.path().join("layout");
        unpack(archive, &layout);
        let read = |path: PathBuf| -> Value { serde_json::from_reader(File::open(path).unwrap()).unwrap() };
        let blob = |digest: &Value| {
            layout.join("blobs/sha256").join(digest.as_str().unwrap().strip_prefix("sha256:").unwrap())
        };
        let manifest = read(blob(&read(layout.join("index.json"))["manifests"][0]["digest"]));
        for layer in manifest["layers"].as_array().unwrap() {
            unpack(&blob(&layer["digest"]), &folder.path().join("root"));
        }
        let config = read(blob(&manifest["config"]["digest"]))["config"].clone();
        Image { size: fs::metadata(archive).unwrap().len(), folder, config }
    }

    fn root(&self) -> PathBuf {
        self.folder.path().join("root")
    }
}

fn unpack(archive: &Path, folder: &Path) {
    fs::create_dir_all(folder).unwrap();
    let unpacked = Command::new("tar").arg("-xf").arg(archive).arg("-C").arg(folder).status();
    assert!(unpacked.unwrap().success(), "{}", archive.display());
}

/// Its own process 1, a root that cannot be written, and a volume for the data.
const CONTAINER: &str = r#"mount --bind "$1" "$1"
mount -o remount,bind,ro "$1"
mount -t tmpfs -o mode=700,uid=65532,gid=65532 data "$1/var/lib/northgate"
exec chroot --userspec=65532:65532 "$1" /usr/bin/northgate serve --dev --listen 127.0.0.1:0 --admin-listen 127.0.0.1:0"#;

#[test]
fn an_image_is_small_has_no_shell_and_runs_as_a_user_of_its_own_on_a_root_that_cannot_be_written() {
    let image = Image::new();
    assert!(image.size < 30 << 20, "{} bytes", image.size);
    assert_eq!(
        (&image.config["User"], &image.config["StopSignal"]),
        (&"65532:65532".into(), &"SIGTERM".into())
    );
    assert_eq!(image.config["Entrypoint"], serde_json::json!(["/usr/bin/northgate"]));
    assert!(!image.root().join("bin/sh").exists() && !image.root().join("usr/bin/sh").exists());

    let mut container = Command::new("unshare");
    container.args(["--mount", "--pid", "--fork", "sh", "-ec", CONTAINER, "sh"]).arg(image.root());
    container.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
    container.env("NORTHGATE_DATA_DIR", "/var/lib/northgate");
    let mut container = container.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(container.stdout.take().unwrap()).lines().map_while(Result::ok);
    let serves = lines.any(|line| line.starts_with("Northgate serves applications on https://localhost:"));
    let children = format!("/proc/{0}/task/{0}/children", container.id());
    let first = fs::read_to_string(children).unwrap();
    let stopped = Command::new("kill").args(["-TERM", first.trim()]).status().unwrap();
    assert!(serves && stopped.success());
    assert_eq!(container.wait().unwrap().code(), Some(0));
}
