//! Laws of load shedding: a full queue rejects at once, logins before everything else, and nothing waits for ever.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;

use northgate_core::clock::CLOCK_SKEW;
use northgate_core::grant::Grant;
use northgate_core::store::{Advanced, Closing, Opened, Opening, Step, Store, StoreError};
use northgate_store::embedded::DATABASE;
use rusqlite::Connection;
use tokio::task::yield_now;

use crate::laws::world::World;

type Asked<'a, A> = Pin<Box<dyn Future<Output = Result<A, StoreError>> + Send + 'a>>;

/// Another connection that keeps the writer from writing until it is dropped.
fn hold(world: &World) -> Connection {
    let connection = Connection::open(world.data_dir.path().join(DATABASE)).unwrap();
    connection.execute_batch("BEGIN IMMEDIATE").unwrap();
    connection
}

/// Whether it waits for the writer. If not, it was told at once that there is no room.
async fn waits<A>(asked: &mut Asked<'_, A>) -> bool {
    match poll_fn(|context| Poll::Ready(asked.as_mut().poll(context))).await {
        Poll::Pending => true,
        Poll::Ready(Err(StoreError::Busy)) => false,
        Poll::Ready(_) => panic!("it was answered although the writer is held up"),
    }
}

#[tokio::test]
async fn while_the_writer_is_held_up_logins_find_half_of_the_queue_and_refreshes_all_of_it() {
    let world = World::with_queue(8).await;
    let application = world.application("a").await;
    let mut grants = Vec::new();
    for id in 0..5 {
        grants.push(world.open(&application, id).await);
    }
    let store = world.embedded();
    // Who finds room is no matter of clocks: requests were begun by ones that differ.
    let clock = |id: u64| {
        if id.is_multiple_of(2) { world.now().minus(CLOCK_SKEW) } else { world.now().plus(CLOCK_SKEW) }
    };
    let login = |id| store.open(Opening { now: clock(id), ..world.opening(&application, id) });
    let refresh = |id| {
        let to = Grant { generation: 1, refreshed_at: clock(id), ..world.grant(id) };
        store.advance(Step { application: application.number, from: 0, to })
    };
    let held = hold(&world);
    let mut first = login(100);
    assert!(waits(&mut first).await);
    while store.waiting() > 0 {
        yield_now().await;
    }
    let (mut logins, mut refreshes) = (vec![first], Vec::new());
    for id in 101..105 {
        let mut login = login(id);
        assert!(waits(&mut login).await);
        logins.push(login);
    }
    assert!(!waits(&mut login(105)).await);
    for id in 0..4 {
        assert!(!waits(&mut login(106)).await);
        let mut refresh = refresh(id);
        assert!(waits(&mut refresh).await);
        refreshes.push(refresh);
    }
    assert!(!waits(&mut refresh(4)).await);
    assert!(!waits(&mut store.close(Closing { grant: grants[4], revocation: world.revocation() })).await);
    assert_eq!(store.waiting(), store.queue_bound());
    drop(held);
    for login in logins {
        assert_eq!(login.await.unwrap(), Opened::Opened);
    }
    for refresh in refreshes {
        assert_eq!(refresh.await.unwrap(), Advanced::Advanced);
    }
    for grant in &grants[..4] {
        assert_eq!(store.grant(*grant).await.unwrap().unwrap().generation, 1);
    }
    assert_eq!(login(105).await.unwrap(), Opened::Opened);
}
