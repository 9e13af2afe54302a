//! What lies between a gateway and Northgate's private listener: it counts connections and keeps what is asked.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

pub struct Relay {
    pub address: SocketAddr,
    heard: Arc<Mutex<Heard>>,
}

#[derive(Default)]
struct Heard {
    connections: usize,
    asked: Vec<u8>,
}

impl Relay {
    pub async fn start(to: SocketAddr) -> Relay {
        let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        let heard = Arc::new(Mutex::new(Heard::default()));
        let all = Arc::clone(&heard);
        tokio::spawn(async move {
            while let Ok((gateway, _)) = socket.accept().await {
                all.lock().unwrap().connections += 1;
                tokio::spawn(carry(gateway, TcpStream::connect(to).await.unwrap(), Arc::clone(&all)));
            }
        });
        Relay { address, heard }
    }

    pub fn connections(&self) -> usize {
        self.heard.lock().unwrap().connections
    }

    /// All that was sent to Northgate.
    pub fn asked(&self) -> String {
        String::from_utf8_lossy(&self.heard.lock().unwrap().asked).into_owned()
    }
}

async fn carry(gateway: TcpStream, northgate: TcpStream, all: Arc<Mutex<Heard>>) {
    let (mut questions, mut back) = gateway.into_split();
    let (mut answers, mut on) = northgate.into_split();
    let asking = async {
        let mut piece = [0; 4096];
        while let Ok(length @ 1..) = questions.read(&mut piece).await {
            all.lock().unwrap().asked.extend_from_slice(&piece[..length]);
            if on.write_all(&piece[..length]).await.is_err() {
                break;
            }
        }
    };
    // The first half to end ends both: the halves are dropped.
    tokio::select! {
        () = asking => {}
        _ = tokio::io::copy(&mut answers, &mut back) => {}
    }
}
