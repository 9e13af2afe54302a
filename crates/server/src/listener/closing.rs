//! Closing in stages (RFC 9112 §9.6). Closing a connection while its client still sends would reset it, and the client may never
//! see the answer. So the server ends its own side first, and then discards the rest.

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, copy, sink};
use tokio::time::timeout;

/// The most discarded bytes; a client that sends more gets a reset.
const DISCARD_MAX: u64 = 64 * 1024 * 1024;

/// Timeout for the client to read the answer and to close its side.
const DISCARD_TIME: Duration = Duration::from_secs(5);

/// Discards input until the client has closed its side too.
pub(super) async fn discard(stream: impl AsyncRead + Unpin) {
    // Ended, broken, too slow or too long: the connection is closed now.
    let _ = timeout(DISCARD_TIME, copy(&mut stream.take(DISCARD_MAX), &mut sink())).await;
}
