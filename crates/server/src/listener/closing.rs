//! Closing in stages (RFC 9112 §9.6): a connection that is closed while its client still sends is reset, and the client may
//! never see why. So the server ends its own side first, and then discards what still comes.

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, copy, sink};
use tokio::time::timeout;

/// Bytes that are discarded at most; a client that sends more has to live with a reset.
const DISCARD_MAX: u64 = 64 * 1024 * 1024;

/// How long a client may take to see the answer and to close its side.
const DISCARD_TIME: Duration = Duration::from_secs(5);

/// Discards what comes, until the client has closed its side too.
pub(super) async fn discard(stream: impl AsyncRead + Unpin) {
    // Whether it ended, broke, took too long or sent too much: the connection is closed now.
    let _ = timeout(DISCARD_TIME, copy(&mut stream.take(DISCARD_MAX), &mut sink())).await;
}
