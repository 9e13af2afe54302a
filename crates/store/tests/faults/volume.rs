//! Real file systems that are small: blocks of 1 KiB and of 4 KiB, and few inodes.
//!
//! Only root may mount them, so that `cargo test` leaves these to `./test`. `full.rs` makes the same calls fail everywhere.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::failing::Trouble;

/// As `data_dir.rs` has it, and what a file system needs for itself.
const SIZE: u64 = 20 << 20;

#[derive(Clone, Copy)]
enum Kind {
    Ext4 { block: u32 },
    Tmpfs,
}

/// A mounted file system; unmounted when dropped.
struct Volume {
    mounted_at: PathBuf,
    _directory: tempfile::TempDir,
}

impl Volume {
    fn mount(kind: Kind, size: u64, inodes: u32) -> Volume {
        let directory = tempfile::tempdir().unwrap();
        let mounted_at = directory.path().join("mounted");
        fs::create_dir(&mounted_at).unwrap();
        let mut mount = Command::new("mount");
        match kind {
            Kind::Tmpfs => {
                mount.args(["-t", "tmpfs", "-o", &format!("size={size},nr_inodes={inodes}"), "none"]);
            }
            Kind::Ext4 { block } => {
                let image = directory.path().join("image");
                File::create(&image).unwrap().set_len(size).unwrap();
                let mut make = Command::new("mkfs.ext4");
                make.args(["-q", "-m", "0", "-O", "^has_journal", "-b", &block.to_string()]);
                make.args(["-N", &inodes.to_string()]).arg(&image);
                assert!(make.status().unwrap().success());
                mount.args(["-o", "loop"]).arg(image);
            }
        }
        let output = mount.arg(&mounted_at).output().unwrap();
        let reason = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "no file system can be mounted here: {reason}");
        Volume { mounted_at, _directory: directory }
    }

    fn trouble(&self) -> Trouble {
        Trouble::prepare_in(tempfile::tempdir_in(&self.mounted_at).unwrap())
    }

    /// Takes all blocks.
    fn fill(&self) -> PathBuf {
        let path = self.mounted_at.join("filler");
        let mut filler = File::create(&path).unwrap();
        for piece in [1 << 20, 4096, 1024] {
            while filler.write_all(&vec![1; piece]).and_then(|()| filler.sync_data()).is_ok() {}
        }
        path
    }

    /// Takes all inodes.
    fn use_up_inodes(&self) -> PathBuf {
        let path = self.mounted_at.join("fillers");
        fs::create_dir(&path).unwrap();
        let mut names = (0..).map(|number| path.join(number.to_string()));
        while names.next().is_some_and(|name| File::create(name).is_ok()) {}
        path
    }
}

impl Drop for Volume {
    fn drop(&mut self) {
        // Lazily, since a child that was just killed may still hold it.
        let unmounted = Command::new("umount").arg("-l").arg(&self.mounted_at).status();
        println!("unmounted: {unmounted:?}");
    }
}

fn kinds() -> [(&'static str, Kind); 3] {
    [
        ("blocks of 1 KiB", Kind::Ext4 { block: 1024 }),
        ("blocks of 4 KiB", Kind::Ext4 { block: 4096 }),
        ("tmpfs", Kind::Tmpfs),
    ]
}

/// With blocks of 1 KiB the mapped index of the WAL had holes: the process died of SIGBUS, also while it said that it was ready.
#[test]
#[ignore = "needs root, mount and mkfs.ext4: ./test runs it"]
fn a_volume_that_fills_up_kills_no_process_and_readers_are_served_at_the_next_start() {
    for (name, kind) in kinds() {
        let volume = Volume::mount(kind, SIZE, 1_000);
        println!("{name}");
        let mut trouble = volume.trouble();
        let filler = volume.fill();
        write_until_it_is_full(&mut trouble);
        let access = trouble.promises.last(0).access.clone();
        trouble.child.ask(&["stop"]).unwrap();
        // The stop may have freed a little.
        fs::remove_file(filler).unwrap();
        let filler = volume.fill();
        assert_eq!(trouble.child.ask(&["open"]).unwrap(), ["done"], "{name}");
        assert_eq!(trouble.child.ask(&["verify", &access]).unwrap(), ["good"], "{name}");
        assert_eq!(trouble.promises.try_login(&mut trouble.child).unwrap(), ["unavailable"], "{name}");
        fs::remove_file(filler).unwrap();
        trouble.wait_until_over();
        trouble.promises.refresh(&mut trouble.child, 0).unwrap();
        trouble.check();
    }
}

fn write_until_it_is_full(trouble: &mut Trouble) {
    for _ in 0..20_000 {
        let answer = trouble.promises.try_refresh(&mut trouble.child, 0).unwrap();
        if answer == ["unavailable"] {
            return;
        }
        trouble.promises.keep(0, &answer);
    }
    panic!("a full volume has room for 20,000 commits");
}

#[test]
#[ignore = "needs root, mount and mkfs.ext4: ./test runs it"]
fn without_a_free_inode_it_starts_and_writes() {
    for (name, kind) in kinds() {
        let volume = Volume::mount(kind, SIZE, 64);
        println!("{name}");
        let mut trouble = volume.trouble();
        trouble.child.ask(&["stop"]).unwrap();
        volume.use_up_inodes();
        assert_eq!(trouble.child.ask(&["open"]).unwrap(), ["done"], "{name}");
        trouble.promises.refresh(&mut trouble.child, 0).unwrap();
        trouble.check();
    }
}

#[test]
#[ignore = "needs root, mount and mkfs.ext4: ./test runs it"]
fn a_volume_that_is_too_small_is_refused_with_a_sentence() {
    let volume = Volume::mount(Kind::Tmpfs, 4 << 20, 1_000);
    let refusal = open_error(&volume.mounted_at.join("data"));
    assert!(refusal.contains("has 4096 KiB, and Northgate needs "), "{refusal}");
}

fn open_error(data_dir: &Path) -> String {
    let clock = Box::new(|| northgate_core::clock::Timestamp::from_millis(0));
    match northgate_store::embedded::EmbeddedStore::open(data_dir, 1, clock) {
        Ok(_) => panic!("it was opened"),
        Err(error) => error.to_string(),
    }
}
