//! Property tests of signed tokens: minting and authenticating over arbitrary claims and texts.

use northgate_core::keyring::KeyringRecord;
use proptest::prelude::*;

use super::*;
use crate::config::oauth::Issuer;

const NOW: Timestamp = Timestamp::from_millis(1_767_225_600_999);

fn keyring() -> Keyring {
    Keyring::new(KeyringRecord::random(NOW)).expect("a keyring")
}

fn names() -> OAuth {
    let issuer = Issuer::parse("https://tokens.example.com").expect("an issuer");
    OAuth { issuer, audience: "https://api.example.com".to_owned() }
}

fn claims() -> impl Strategy<Value = Claims> {
    let binding = prop_oneof![
        Just(None),
        any::<[u8; 32]>().prop_map(|print| Some(Binding::Certificate(print))),
        any::<[u8; 32]>().prop_map(|print| Some(Binding::Key(print))),
    ];
    (binding, any::<(u32, u64, u32, u32, u32)>()).prop_map(
        |(binding, (number, id, generation, issued_s, lifetime_s))| {
            let issued_at = Timestamp::from_millis(u64::from(issued_s) * 1000);
            Claims {
                kind: Kind::Access,
                binding,
                grant: GrantKey { application: AppNumber(number), id: GrantId(id) },
                generation,
                issued_at,
                expires_at: issued_at.plus(std::time::Duration::from_secs(lifetime_s.into())),
            }
        },
    )
}

proptest! {
    #[test]
    fn a_token_says_what_was_put_in_whatever_the_application_is_called(
        claims in claims(),
        app in "[^\\p{C}]{1,256}",
        es256 in any::<bool>(),
    ) {
        let (keyring, names) = (keyring(), names());
        let algorithm = if es256 { Algorithm::Es256 } else { Algorithm::EdDsa };
        let app = AppId::parse(&app).expect("an appId");
        let token = mint(&claims, &app, algorithm, &names, &keyring, NOW);
        prop_assert!(is_jwt(&token) && token.len() <= LONGEST);
        let signatures = SignatureCache::default();
        prop_assert_eq!(authenticate(&token, &names, &keyring, &signatures), Ok(claims));
        // The signature cache helps only the same token, and only while its key is in the keyring.
        prop_assert_eq!(authenticate(&token, &names, &keyring, &signatures), Ok(claims));
        let longer = format!("{token}A");
        prop_assert!(authenticate(&longer, &names, &keyring, &signatures).is_err());
        prop_assert!(authenticate(&token, &names, &self::keyring(), &signatures).is_err());
    }

    #[test]
    fn no_text_of_others_is_a_token(header in ".{0,60}", said in ".{0,60}", signature in ".{0,60}") {
        let encode = |text: &str| URL_SAFE_NO_PAD.encode(text);
        let encoded = format!("{}.{}.{}", encode(&header), encode(&said), encode(&signature));
        for text in [format!("{header}.{said}.{signature}"), encoded] {
            prop_assert!(authenticate(&text, &names(), &keyring(), &SignatureCache::default()).is_err());
        }
    }
}

/// Times within a second: the token expires no later than intended.
#[test]
fn times_are_whole_seconds_and_never_later() {
    let grant = GrantKey { application: AppNumber(1), id: GrantId(2) };
    let expires_at = NOW.plus(std::time::Duration::from_secs(3600));
    let claims =
        Claims { kind: Kind::Access, binding: None, grant, generation: 0, issued_at: NOW, expires_at };
    let (keyring, names, app) = (keyring(), names(), AppId::parse("a").expect("an appId"));
    let opened = authenticate(
        &mint(&claims, &app, Algorithm::EdDsa, &names, &keyring, NOW),
        &names,
        &keyring,
        &SignatureCache::default(),
    );
    let floor = |at: Timestamp| Timestamp::from_millis(at.as_millis() / 1000 * 1000);
    let expected = Claims { issued_at: floor(NOW), expires_at: floor(expires_at), ..claims };
    assert_eq!(opened, Ok(expected));
}
