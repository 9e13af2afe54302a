//! Laws of the table of connections.

use super::*;
use crate::metrics::Metrics;

fn table(most: u32, most_per_source: u32) -> Arc<Table> {
    let [metrics, _] = ConnectionMetrics::register(&Metrics::default());
    let table = Table::new(metrics);
    table.bound(most, most_per_source);
    table
}

fn from(address: &str) -> Source {
    Source::of(address.parse().unwrap())
}

#[tokio::test]
async fn the_least_recently_active_idle_connection_gives_way_and_busy_ones_do_not() {
    let table = table(4, 4);
    let mut places = Vec::new();
    for _ in 0..4 {
        places.push(table.enter(None, |_| {}).await.unwrap());
    }
    places[0].activity.request_begins();
    places[1].activity.request_begins();
    places[1].activity.request_ends(false);
    let newcomer = tokio::spawn({
        let table = Arc::clone(&table);
        async move { table.enter(None, |_| {}).await.unwrap() }
    });
    // The first is busy and the second was idle last: of the others the third is the oldest.
    places[2].activity.closed().await;
    assert!(!places[3].activity.is_closed() && !places[1].activity.is_closed());
    places.remove(2);
    newcomer.await.unwrap();
}

#[tokio::test]
async fn a_full_table_without_idle_connections_waits_for_one_that_closes() {
    let table = table(1, 1);
    let busy = table.enter(None, |_| {}).await.unwrap();
    busy.activity.request_begins();
    let (full, mut is_full) = tokio::sync::mpsc::unbounded_channel();
    let newcomer = tokio::spawn({
        let table = Arc::clone(&table);
        async move { table.enter(None, |crowd| full.send(crowd).unwrap()).await.unwrap() }
    });
    assert_eq!(is_full.recv().await, Some(Crowd::Busy));
    assert!(!busy.activity.is_closed());
    drop(busy);
    newcomer.await.unwrap();
}

#[tokio::test]
async fn a_source_has_its_share_and_closes_its_own_idle_connections_only() {
    let table = table(100, 2);
    let (one, other) = (from("192.0.2.1"), from("192.0.2.2"));
    let elsewhere = table.enter(Some(other), |_| {}).await.unwrap();
    let first = table.enter(Some(one), |_| {}).await.unwrap();
    let second = table.enter(None, |_| {}).await.unwrap();
    second.count_for(one).unwrap();
    second.activity.request_begins();
    let third = table.enter(Some(one), |_| {}).await.unwrap();
    assert!(first.activity.is_closed() && !second.activity.is_closed() && !elsewhere.activity.is_closed());
    third.activity.request_begins();
    assert!(table.enter(Some(one), |_| {}).await.is_err());
    assert!(table.enter(None, |_| {}).await.unwrap().count_for(one).is_err());
    drop(second);
    table.enter(Some(one), |_| {}).await.unwrap();
}

/// Otherwise a source that holds its share could close the connections of others.
// A provider assigns a /64 to one customer as a whole: by other addresses of it, the customer has no second share.
#[tokio::test]
async fn the_addresses_of_one_ipv6_network_have_one_share() {
    let table = table(100, 1);
    let busy = table.enter(Some(from("2001:db8:0:1::1")), |_| {}).await.unwrap();
    busy.activity.request_begins();
    for (address, has_room) in
        [("2001:db8:0:1::2", false), ("2001:db8:0:1:ffff:ffff:ffff:ffff", false), ("2001:db8:0:2::1", true)]
    {
        assert_eq!(table.enter(Some(from(address)), |_| {}).await.is_ok(), has_room, "{address}");
    }
}

#[tokio::test]
async fn a_source_beyond_its_share_takes_no_place_from_others() {
    let table = table(2, 1);
    let (one, other) = (from("192.0.2.1"), from("192.0.2.2"));
    let elsewhere = table.enter(Some(other), |_| {}).await.unwrap();
    let busy = table.enter(Some(one), |_| {}).await.unwrap();
    busy.activity.request_begins();
    assert!(table.enter(Some(one), |_| {}).await.is_err());
    busy.activity.request_ends(false);
    let newcomer = tokio::spawn({
        let table = Arc::clone(&table);
        async move { table.enter(Some(one), |_| {}).await.unwrap() }
    });
    busy.activity.closed().await;
    drop(busy);
    newcomer.await.unwrap();
    assert!(!elsewhere.activity.is_closed());
}

#[tokio::test]
async fn it_keeps_nothing_of_connections_that_have_closed() {
    let table = table(3, 3);
    for last in 0..200 {
        table.enter(Some(from(&format!("192.0.2.{last}"))), |_| {}).await.unwrap();
    }
    let open = table.open();
    assert_eq!((open.count, open.sources.len(), open.entries.len()), (0, 0, 1));
}
