//! What the shim saw, and what of it a disk owes us after a loss of power.

use std::collections::HashMap;
use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;
use std::path::Path;

use northgate_testkit::chance::Chance;

/// One call on a file of the database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    pub name: String,
    pub file: String,
    pub fd: i32,
    pub offset: u64,
    pub length: u64,
    pub failed: bool,
}

pub fn read(log: &str) -> Vec<Call> {
    log.lines().map(parse).collect()
}

fn parse(line: &str) -> Call {
    let words: Vec<&str> = line.split(' ').collect();
    let [name, file, fd, offset, length, failed] = words[..] else { panic!("{line}") };
    Call {
        name: name.to_owned(),
        file: file.to_owned(),
        fd: fd.parse().unwrap(),
        offset: offset.parse().unwrap(),
        length: length.parse().unwrap(),
        failed: failed != "0",
    }
}

/// Where a file may hold anything after a loss of power: what was written and not synced since.
///
/// A sync that fails makes no promise about what was written before it, and neither does any sync after it: the kernel
/// has dropped what it could not write, and counts it as clean.
#[derive(Default)]
struct Doubt {
    unsynced: Vec<(u64, u64)>,
    lost: Vec<(u64, u64)>,
}

impl Doubt {
    fn note(&mut self, call: &Call) {
        match (call.name.as_str(), call.failed) {
            ("write", false) => {
                let written = (call.offset, call.offset + call.length);
                self.lost = self.lost.iter().flat_map(|lost| without(*lost, written)).collect();
                self.unsynced.push(written);
            }
            ("sync", false) => self.unsynced.clear(),
            ("sync", true) => self.lost.append(&mut self.unsynced),
            ("unlink", false) => *self = Doubt::default(),
            ("truncate", false) => {
                let kept = |ends: &mut Vec<(u64, u64)>| {
                    ends.iter_mut().for_each(|(_, end)| *end = call.length.min(*end));
                    ends.retain(|(start, end)| start < end);
                };
                kept(&mut self.unsynced);
                kept(&mut self.lost);
            }
            _ => {}
        }
    }
}

fn without((start, end): (u64, u64), (from, to): (u64, u64)) -> Vec<(u64, u64)> {
    let left = (start, end.min(from));
    let right = (start.max(to), end);
    if end <= from || to <= start {
        return vec![(start, end)];
    }
    [left, right].into_iter().filter(|(start, end)| start < end).collect()
}

/// Takes the power away: each piece that is in doubt ends in noise, from anywhere on.
pub fn lose_power(data_dir: &Path, calls: &[Call], chance: &mut Chance) {
    let mut doubts: HashMap<&str, Doubt> = HashMap::new();
    for call in calls {
        doubts.entry(&call.file).or_default().note(call);
    }
    for (file, Doubt { unsynced, lost }) in doubts {
        let path = data_dir.join(if file == "wal" { "northgate.db-wal" } else { "northgate.db" });
        let Ok(opened) = OpenOptions::new().write(true).open(&path) else { continue };
        for (start, end) in unsynced.into_iter().chain(lost) {
            let start = start + chance.up_to(end - start);
            let noise: Vec<u8> = (start..end).map(|_| chance.up_to(255) as u8).collect();
            opened.write_all_at(&noise, start).unwrap();
        }
    }
}
