//! Laws of a race: however many workers of an application present the same refresh token at once, there is one
//! successor, and one step is written.

use std::sync::Arc;

use super::server::{Calls, Demo, Server};
use tokio::sync::Barrier;
use tokio::task::JoinSet;

const WORKERS: usize = 64;
const ROUNDS: usize = 40;

#[tokio::test(flavor = "multi_thread")]
async fn workers_that_present_the_same_refresh_token_at_once_get_the_same_successor() {
    let server = Server::first_start().await;
    let demo = server.demo();
    let workers: Vec<Calls> = (0..WORKERS).map(|_| server.calls()).collect();
    let mut token = refresh_token(&workers[0].login(&demo).await.unwrap());
    for _ in 0..ROUNDS {
        token = race(&workers, &demo, &token).await;
    }
    // A step more than rounds, and some round wrote two.
    assert_eq!(server.show()["grants"][0]["generation"], ROUNDS);
    assert_eq!(server.show()["grants"].as_array().unwrap().len(), 1);
}

/// Each worker on a connection of its own; tells what all of them got.
async fn race(workers: &[Calls], demo: &Demo, token: &str) -> String {
    let start = Arc::new(Barrier::new(workers.len()));
    let mut racing = JoinSet::new();
    for worker in workers {
        let (worker, demo, token, start) =
            (worker.clone(), demo.clone(), token.to_owned(), Arc::clone(&start));
        racing.spawn(async move {
            start.wait().await;
            worker.refresh(&demo, &token).await.unwrap()
        });
    }
    let mut successors: Vec<String> = racing.join_all().await.iter().map(refresh_token).collect();
    successors.dedup();
    let [successor] = &successors[..] else { panic!("the chain forked: {successors:?}") };
    assert_ne!(successor, token);
    successor.clone()
}

fn refresh_token((status, body): &(u16, String)) -> String {
    assert_eq!(*status, 200, "{body}");
    let members: serde_json::Value = serde_json::from_str(body).unwrap();
    members["refreshToken"].as_str().unwrap().to_owned()
}
