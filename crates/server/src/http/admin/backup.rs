//! Backup: a consistent copy of the database, made in the data directory and streamed from there.

use std::error::Error;
use std::fs::{self, File};
use std::io::{self, Read};
use std::iter::successors;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use hyper::body::{Frame, SizeHint};
use northgate_core::store::StoreError;
use northgate_store::embedded::NoRoom;
use tokio::sync::mpsc;
use tracing::info;

use super::operator::Operator;
use super::problem::AdminProblem;
use super::{Admin, BackUp};

/// The size of a read, and the number of reads that wait for a slow client.
const CHUNK: usize = 64 * 1024;
const CHUNKS: usize = 4;

/// Reason why there is no copy.
#[derive(Debug, thiserror::Error)]
enum BackupError {
    #[error("the database could not be copied")]
    Store(#[source] StoreError),
    #[error("the copy of the database could not be read back")]
    File(#[from] io::Error),
}

pub async fn download(_: Operator, State(admin): State<Arc<Admin>>) -> Result<Response, AdminProblem> {
    let Some(back_up) = &admin.back_up else {
        return Err(AdminProblem::unsupported(
            "the nodes share a PostgreSQL database: back it up by its own means (pg_dump, pg_basebackup, point-in-time recovery), and keyring.key apart from it",
        ));
    };
    let copied = copy(&admin, back_up).await;
    let (file, length) = copied.map_err(|error| match no_room(&error) {
        Some(no_room) => AdminProblem::failed_by(&error, no_room.to_string()),
        None => AdminProblem::failure(&error),
    })?;
    info!(target: "northgate::audit", "a backup of {length} bytes was made");
    let headers = [
        (header::CONTENT_TYPE, "application/vnd.sqlite3"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"northgate-backup.db\""),
    ];
    Ok((headers, Body::new(Chunks::of(file, length))).into_response())
}

/// The open copy, already unlinked: whatever happens from here on, no file is left behind.
async fn copy(admin: &Admin, back_up: &BackUp) -> Result<(File, u64), BackupError> {
    let _turn = admin.exclusive.back_up.lock().await;
    let path = admin.config.load().data_dir.join("backup.tmp");
    // Left by a process that was killed while it made a copy.
    remove(&path)?;
    let copied = back_up(path.clone()).await.map_err(BackupError::Store);
    let opened = copied.and_then(|()| Ok(File::open(&path)?));
    remove(&path)?;
    let file = opened?;
    let length = file.metadata()?.len();
    Ok((file, length))
}

/// What the operator can correct without the log of the server.
fn no_room(error: &BackupError) -> Option<&NoRoom> {
    let first: &(dyn Error + 'static) = error;
    successors(Some(first), |cause| (*cause).source()).find_map(|cause| cause.downcast_ref())
}

fn remove(path: &Path) -> Result<(), io::Error> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// A file as a response body, read on a blocking thread no faster than the client takes it.
struct Chunks {
    read: mpsc::Receiver<Result<Bytes, io::Error>>,
    left: u64,
}

impl Chunks {
    fn of(file: File, length: u64) -> Chunks {
        let (sender, read) = mpsc::channel(CHUNKS);
        tokio::task::spawn_blocking(move || send(file.take(length), &sender));
        Chunks { read, left: length }
    }
}

fn send(mut file: impl Read, to: &mpsc::Sender<Result<Bytes, io::Error>>) {
    let mut buffer = vec![0; CHUNK];
    loop {
        let chunk = match file.read(&mut buffer) {
            Ok(0) => return,
            Ok(count) => Ok(Bytes::copy_from_slice(&buffer[..count])),
            Err(error) => Err(error),
        };
        let is_last = chunk.is_err();
        // The client hung up.
        if to.blocking_send(chunk).is_err() || is_last {
            return;
        }
    }
}

impl hyper::body::Body for Chunks {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        self.read.poll_recv(context).map(|chunk| {
            let chunk = chunk?;
            if let Ok(bytes) = &chunk {
                self.left -= bytes.len() as u64;
            }
            Some(chunk.map(Frame::data))
        })
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    /// The exact size, so that the client can tell a complete copy.
    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}
