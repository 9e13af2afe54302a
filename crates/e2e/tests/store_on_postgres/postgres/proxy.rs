//! A proxy between a node and the database that cuts connections: before a request, after it, or all of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

pub struct Proxy {
    pub port: u16,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    /// Every so many requests one is not handed on, and one is done and its answer withheld; 0 is never.
    lost_requests: AtomicU64,
    lost_answers: AtomicU64,
    is_down: AtomicBool,
    requests: AtomicU64,
    cuts: AtomicU64,
}

enum Fate {
    Pass,
    LoseRequest,
    LoseAnswer,
}

impl Proxy {
    pub async fn to(server: u16) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(State::default());
        let shared = Arc::clone(&state);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let state = Arc::clone(&shared);
                tokio::spawn(async move {
                    let server = TcpStream::connect(("127.0.0.1", server)).await.unwrap();
                    // Whichever side ends it, both see the end of their connection.
                    let _ = carry(client, server, &state).await;
                });
            }
        });
        Proxy { port, state }
    }

    /// Cuts one connection in `requests` before the request is handed on, and one in `answers` after it was done.
    pub fn lose_one_in(&self, requests: u64, answers: u64) {
        self.state.lost_requests.store(requests, Ordering::SeqCst);
        self.state.lost_answers.store(answers, Ordering::SeqCst);
    }

    pub fn set_down(&self, is_down: bool) {
        self.state.is_down.store(is_down, Ordering::SeqCst);
    }

    /// Connections that were cut.
    pub fn cuts(&self) -> u64 {
        self.state.cuts.load(Ordering::SeqCst)
    }
}

impl State {
    fn fate(&self) -> Fate {
        let request = self.requests.fetch_add(1, Ordering::SeqCst) + 1;
        let is_in = |every: &AtomicU64| {
            let every = every.load(Ordering::SeqCst);
            every > 0 && request.is_multiple_of(every)
        };
        if self.is_down.load(Ordering::SeqCst) || is_in(&self.lost_requests) {
            self.cuts.fetch_add(1, Ordering::SeqCst);
            return Fate::LoseRequest;
        }
        if is_in(&self.lost_answers) {
            self.cuts.fetch_add(1, Ordering::SeqCst);
            return Fate::LoseAnswer;
        }
        Fate::Pass
    }
}

async fn carry(mut client: TcpStream, mut server: TcpStream, state: &State) -> std::io::Result<()> {
    let (mut request, mut answer) = (vec![0; 65_536], vec![0; 65_536]);
    loop {
        tokio::select! {
            read = client.read(&mut request) => {
                let bytes = &request[..read?];
                if bytes.is_empty() {
                    return Ok(());
                }
                match state.fate() {
                    Fate::Pass => server.write_all(bytes).await?,
                    Fate::LoseRequest => return Ok(()),
                    Fate::LoseAnswer => {
                        server.write_all(bytes).await?;
                        // Once the database answers, it is done.
                        let _withheld = server.read(&mut answer).await?;
                        return Ok(());
                    }
                }
            }
            read = server.read(&mut answer) => {
                let bytes = &answer[..read?];
                if bytes.is_empty() {
                    return Ok(());
                }
                client.write_all(bytes).await?;
            }
        }
    }
}
