//! The identity of the opened files: detects a path that leads to another file, or to none.

use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// The identity of a file under any name: device and inode number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Inode {
    device: u64,
    number: u64,
}

impl Inode {
    pub fn of(metadata: &Metadata) -> Inode {
        Inode { device: metadata.dev(), number: metadata.ino() }
    }
}

/// Reason why a commit would go into a file that no start finds again.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Lost {
    #[error(
        "{} is not the file that this server opened: it was removed, moved or replaced. Nothing more is written until \
         the file is back; or stop this server, put the data directory in order, and start it again",
        .0.display()
    )]
    Database(PathBuf),
    #[error(
        "{} was removed or replaced beside the database that it belongs to. Nothing more is written: stop this server, \
         and start it again",
        .0.display()
    )]
    Wal(PathBuf),
    #[error(
        "another program has written to {}. Nothing more is written; what the WAL held is in {}-wal.overwritten now: stop \
         this server, restore a backup, and start it again",
        .0.display(), .0.display()
    )]
    Overwritten(PathBuf),
}

/// The files that were opened by their paths.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    database: (PathBuf, Inode),
    wal: PathBuf,
    /// `None` while no connection is open; then the path leads to an empty file or none.
    wal_inode: Option<Inode>,
}

impl Identity {
    pub fn new(database: PathBuf, inode: Inode) -> Identity {
        let mut wal = database.clone().into_os_string();
        wal.push("-wal");
        Identity { database: (database, inode), wal: wal.into(), wal_inode: None }
    }

    /// With the WAL that a connection has just opened.
    pub fn with_wal(&self) -> std::io::Result<Identity> {
        let wal = fs::metadata(&self.wal)?;
        Ok(Identity { wal_inode: Some(Inode::of(&wal)), ..self.clone() })
    }

    pub fn database(&self) -> &Path {
        &self.database.0
    }

    /// Checks where the paths lead now: two calls of `stat`.
    pub fn check(&self) -> Result<(), Lost> {
        self.check_database()?;
        self.check_wal()
    }

    pub fn check_wal(&self) -> Result<(), Lost> {
        let is_ours = match (self.wal_inode, fs::metadata(&self.wal)) {
            (Some(opened), found) => found.is_ok_and(|found| Inode::of(&found) == opened),
            (None, found) => found.map_or(true, |found| found.len() == 0),
        };
        if is_ours { Ok(()) } else { Err(Lost::Wal(self.wal.clone())) }
    }

    /// Moves the WAL away, because it does not belong to the present content of the database file.
    pub fn set_wal_aside(&self) -> std::io::Result<()> {
        let mut aside = self.wal.clone().into_os_string();
        aside.push(".overwritten");
        fs::rename(&self.wal, aside)
    }

    pub fn check_database(&self) -> Result<(), Lost> {
        let (path, opened) = &self.database;
        let is_ours = fs::metadata(path).is_ok_and(|found| Inode::of(&found) == *opened);
        if is_ours { Ok(()) } else { Err(Lost::Database(path.clone())) }
    }
}
