//! The signals of the process: stop, and look at the certificates again.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// Resolves at SIGTERM or SIGINT. From the call on they no longer end the process by themselves.
pub fn stop() -> io::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

/// SIGHUP, as often as it comes.
pub fn hangup() -> io::Result<Signal> {
    signal(SignalKind::hangup())
}
