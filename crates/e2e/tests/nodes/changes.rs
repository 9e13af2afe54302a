//! What one node does holds on all.

use crate::installation::{Installation, until};

#[tokio::test]
async fn a_pair_of_one_node_is_refreshed_on_another_and_verified_on_a_third_at_once() {
    let installation = Installation::of(3).await;
    let [a, b, c] = &installation.demo()[..] else { panic!("three nodes") };
    // The others learn of the application as of any change.
    for other in [b, c] {
        until("an application of A on another node", async || other.login().await.status == 200).await;
    }
    let pair = a.login().await;
    assert_eq!(pair.status, 200, "{pair:?}");
    let next = b.refresh(&pair.member("refreshToken")).await;
    assert_eq!(next.status, 200, "{next:?}");
    assert_eq!(c.verify(&next.member("accessToken")).await.status, 200);
    assert_eq!(c.verify(&pair.member("accessToken")).await.status, 200);
    // A retry of what B was asked gets the same successor from whomever it asks.
    let again = c.refresh(&pair.member("refreshToken")).await;
    assert_eq!(again.member("refreshToken"), next.member("refreshToken"));
    let last = a.refresh(&next.member("refreshToken")).await;
    assert_eq!(last.status, 200, "{last:?}");
}

#[tokio::test]
async fn a_freeze_a_policy_a_secret_and_a_logout_on_one_node_hold_on_all() {
    let installation = Installation::of(3).await;
    let applications = installation.demo();
    let [a, b, c] = &applications[..] else { panic!("three nodes") };
    let node = &installation.nodes[0];
    for other in [b, c] {
        until("an application of A on another node", async || other.login().await.status == 200).await;
    }
    let (kept, ended) = (a.login().await.member("accessToken"), b.login().await.member("accessToken"));

    assert_eq!(a.logout(&ended).await.status, 204);
    for (name, other) in [("B", b), ("C", c)] {
        until(&format!("a logout on A on {name}"), async || other.verify(&ended).await.status == 403).await;
        assert_eq!(other.verify(&kept).await.status, 200);
    }

    node.tell(&["app", "set", &a.app_id, "--access-lifetime", "5m"]);
    for (name, other) in [("B", b), ("C", c)] {
        let is_short = async || other.login().await.body.contains(r#""expiresIn":300"#);
        until(&format!("a policy of A on {name}"), is_short).await;
    }

    let added: serde_json::Value =
        serde_json::from_str(&node.tell(&["app", "secret", "add", &a.app_id, "--json"])).unwrap();
    node.tell(&["app", "secret", "retire", &a.app_id, "1"]);
    let secret = added["secret"].as_str().unwrap();
    for (name, node) in installation.nodes.iter().enumerate() {
        let with_new = northgate_testkit::application::Application::new(node, &a.app_id, secret);
        until(&format!("a secret of A on node {name}"), async || with_new.login().await.status == 200).await;
        let with_old = &applications[name];
        until(&format!("its end on node {name}"), async || with_old.login().await.status == 401).await;
    }

    node.tell(&["app", "freeze", &a.app_id]);
    for (name, other) in [("B", b), ("C", c)] {
        until(&format!("a freeze on A on {name}"), async || other.verify(&kept).await.status == 403).await;
    }
    // And by another node's operator back again.
    installation.nodes[2].tell(&["app", "unfreeze", &a.app_id]);
    until("the end of a freeze on C on A", async || a.verify(&kept).await.status == 200).await;
}
