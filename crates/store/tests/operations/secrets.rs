//! Laws of secrets: several at a time, retired at a time, imported from elsewhere.

use northgate_core::actor::Actor;
use northgate_core::administer::{AdministerError, Change, Creation, Wanted};
use northgate_core::admit::AdmissionError;
use northgate_core::allow::Allow;
use northgate_core::app_id::AppId;
use northgate_core::login::LoginError;
use northgate_core::policy::Overrides;
use northgate_core::secret::{MAX_SECRETS, SecretId, SecretText};

use super::world::{Customer, DAY, MILLISECOND, World};

async fn add_secret(world: &World, app: &Customer) -> Result<Customer, AdministerError> {
    let added =
        world.auth().add_secret(&app.id, "another".to_owned(), None, &Actor::LOCAL, world.now()).await;
    added.map(|(_, secret)| Customer { id: app.id.clone(), secret: secret.unwrap() })
}

pub fn imported(id: &str, secret: &str) -> Wanted {
    Wanted {
        id: Some(AppId::parse(id).unwrap()),
        name: id.to_owned(),
        owner: None,
        secret: Some(SecretText::parse(secret).unwrap()),
        overrides: Overrides::default(),
        allow: Allow::default(),
    }
}

pub fn holder(id: &str, secret: &str) -> Customer {
    Customer { id: AppId::parse(id).unwrap(), secret: SecretText::parse(secret).unwrap() }
}

async fn is_rejected(world: &World, app: &Customer) -> bool {
    matches!(world.try_login(app).await.err(), Some(LoginError::Admission(AdmissionError::Rejected)))
}

#[tokio::test]
async fn a_secret_is_changed_without_a_moment_in_which_none_is_good() {
    let mut world = World::new().await;
    let old = world.customer("a").await;
    let grant = world.login(&old).await;
    let new = add_secret(&world, &old).await.unwrap();
    world.login(&old).await;
    world.login(&new).await;
    world.change(&old, Change::RetireSecret(SecretId(1), world.now().plus(DAY))).await;
    world.advance(DAY - MILLISECOND);
    world.login(&old).await;
    world.advance(MILLISECOND);
    for _ in 0..2 {
        assert!(is_rejected(&world, &old).await);
        world.login(&new).await;
        world.restart().await;
    }
    world.refresh(&new, &grant.refresh_token).await;
}

#[tokio::test]
async fn an_application_has_at_most_eight_secrets_and_retired_ones_make_room() {
    let world = World::new().await;
    let app = world.customer("a").await;
    for _ in 1..MAX_SECRETS {
        add_secret(&world, &app).await.unwrap();
    }
    let refused = add_secret(&world, &app).await.err();
    assert!(matches!(refused, Some(AdministerError::TooManySecrets)));
    world.change(&app, Change::RetireSecret(SecretId(1), world.now())).await;
    let newest = add_secret(&world, &app).await.unwrap();
    world.login(&newest).await;
    assert!(is_rejected(&world, &app).await);
}

#[tokio::test]
async fn a_secret_of_another_application_is_rejected() {
    let world = World::new().await;
    let (mine, theirs) = (world.customer("a").await, world.customer("b").await);
    assert!(is_rejected(&world, &Customer { id: mine.id, secret: theirs.secret }).await);
}

#[tokio::test]
async fn an_imported_secret_works_as_before_and_a_wrong_one_is_rejected() {
    let mut world = World::new().await;
    let created = world.auth().create(imported("a", "hunter2"), &Actor::LOCAL, world.now()).await.unwrap();
    assert!(matches!(created, Creation::Created(_, None)));
    let (right, wrong) = (holder("a", "hunter2"), holder("a", "hunter3"));
    for _ in 0..2 {
        assert!(is_rejected(&world, &wrong).await);
        // The second login finds it remembered; a wrong one is rejected all the same.
        world.login(&right).await;
        world.login(&right).await;
        assert!(is_rejected(&world, &wrong).await);
        world.restart().await;
    }
}

#[tokio::test]
async fn importing_twice_is_told_from_importing_something_else() {
    let world = World::new().await;
    world.auth().create(imported("a", "hunter2"), &Actor::LOCAL, world.now()).await.unwrap();
    let same = world.auth().create(imported("a", "hunter2"), &Actor::LOCAL, world.now()).await.unwrap();
    assert!(matches!(same, Creation::Same(_)));
    let other = world.auth().create(imported("a", "hunter3"), &Actor::LOCAL, world.now()).await.unwrap();
    assert!(matches!(other, Creation::Taken(_)));
}

#[tokio::test]
async fn a_remembered_secret_is_refused_when_it_is_retired() {
    let world = World::new().await;
    world.auth().create(imported("a", "hunter2"), &Actor::LOCAL, world.now()).await.unwrap();
    let app = holder("a", "hunter2");
    world.login(&app).await;
    world.change(&app, Change::RetireSecret(SecretId(1), world.now())).await;
    assert!(is_rejected(&world, &app).await);
}
