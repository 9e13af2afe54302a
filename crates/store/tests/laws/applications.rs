//! Laws of applications: creating, replacing and deleting.

use std::sync::Arc;
use std::time::Duration;

use northgate_core::allow::Allow;
use northgate_core::application::{Application, State};
use northgate_core::clock::Timestamp;
use northgate_core::credential::{
    AssertionKey, CertificateName, Credential, CredentialId, CredentialKind, NameField,
};
use northgate_core::grant::{GrantId, GrantKey};
use northgate_core::owner::Owner;
use northgate_core::policy::{AccessTokens, BindTokens, Dpop, Logins, OnReuse, Overrides, Rotation};
use northgate_core::secret::{Kept, Secret, SecretId};
use northgate_core::signing::Algorithm;
use northgate_core::store::{Advanced, Closing, Created, Deleted, Replaced, Step};

use super::world::World;

#[tokio::test]
async fn an_application_that_was_created_is_found_by_its_id_and_its_number() {
    let world = World::new().await;
    let application = world.application("a").await;
    assert_eq!(world.store().registry().find(&application.id).unwrap().number, application.number);
    assert_eq!(world.store().registry().application(application.number).unwrap().id, application.id);
}

#[tokio::test]
async fn an_app_id_is_given_once_even_to_requests_of_one_moment() {
    let world = World::new().await;
    let store = world.store();
    let wanted = || store.create(world.wanted("a"));
    let outcomes = tokio::join!(wanted(), wanted(), wanted());
    let outcomes = [outcomes.0.unwrap(), outcomes.1.unwrap(), outcomes.2.unwrap()];
    let created = outcomes.iter().filter(|outcome| matches!(outcome, Created::Created(_))).count();
    assert_eq!(created, 1);
}

#[tokio::test]
async fn a_number_is_never_given_twice_so_that_old_tokens_find_nobody() {
    let mut world = World::new().await;
    let first = world.application("a").await;
    assert!(matches!(world.store().delete(first.number, None).await.unwrap(), Deleted::Deleted));
    world.restart().await;
    assert!(world.application("a").await.number > first.number);
}

#[tokio::test]
async fn a_deletion_that_expects_another_revision_deletes_nothing() {
    let world = World::new().await;
    let first = world.application("a").await;
    let next = Application { name: "changed".to_owned(), revision: 1, ..(*first).clone() };
    assert!(matches!(world.store().replace(next, Vec::new()).await.unwrap(), Replaced::Replaced(_)));
    for expected in [0, 2] {
        let Deleted::Lost(present) = world.store().delete(first.number, Some(expected)).await.unwrap() else {
            panic!("revision {expected}");
        };
        assert_eq!((present.revision, present.name.as_str()), (1, "changed"));
    }
    assert!(matches!(world.store().delete(first.number, Some(1)).await.unwrap(), Deleted::Deleted));
    assert_eq!(world.store().registry().count(), 0);
}

#[tokio::test]
async fn a_deleted_application_takes_its_grants_and_revocations_with_it() {
    let mut world = World::new().await;
    let application = world.application("a").await;
    let (open, closed) = (world.open(&application, 1).await, world.open(&application, 2).await);
    world.store().close(Closing { grant: closed, revocation: world.revocation() }).await.unwrap();
    world.store().delete(application.number, None).await.unwrap();
    for _ in ["before a restart", "and after it"] {
        assert_eq!(world.store().grant(open).await.unwrap(), None);
        assert_eq!(world.store().registry().revocation(closed), None);
        assert_eq!(world.store().registry().count(), 0);
        world.restart().await;
    }
    assert!(matches!(world.store().delete(application.number, None).await.unwrap(), Deleted::Unknown));
    let late = Step { application: application.number, from: 0, to: world.grant(1) };
    assert_eq!(world.store().advance(late).await.unwrap(), Advanced::Lost(None));
    let late = GrantKey { application: application.number, id: GrantId(2) };
    world.store().close(Closing { grant: late, revocation: world.revocation() }).await.unwrap();
    assert_eq!(world.store().registry().revocation(late), None);
}

#[tokio::test]
async fn a_replacement_of_a_revision_that_has_passed_is_lost_and_shows_the_present_one() {
    let world = World::new().await;
    let application = world.application("a").await;
    let next = |name: &str| Application { name: name.to_owned(), revision: 1, ..(*application).clone() };
    assert!(matches!(world.store().replace(next("one"), Vec::new()).await.unwrap(), Replaced::Replaced(_)));
    let late = world.store().replace(next("two"), Vec::new()).await.unwrap();
    assert!(matches!(&late, Replaced::Lost(present) if present.name == "one"), "{late:?}");
}

#[tokio::test]
async fn all_of_an_application_survives_a_restart() {
    let mut world = World::new().await;
    let application = world.application("a").await;
    let phc = "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ$aGFzaGhhc2g".to_owned();
    let second = Secret::new(SecretId(2), "second".to_owned(), world.now(), Kept::Argon2id(phc.clone()));
    let replacement = Application {
        name: "é \"quoted\"".to_owned(),
        owner: Some(Owner::parse("水表 team").unwrap()),
        state: State::Frozen,
        revision: 1,
        overrides: Overrides {
            rotation: Some(Rotation::Reusable),
            retry_window: Some(Duration::from_millis(1_500)),
            on_reuse: Some(OnReuse::Close),
            logins: Some(Logins::LastOnly),
            max_grants: Some(5),
            access_lifetime: Some(Duration::from_secs(60)),
            refresh_lifetime: None,
            calls_per_minute: Some(100),
            bind_tokens: Some(BindTokens::Presented),
            access_tokens: Some(AccessTokens::Jwt(Algorithm::Es256)),
            dpop: Some(Dpop::Required),
        },
        tokens_from: Some(world.now().plus(Duration::from_millis(1))),
        credentials: credentials(world.now()),
        allow: Allow::parse(&["GET,POST /iocm/app/cmd", "* /iodm"]).unwrap(),
        secrets: [Arc::new(application.secrets[0].retired(world.now())), Arc::new(second)].into(),
        ..(*application).clone()
    };
    world.store().replace(replacement.clone(), Vec::new()).await.unwrap();
    world.restart().await;
    let found = world.store().registry().application(application.number).unwrap();
    assert_eq!(
        (&found.id, &found.name, &found.owner),
        (&replacement.id, &replacement.name, &replacement.owner)
    );
    assert_eq!((found.state, found.overrides, found.revision), (State::Frozen, replacement.overrides, 1));
    assert_eq!(found.allow, replacement.allow);
    assert_eq!(found.created_at, application.created_at);
    assert_eq!(found.tokens_from, replacement.tokens_from);
    assert_eq!(found.credentials, replacement.credentials);
    assert_eq!(found.secrets[0].retire_at, Some(world.now()));
    assert!(found.secrets[0].digest().unwrap().matches(application.secrets[0].digest().unwrap()));
    assert_eq!(found.secrets[1].label, "second");
    assert!(matches!(&found.secrets[1].kept, Kept::Argon2id(kept) if *kept == phc));
}

/// One of each kind.
fn credentials(created_at: Timestamp) -> Vec<Credential> {
    let ed25519 = [&b"\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00\x58"[..], &[0x66; 31]].concat();
    let name = |field, value: &str| CredentialKind::Name(CertificateName { field, value: value.to_owned() });
    let kinds = [
        CredentialKind::Key(AssertionKey::parse(&ed25519).unwrap()),
        CredentialKind::Certificate([9; 32]),
        name(NameField::Subject, "CN=a,O=\u{e9}"),
        name(NameField::SanDns, "a.example"),
        name(NameField::SanUri, "urn:a"),
        name(NameField::SanIp, "192.0.2.1"),
        name(NameField::SanEmail, "a@example.com"),
    ];
    let numbered = kinds.into_iter().zip(1..);
    let credential =
        |(kind, id)| Credential { id: CredentialId(id), label: format!("the {id}th"), kind, created_at };
    numbered.map(credential).collect()
}
