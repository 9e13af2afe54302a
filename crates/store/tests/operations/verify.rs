//! Laws of verify: for how long and for whom an access token is good.

use std::sync::Arc;

use async_trait::async_trait;
use northgate_core::administer::Change;
use northgate_core::allow::{Allow, Call};
use northgate_core::application::{AppNumber, Application};
use northgate_core::auth::Auth;
use northgate_core::grant::{Grant, GrantId, GrantKey};
use northgate_core::issue::Pair;
use northgate_core::keyring::Keyring;
use northgate_core::policy::Overrides;
use northgate_core::registry::{Registry, Revocation};
use northgate_core::store::*;
use northgate_core::token::TokenError;
use northgate_core::verify::VerifyError;

use super::world::{Customer, HOUR, MILLISECOND, MINUTE, SETTINGS, World};

#[tokio::test]
async fn an_access_token_ends_at_its_expiry_and_the_leeway_and_not_a_millisecond_later() {
    let world = World::new().await;
    let app = world.customer("a").await;
    let pair = world.login(&app).await;
    assert_eq!(pair.expires_in, HOUR);
    world.advance(HOUR + SETTINGS.leeway - MILLISECOND);
    assert_eq!(world.verify(&app, &pair.access_token), Ok(()));
    world.advance(MILLISECOND);
    assert_eq!(world.verify(&app, &pair.access_token), Err(VerifyError::Expired));
}

#[tokio::test]
async fn a_refresh_token_is_no_access_token() {
    let world = World::new().await;
    let app = world.customer("a").await;
    let pair = world.login(&app).await;
    assert_eq!(world.verify(&app, &pair.refresh_token), Err(VerifyError::WrongKind));
}

#[tokio::test]
async fn an_access_token_is_good_for_its_own_application_only() {
    let world = World::new().await;
    let (mine, theirs) = (world.customer("a").await, world.customer("b").await);
    let pair = world.login(&mine).await;
    assert_eq!(world.verify(&theirs, &pair.access_token), Err(VerifyError::NotYours));
}

#[tokio::test]
async fn an_access_token_of_another_installation_is_forged() {
    let (world, elsewhere) = (World::new().await, World::new().await);
    let (here, there) = (world.customer("a").await, elsewhere.customer("a").await);
    let pair = elsewhere.login(&there).await;
    let refused = Err(VerifyError::Token(TokenError::Forged));
    assert_eq!(world.verify(&here, &pair.access_token), refused);
}

#[tokio::test]
async fn a_shorter_lifetime_holds_for_tokens_issued_before() {
    let world = World::new().await;
    let app = world.customer("a").await;
    let pair = world.login(&app).await;
    world.set(&app, Overrides { access_lifetime: Some(10 * MINUTE), ..Overrides::default() }).await;
    world.advance(10 * MINUTE + SETTINGS.leeway - MILLISECOND);
    assert_eq!(world.verify(&app, &pair.access_token), Ok(()));
    world.advance(MILLISECOND);
    assert_eq!(world.verify(&app, &pair.access_token), Err(VerifyError::Expired));
}

#[tokio::test]
async fn a_longer_lifetime_does_not_hold_for_tokens_issued_before() {
    let world = World::new().await;
    let app = world.customer("a").await;
    let before = world.login(&app).await;
    world.set(&app, Overrides { access_lifetime: Some(2 * HOUR), ..Overrides::default() }).await;
    let after = world.login(&app).await;
    world.advance(HOUR + SETTINGS.leeway);
    assert_eq!(world.verify(&app, &before.access_token), Err(VerifyError::Expired));
    assert_eq!(world.verify(&app, &after.access_token), Ok(()));
}

#[tokio::test]
async fn without_an_app_key_the_token_names_its_application() {
    let world = World::new().await;
    let app = world.customer("a").await;
    let pair = world.login(&app).await;
    let verified = world.auth().verify(None, &pair.access_token, None, &[], world.now()).unwrap();
    assert_eq!(verified.application.id, app.id);
}

#[tokio::test]
async fn an_application_with_rules_may_make_the_calls_that_they_cover_and_no_others() {
    let mut world = World::new().await;
    let app = world.customer("a").await;
    let pair = world.login(&app).await;
    allow(&world, &app, &["GET /iocm/app/dm"]).await;
    for _ in ["before a restart", "and after it"] {
        assert_eq!(call(&world, &app, &pair, "GET", "/iocm/app/dm/v1.4.0/devices"), Ok(()));
        for (method, target) in [("POST", "/iocm/app/dm"), ("GET", "/iocm/app/cmd")] {
            let refused = call(&world, &app, &pair, method, target);
            assert_eq!(refused, Err(VerifyError::Forbidden), "{method} {target}");
        }
        world.restart().await;
    }
    // Who is not told which call it is cannot say that it is allowed.
    assert_eq!(world.verify(&app, &pair.access_token), Err(VerifyError::Forbidden));
    allow(&world, &app, &[]).await;
    assert_eq!(world.verify(&app, &pair.access_token), Ok(()));
}

#[tokio::test]
async fn a_change_of_the_policy_leaves_the_allow_rules_alone() {
    let world = World::new().await;
    let app = world.customer("a").await;
    let pair = world.login(&app).await;
    allow(&world, &app, &["GET /iocm/app/dm"]).await;
    world.set(&app, Overrides { max_grants: Some(1), ..Overrides::default() }).await;
    assert_eq!(world.verify(&app, &pair.access_token), Err(VerifyError::Forbidden));
}

#[tokio::test]
async fn calls_that_are_forbidden_take_nothing_from_those_that_are_allowed() {
    let world = World::new().await;
    let overrides = Overrides { calls_per_minute: Some(1), ..Overrides::default() };
    let app = world.customer_with("a", overrides).await;
    let pair = world.login(&app).await;
    allow(&world, &app, &["GET /iocm/app/dm"]).await;
    for _ in 0..3 {
        assert_eq!(call(&world, &app, &pair, "GET", "/iocm/app/cmd"), Err(VerifyError::Forbidden));
    }
    assert_eq!(call(&world, &app, &pair, "GET", "/iocm/app/dm"), Ok(()));
    assert!(matches!(call(&world, &app, &pair, "GET", "/iocm/app/dm"), Err(VerifyError::TooManyCalls(_))));
}

#[tokio::test]
async fn verify_asks_nothing_of_the_store_but_what_is_in_memory() {
    let world = World::new().await;
    let app = world.customer("a").await;
    let (good, closed) = (world.login(&app).await, world.login(&app).await);
    world.logout(&closed.access_token).await.unwrap();
    allow(&world, &app, &["GET /iocm/app/dm"]).await;
    let keyring = Keyring::new(world.auth().keyring().record().clone()).unwrap();
    let auth = Auth::new(Arc::new(MemoryOnly(Arc::clone(world.auth()))), keyring, SETTINGS);
    let call = Call::parse("GET", "/iocm/app/dm/v1.4.0/devices").unwrap();
    let verify = |token| auth.verify(Some(&app.id), token, Some(call), &[], world.now()).map(drop);
    assert_eq!(verify(&good.access_token), Ok(()));
    assert_eq!(verify(&closed.access_token), Err(VerifyError::Revoked));
    world.freeze(&app).await;
    assert_eq!(verify(&good.access_token), Err(VerifyError::Frozen));
}

async fn allow(world: &World, app: &Customer, rules: &[&str]) {
    let allow = Some(Allow::parse(rules).unwrap());
    world
        .change(app, Change::Set { name: None, owner: None, policy: Overrides::default().into(), allow })
        .await;
}

fn call(world: &World, app: &Customer, pair: &Pair, method: &str, target: &str) -> Result<(), VerifyError> {
    let call = Some(Call::parse(method, target).unwrap());
    world.auth().verify(Some(&app.id), &pair.access_token, call, &[], world.now()).map(drop)
}

/// A store that panics at any operation that could touch the disk.
struct MemoryOnly(Arc<Auth>);

#[async_trait]
impl Store for MemoryOnly {
    fn registry(&self) -> &Registry {
        self.0.registry()
    }

    async fn create(&self, _: NewApplication) -> Result<Created, StoreError> {
        panic!("create")
    }

    async fn replace(&self, _: Application, _: Vec<(GrantId, Revocation)>) -> Result<Replaced, StoreError> {
        panic!("replace")
    }

    async fn delete(&self, _: AppNumber, _: Option<u32>) -> Result<Deleted, StoreError> {
        panic!("delete")
    }

    async fn grant(&self, _: GrantKey) -> Result<Option<Grant>, StoreError> {
        panic!("grant")
    }

    async fn grants(&self, _: AppNumber) -> Result<Vec<Grant>, StoreError> {
        panic!("grants")
    }

    async fn open(&self, _: Opening) -> Result<Opened, StoreError> {
        panic!("open")
    }

    async fn advance(&self, _: Step) -> Result<Advanced, StoreError> {
        panic!("advance")
    }

    async fn close(&self, _: Closing) -> Result<(), StoreError> {
        panic!("close")
    }

    async fn record_once(&self, _: SingleUse) -> Result<Recorded, StoreError> {
        panic!("record_once")
    }
}
