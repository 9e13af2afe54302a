//! The order of checks: who is not recognised learns nothing, and who is frozen learns nothing about a token.

use northgate_core::admit::AdmissionError;
use northgate_core::app_id::AppId;
use northgate_core::login::LoginError;
use northgate_core::refresh::{RefreshError, Refusal};
use northgate_core::secret::SecretText;

use super::world::{Customer, World};

#[tokio::test]
async fn an_unknown_application_and_a_wrong_secret_are_told_before_anything_else() {
    let world = World::new().await;
    let app = world.customer("a").await;
    let pair = world.login(&app).await;
    world.freeze(&app).await;
    let wrong = Customer { id: app.id.clone(), secret: SecretText::random() };
    let unknown = Customer { id: AppId::random(), secret: SecretText::random() };
    for caller in [wrong, unknown] {
        assert!(matches!(
            world.try_login(&caller).await.err(),
            Some(LoginError::Admission(AdmissionError::Rejected))
        ));
        for token in [pair.refresh_token.as_str(), "no token"] {
            let refused = world.try_refresh(&caller, token).await.err();
            assert!(matches!(refused, Some(RefreshError::Admission(AdmissionError::Rejected))));
        }
    }
}

#[tokio::test]
async fn frozen_is_told_before_the_token_is_looked_at() {
    let world = World::new().await;
    let app = world.customer("a").await;
    world.freeze(&app).await;
    let refused = world.try_refresh(&app, "no token").await.err();
    assert!(matches!(refused, Some(RefreshError::Admission(AdmissionError::Frozen))));
}

#[tokio::test]
async fn whose_token_it_is_is_told_before_whether_it_is_used_up() {
    let world = World::new().await;
    let (mine, theirs) = (world.customer("a").await, world.customer("b").await);
    let first = world.login(&mine).await;
    let second = world.refresh(&mine, &first.refresh_token).await;
    world.refresh(&mine, &second.refresh_token).await;
    assert_eq!(world.refusal(&theirs, &first.refresh_token).await, Refusal::NotYours);
}
