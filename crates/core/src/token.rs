//! Tokens: a pure function of the grant and the keyring, in a fixed binary layout with a MAC over it.
//!
//! | bytes | field |
//! |---|---|
//! | 1 | version, 1 |
//! | 1 | kind: 1 access token, 2 refresh token |
//! | 2 | id of the key |
//! | 4 | application number |
//! | 8 | grant id |
//! | 4 | generation |
//! | 6 | issued at, milliseconds since the Unix epoch |
//! | 6 | expires at, milliseconds since the Unix epoch |
//! | 16 | HMAC-SHA-256 over all that, its first half (RFC 2104 §5) |
//!
//! All numbers are big-endian. The text form is base64url without padding (RFC 4648 §5): 64 characters.
//!
//! An access token that is bound to its holder (RFC 8705 §3, RFC 9449 §5) has kind 3 or 4 and, between the last field
//! and the MAC, 32 bytes of confirmation: 80 bytes, 107 characters.

use aws_lc_rs::constant_time;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::application::AppNumber;
use crate::clock::Timestamp;
use crate::grant::{Grant, GrantId, GrantKey};
use crate::key_id::KeyId;
use crate::keyring::Keyring;
use crate::mac::MacKey;

const VERSION: u8 = 1;
const CLAIMS: usize = 32;
const CONFIRMATION: usize = 32;
const MAC: usize = 16;
const BINARY: usize = CLAIMS + MAC;
const BOUND_BINARY: usize = CLAIMS + CONFIRMATION + MAC;
/// Characters of a token's text form; the API promises at most 256.
pub const TEXT: usize = 64;
/// Characters of a bound token's text form.
pub const BOUND_TEXT: usize = 107;

/// The kind of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Access,
    Refresh,
}

/// Confirmation (`cnf`) of a bound access token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Binding {
    /// The certificate with this SHA-256 thumbprint, on the connection (RFC 8705 §3.1: `x5t#S256`).
    Certificate([u8; 32]),
    /// A signature under the key with this JWK SHA-256 thumbprint (RFC 9449 §6.1: `jkt`).
    Key([u8; 32]),
}

/// The claims of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claims {
    pub kind: Kind,
    /// `None` for refresh tokens and for bearer access tokens.
    pub binding: Option<Binding>,
    pub grant: GrantKey,
    pub generation: u32,
    pub issued_at: Timestamp,
    pub expires_at: Timestamp,
}

/// Reason why a text is not a token of this installation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// The length, alphabet or layout is not that of a token.
    #[error("the token is malformed")]
    Malformed,
    /// Its key is not in the keyring, or its bytes were altered.
    #[error("the token is not authentic")]
    Forged,
}

impl Claims {
    /// The claims of the grant's current refresh token: the same bytes each time.
    pub fn refresh(application: AppNumber, grant: &Grant) -> Claims {
        Claims {
            kind: Kind::Refresh,
            binding: None,
            grant: GrantKey { application, id: grant.id },
            generation: grant.generation,
            issued_at: grant.refreshed_at,
            expires_at: grant.expires_at,
        }
    }

    /// The grant's record at the time when this refresh token became current.
    pub fn record(&self) -> Grant {
        Grant {
            id: self.grant.id,
            generation: self.generation,
            refreshed_at: self.issued_at,
            expires_at: self.expires_at,
        }
    }

    /// The claims of an access token that is issued now.
    pub fn access(
        application: AppNumber,
        grant: &Grant,
        binding: Option<Binding>,
        issued_at: Timestamp,
        expires_at: Timestamp,
    ) -> Claims {
        Claims { kind: Kind::Access, binding, issued_at, expires_at, ..Claims::refresh(application, grant) }
    }

    /// Mints the token under the key that is current at `now`.
    pub fn mint(&self, keyring: &Keyring, now: Timestamp) -> String {
        let (id, key) = keyring.current(now);
        let mut binary = [0; BOUND_BINARY];
        binary[..CLAIMS].copy_from_slice(&self.encode(id));
        let length = match &self.binding {
            None => CLAIMS,
            Some(Binding::Certificate(confirmation) | Binding::Key(confirmation)) => {
                binary[CLAIMS..CLAIMS + CONFIRMATION].copy_from_slice(confirmation);
                CLAIMS + CONFIRMATION
            }
        };
        let mac = mac(key, &binary[..length]);
        binary[length..length + MAC].copy_from_slice(&mac);
        URL_SAFE_NO_PAD.encode(&binary[..length + MAC])
    }

    /// Authenticates a token by its MAC and returns its claims. Expiry and revocation are the caller's to check.
    pub fn authenticate(token: &str, keyring: &Keyring) -> Result<Claims, TokenError> {
        Claims::authenticate_with_key(token, keyring).map(|(_, claims)| claims)
    }

    /// Authenticates a token; also returns its key.
    pub(crate) fn authenticate_with_key(
        token: &str,
        keyring: &Keyring,
    ) -> Result<(KeyId, Claims), TokenError> {
        let mut binary = [0; BOUND_BINARY];
        // Checked before decoding, since the decoder allocates for its input.
        let length = match token.len() {
            TEXT => BINARY,
            BOUND_TEXT => BOUND_BINARY,
            _ => return Err(TokenError::Malformed),
        };
        if URL_SAFE_NO_PAD.decode_slice(token, &mut binary[..length]) != Ok(length) {
            return Err(TokenError::Malformed);
        }
        let (said, presented) = binary[..length].split_at(length - MAC);
        let (id, claims) = Claims::decode(said)?;
        let key = keyring.find(id).ok_or(TokenError::Forged)?;
        constant_time::verify_slices_are_equal(&mac(key, said), presented).map_err(|_| TokenError::Forged)?;
        Ok((id, claims))
    }

    fn encode(&self, key: KeyId) -> [u8; CLAIMS] {
        let mut bytes = [0; CLAIMS];
        bytes[0] = VERSION;
        bytes[1] = match (self.kind, self.binding) {
            (Kind::Access, None) => 1,
            (Kind::Refresh, _) => 2,
            (Kind::Access, Some(Binding::Certificate(_))) => 3,
            (Kind::Access, Some(Binding::Key(_))) => 4,
        };
        bytes[2..4].copy_from_slice(&key.0.to_be_bytes());
        bytes[4..8].copy_from_slice(&self.grant.application.0.to_be_bytes());
        bytes[8..16].copy_from_slice(&self.grant.id.0.to_be_bytes());
        bytes[16..20].copy_from_slice(&self.generation.to_be_bytes());
        bytes[20..26].copy_from_slice(&self.issued_at.as_millis().to_be_bytes()[2..]);
        bytes[26..32].copy_from_slice(&self.expires_at.as_millis().to_be_bytes()[2..]);
        bytes
    }

    /// Decodes the fields before the MAC.
    fn decode(bytes: &[u8]) -> Result<(KeyId, Claims), TokenError> {
        let confirmation = <[u8; CONFIRMATION]>::try_from(&bytes[CLAIMS..]).ok();
        let (kind, binding) = match (bytes[0], bytes[1], confirmation) {
            (VERSION, 1, None) => (Kind::Access, None),
            (VERSION, 2, None) => (Kind::Refresh, None),
            (VERSION, 3, Some(thumbprint)) => (Kind::Access, Some(Binding::Certificate(thumbprint))),
            (VERSION, 4, Some(thumbprint)) => (Kind::Access, Some(Binding::Key(thumbprint))),
            (_, _, _) => return Err(TokenError::Malformed),
        };
        let number =
            |from: usize, to: usize| bytes[from..to].iter().fold(0, |n, byte| n << 8 | u64::from(*byte));
        let claims = Claims {
            kind,
            binding,
            grant: GrantKey { application: AppNumber(number(4, 8) as u32), id: GrantId(number(8, 16)) },
            generation: number(16, 20) as u32,
            issued_at: Timestamp::from_millis(number(20, 26)),
            expires_at: Timestamp::from_millis(number(26, 32)),
        };
        Ok((KeyId(number(2, 4) as u16), claims))
    }
}

fn mac(key: &MacKey, claims: &[u8]) -> [u8; MAC] {
    let mut mac = [0; MAC];
    mac.copy_from_slice(&key.tag(&[claims])[..MAC]);
    mac
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keyring::KeyringRecord;
    use proptest::prelude::*;

    const NOW: Timestamp = Timestamp::from_millis(0);

    fn keyring() -> Keyring {
        Keyring::new(KeyringRecord::random(NOW)).expect("a keyring")
    }

    fn claims() -> impl Strategy<Value = Claims> {
        let kind = prop_oneof![
            Just((Kind::Access, None)),
            Just((Kind::Refresh, None)),
            any::<[u8; 32]>().prop_map(|print| (Kind::Access, Some(Binding::Certificate(print)))),
            any::<[u8; 32]>().prop_map(|print| (Kind::Access, Some(Binding::Key(print)))),
        ];
        (kind, any::<(u32, u64, u32, u64, u64)>()).prop_map(
            |((kind, binding), (number, id, generation, issued, expires))| Claims {
                kind,
                binding,
                grant: GrantKey { application: AppNumber(number), id: GrantId(id) },
                generation,
                issued_at: Timestamp::from_millis(issued >> 16),
                expires_at: Timestamp::from_millis(expires >> 16),
            },
        )
    }

    proptest! {
        #[test]
        fn a_token_says_what_was_put_in(claims in claims()) {
            let keyring = keyring();
            let token = claims.mint(&keyring, NOW);
            prop_assert_eq!(token.len(), if claims.binding.is_none() { TEXT } else { BOUND_TEXT });
            prop_assert_eq!(Claims::authenticate(&token, &keyring), Ok(claims));
            prop_assert_eq!(claims.mint(&keyring, NOW), token);
        }

        #[test]
        fn a_token_with_one_bit_flipped_is_refused(claims in claims(), bit in 0..BOUND_BINARY * 8) {
            let keyring = keyring();
            let mut binary = URL_SAFE_NO_PAD.decode(claims.mint(&keyring, NOW)).expect("base64url");
            let bit = bit % (binary.len() * 8);
            binary[bit / 8] ^= 1 << (bit % 8);
            prop_assert!(Claims::authenticate(&URL_SAFE_NO_PAD.encode(binary), &keyring).is_err());
        }

        #[test]
        fn no_text_of_others_is_a_token(text in ".{0,100}") {
            prop_assert!(Claims::authenticate(&text, &keyring()).is_err());
        }
    }

    #[test]
    fn a_token_of_another_installation_is_forged() {
        let grant = GrantKey { application: AppNumber(1), id: GrantId(2) };
        let at = Timestamp::from_millis(3);
        let (kind, binding) = (Kind::Refresh, None);
        let claims = Claims { kind, binding, grant, generation: 0, issued_at: at, expires_at: at };
        assert_eq!(Claims::authenticate(&claims.mint(&keyring(), at), &keyring()), Err(TokenError::Forged));
    }
}
