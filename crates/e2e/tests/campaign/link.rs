//! A TCP connection between two of the house that can be cut and stalled.

use std::net::SocketAddr;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    Pass,
    /// Connections stay, and nothing moves on them.
    Stall,
    /// What is open ends, and new ones end at once.
    Cut,
}

pub struct Link {
    pub port: u16,
    mode: watch::Sender<Mode>,
}

impl Link {
    /// To a port on this machine that need not be open yet.
    pub async fn to(port: u16) -> Link {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (mode, seen) = watch::channel(Mode::Pass);
        let link = Link { port: listener.local_addr().unwrap().port(), mode };
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                tokio::spawn(carry(near, SocketAddr::from(([127, 0, 0, 1], port)), seen.clone()));
            }
        });
        link
    }

    pub fn set(&self, mode: Mode) {
        self.mode.send_replace(mode);
    }
}

async fn carry(near: TcpStream, to: SocketAddr, mut mode: watch::Receiver<Mode>) {
    if *mode.borrow_and_update() == Mode::Cut {
        return;
    }
    let Ok(far) = TcpStream::connect(to).await else { return };
    // Small writes must not wait for each other's acknowledgement.
    let _ = (near.set_nodelay(true), far.set_nodelay(true));
    let ((near_in, near_out), (far_in, far_out)) = (near.into_split(), far.into_split());
    let other = mode.clone();
    // The end of one direction is the end of both: no participant half-closes.
    tokio::select! {
        () = pump(near_in, far_out, mode) => {}
        () = pump(far_in, near_out, other) => {}
    }
}

async fn pump(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut mode: watch::Receiver<Mode>,
) {
    let mut bytes = vec![0; 16_384];
    loop {
        let read = tokio::select! {
            read = from.read(&mut bytes) => read.unwrap_or(0),
            () = until_cut(mode.clone()) => return,
        };
        let may_pass = mode.wait_for(|mode| *mode != Mode::Stall).await.is_ok_and(|mode| *mode == Mode::Pass);
        if read == 0 || !may_pass || to.write_all(&bytes[..read]).await.is_err() {
            return;
        }
    }
}

async fn until_cut(mut mode: watch::Receiver<Mode>) {
    // The house is gone: so is the connection.
    let _ = mode.wait_for(|mode| *mode == Mode::Cut).await;
}
