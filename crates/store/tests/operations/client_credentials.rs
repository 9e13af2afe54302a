//! Laws of tokens for client credentials, and of introspecting and revoking them.

use northgate_core::admit::{Caller, Proof};
use northgate_core::auth::Settings;
use northgate_core::client_credentials::{ClientCredentialsError, Issued};
use northgate_core::clock::CLOCK_SKEW;
use northgate_core::credential::{CredentialKind, PresentedCertificate};
use northgate_core::introspect::{Inactive, Introspection};
use northgate_core::possession::{Evidence, KeyProof, Possession};
use northgate_core::revoke::{RevokeError, Revoked};
use northgate_core::token::{Binding, Claims, TokenError};
use northgate_core::verify::VerifyError;

use super::world::{Customer, HOME, HOUR, SETTINGS, World};

impl World {
    async fn try_issue(&self, customer: &Customer) -> Result<Issued, ClientCredentialsError> {
        let caller = Caller::with_secret(&customer.id, &customer.secret, HOME);
        self.auth().client_credentials(&caller, self.now()).await
    }

    async fn revoke(&self, customer: &Customer, token: &str) -> Result<Revoked, RevokeError> {
        let caller = Caller::with_secret(&customer.id, &customer.secret, HOME);
        self.auth().revoke(&caller, self.open(token), self.now()).await
    }

    fn open(&self, token: &str) -> Result<Claims, TokenError> {
        Claims::authenticate(token, &self.auth().keyring())
    }
}

#[tokio::test]
async fn issuing_a_token_writes_nothing() {
    let world = World::new().await;
    let app = world.customer("a").await;
    let writes = world.writes();
    for _ in 0..100 {
        let issued = world.try_issue(&app).await.unwrap();
        assert_eq!(world.verify(&app, &issued.access_token), Ok(()));
    }
    // The last use of the secret is written, once in ten minutes.
    assert!(world.writes() <= writes + 1);
    let number = world.auth().registry().find(&app.id).unwrap().number;
    assert!(world.auth().grants(number, world.now()).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_token_that_was_revoked_stays_so_over_a_restart_and_no_other_is() {
    let mut world = World::new().await;
    let app = world.customer("a").await;
    let (one, other) = (world.try_issue(&app).await.unwrap(), world.try_issue(&app).await.unwrap());
    assert_eq!(world.revoke(&app, &one.access_token).await.unwrap(), Revoked::Closed(one.claims.grant));
    for _ in ["before a restart", "and after it"] {
        assert_eq!(world.verify(&app, &one.access_token), Err(VerifyError::Revoked));
        assert_eq!(world.verify(&app, &other.access_token), Ok(()));
        world.restart().await;
    }
    assert_eq!(world.revoke(&app, &one.access_token).await.unwrap(), Revoked::AlreadyOver(one.claims.grant));
}

/// A revocation was refused when the application had closed too many grants, and the token lived on.
#[tokio::test]
async fn a_revocation_takes_effect_when_no_more_closed_grants_can_be_kept() {
    let mut world = World::with(Settings { closed_grants: 2, ..SETTINGS }).await;
    let app = world.customer("a").await;
    let [one, two, three] = [(); 3].map(|()| world.try_issue(&app));
    let (one, two, three) = (one.await.unwrap(), two.await.unwrap(), three.await.unwrap());
    world.revoke(&app, &one.access_token).await.unwrap();
    world.revoke(&app, &two.access_token).await.unwrap();
    assert!(matches!(world.try_issue(&app).await.err(), Some(ClientCredentialsError::TooManyClosed)));
    let revoked = world.revoke(&app, &three.access_token).await.unwrap();
    assert_eq!(revoked, Revoked::EndedAll(three.claims.grant));
    for _ in ["before a restart", "and after it"] {
        for ended in [&one, &two, &three] {
            assert_eq!(world.verify(&app, &ended.access_token), Err(VerifyError::Revoked));
        }
        // What was closed before need not be known any more.
        let next = world.try_issue(&app).await.unwrap();
        assert_eq!(world.verify(&app, &next.access_token), Ok(()));
        world.restart().await;
    }
}

#[tokio::test]
async fn an_application_that_has_revoked_too_much_gets_no_more_until_it_is_forgotten() {
    let world = World::with(Settings { closed_grants: 2, ..SETTINGS }).await;
    let app = world.customer("a").await;
    for _ in 0..2 {
        let issued = world.try_issue(&app).await.unwrap();
        world.revoke(&app, &issued.access_token).await.unwrap();
    }
    assert!(matches!(world.try_issue(&app).await.err(), Some(ClientCredentialsError::TooManyClosed)));
    world.advance(HOUR + SETTINGS.leeway + CLOCK_SKEW);
    assert!(world.try_issue(&app).await.is_ok());
}

#[tokio::test]
async fn a_bound_token_is_good_for_who_shows_what_it_is_bound_to() {
    let world = World::new().await;
    let app = world.customer("a").await;
    let (mine, others) = ([1; 32], [2; 32]);
    let kind = CredentialKind::Certificate(mine);
    world.change(&app, northgate_core::administer::Change::AddCredential("c".to_owned(), kind)).await;
    let shown = PresentedCertificate {
        thumbprint: mine,
        names: Vec::new(),
        expires_at: northgate_core::clock::Timestamp::MAX,
    };
    let (proof, possession) = (Proof::Certificate, Possession::NotShown);
    let caller = Caller { app: &app.id, proof, certificate: Some(&shown), possession, from: HOME };
    let issued = world.auth().client_credentials(&caller, world.now()).await.unwrap();
    assert_eq!(issued.claims.binding, Some(Binding::Certificate(mine)));
    let verify = |shown: &[Evidence]| {
        world.auth().verify(Some(&app.id), &issued.access_token, None, shown, world.now()).map(drop)
    };
    assert_eq!(verify(&[Evidence::Certificate(mine)]), Ok(()));
    assert_eq!(verify(&[Evidence::Certificate(others), Evidence::Certificate(mine)]), Ok(()));
    let key = KeyProof { key: mine, digest: [0; 16], good_until: world.now() };
    // A key is not a certificate, whatever its thumbprint.
    for wrong in [&[][..], &[Evidence::Certificate(others)], &[Evidence::Key(key)]] {
        assert_eq!(verify(wrong), Err(VerifyError::NotShown));
    }
}

#[tokio::test]
async fn an_introspection_says_what_a_verify_or_a_refresh_would() {
    let world = World::new().await;
    let app = world.customer("a").await;
    let pair = world.login(&app).await;
    let inactive = async |token: &str| {
        let presented = world.open(token);
        match world.auth().introspect(presented, world.now()).await.unwrap() {
            Introspection::Active(_) => None,
            Introspection::Inactive(why) => Some(why),
        }
    };
    assert_eq!(inactive(&pair.access_token).await, None);
    assert_eq!(inactive(&pair.refresh_token).await, None);
    world.freeze(&app).await;
    assert_eq!(inactive(&pair.access_token).await, Some(Inactive::Access(VerifyError::Frozen)));
    assert_eq!(inactive(&pair.refresh_token).await, Some(Inactive::Frozen));
    world.unfreeze(&app).await;
    world.revoke(&app, &pair.refresh_token).await.unwrap();
    assert_eq!(inactive(&pair.access_token).await, Some(Inactive::Access(VerifyError::Revoked)));
    assert_eq!(inactive(&pair.refresh_token).await, Some(Inactive::Over));
}
