//! Answers of the admin API. The command line reads the same types.

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use northgate_core::application::Application;
use northgate_core::clock::Timestamp;
use northgate_core::credential::{Credential, CredentialKind};
use northgate_core::grant::Grant;
use northgate_core::keyring::{KeyRecord, Keyring};
use northgate_core::policy::Policy;
use northgate_core::secret::{Secret, SecretText};
use serde::{Deserialize, Serialize};

use super::policy::PolicyMembers;
use crate::rfc3339;

/// A created application.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CreatedApplication {
    pub app_id: String,
    /// The allocated secret; it is never shown again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
    pub name: String,
}

impl CreatedApplication {
    pub fn new(application: &Application, allocated: Option<&SecretText>) -> CreatedApplication {
        CreatedApplication {
            app_id: application.id.as_str().to_owned(),
            secret: allocated.map(|secret| secret.reveal().to_owned()),
            name: application.name.clone(),
        }
    }
}

/// A page of the applications, in the order that was asked for.
#[derive(Debug, Serialize, Deserialize)]
pub struct Page {
    pub applications: Vec<Line>,
    /// The `after` of the next request, if there are more: an opaque cursor.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// One application in a list.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Line {
    pub app_id: String,
    pub name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    pub state: String,
    pub created_at: String,
    /// The last use of any of its secrets, to ten minutes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_used_at: Option<String>,
}

impl Line {
    pub fn new(application: &Application) -> Line {
        Line {
            app_id: application.id.as_str().to_owned(),
            name: application.name.clone(),
            owner: application.owner.as_ref().map(|owner| owner.as_str().to_owned()),
            state: application.state.as_str().to_owned(),
            created_at: rfc3339::format(application.created_at),
            last_used_at: application.last_used_at().map(rfc3339::format),
        }
    }
}

/// One application with everything but its secrets.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Details {
    #[serde(flatten)]
    pub line: Line,
    /// The not-before: tokens issued earlier are revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens_from: Option<String>,
    /// The effective policy.
    pub policy: PolicyMembers,
    /// The fields set for this application; the others follow the configuration.
    pub overrides: PolicyMembers,
    /// The allow rules; an application without rules may make any call.
    #[serde(default)]
    pub allow: Vec<String>,
    pub secrets: Vec<SecretLine>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub credentials: Vec<CredentialLine>,
    pub grants: Vec<GrantLine>,
}

impl Details {
    pub fn new(application: &Application, policy: &Policy, grants: &[Grant]) -> Details {
        Details {
            line: Line::new(application),
            tokens_from: application.tokens_from.map(rfc3339::format),
            policy: PolicyMembers::of(policy),
            overrides: PolicyMembers::set(&application.overrides),
            allow: application.allow.texts(),
            secrets: application.secrets.iter().map(|secret| SecretLine::new(secret)).collect(),
            credentials: application.credentials.iter().map(CredentialLine::new).collect(),
            grants: grants.iter().map(GrantLine::new).collect(),
        }
    }
}

/// A secret, without anything to guess it from.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SecretLine {
    pub id: u32,
    pub label: String,
    pub created_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_used_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retire_at: Option<String>,
}

impl SecretLine {
    pub fn new(secret: &Secret) -> SecretLine {
        SecretLine {
            id: secret.id.0,
            label: secret.label.clone(),
            created_at: rfc3339::format(secret.created_at),
            last_used_at: secret.last_used_at().map(rfc3339::format),
            retire_at: secret.retire_at.map(rfc3339::format),
        }
    }
}

/// The secrets of one application.
#[derive(Debug, Serialize, Deserialize)]
pub struct Secrets {
    pub secrets: Vec<SecretLine>,
}

/// One credential.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CredentialLine {
    pub id: u32,
    pub label: String,
    pub kind: String,
    /// A thumbprint of the key or the certificate (SHA-256 over its DER, base64url), or the name.
    pub value: String,
    pub created_at: String,
}

impl CredentialLine {
    pub fn new(credential: &Credential) -> CredentialLine {
        let (kind, value) = match &credential.kind {
            CredentialKind::Key(key) => ("key", format!("{} {}", key.family(), print(key.as_spki()))),
            CredentialKind::Certificate(thumbprint) => ("certificate", URL_SAFE_NO_PAD.encode(thumbprint)),
            CredentialKind::Name(name) => (name.field.as_str(), name.value.clone()),
        };
        CredentialLine {
            id: credential.id.0,
            label: credential.label.clone(),
            kind: kind.to_owned(),
            value,
            created_at: rfc3339::format(credential.created_at),
        }
    }
}

fn print(der: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(digest(&SHA256, der))
}

/// The credentials of one application.
#[derive(Debug, Serialize, Deserialize)]
pub struct Credentials {
    pub credentials: Vec<CredentialLine>,
}

/// An added secret.
#[derive(Serialize, Deserialize)]
pub struct AddedSecret {
    pub id: u32,
    /// The allocated secret; it is never shown again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
}

/// One live grant.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GrantLine {
    pub id: String,
    pub generation: u32,
    pub refreshed_at: String,
    pub expires_at: String,
}

impl GrantLine {
    fn new(grant: &Grant) -> GrantLine {
        GrantLine {
            id: grant.id.to_string(),
            generation: grant.generation,
            refreshed_at: rfc3339::format(grant.refreshed_at),
            expires_at: rfc3339::format(grant.expires_at),
        }
    }
}

/// The results of an import's rows, in their order.
#[derive(Debug, Serialize, Deserialize)]
pub struct Imported {
    pub rows: Vec<ImportedRow>,
}

/// The result of one row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ImportedRow {
    pub app_id: String,
    pub result: RowResult,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// The kinds of results.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RowResult {
    Created,
    /// The application existed, with this secret.
    Unchanged,
    /// The application existed, with another secret; it is unchanged.
    Conflict,
    Invalid,
}

impl RowResult {
    /// Whether the application of the row exists with its secret after the import.
    pub fn is_there(self) -> bool {
        match self {
            RowResult::Created | RowResult::Unchanged => true,
            RowResult::Conflict | RowResult::Invalid => false,
        }
    }
}

/// The keys of the keyring, without their bytes.
#[derive(Debug, Serialize, Deserialize)]
pub struct Keys {
    pub keys: Vec<KeyLine>,
}

/// One key.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KeyLine {
    pub id: u16,
    pub created_at: String,
    /// The time of its first use; it is published before.
    pub use_from: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retire_at: Option<String>,
    pub state: KeyState,
}

/// The phase of a key's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeyState {
    /// Published, and not used yet.
    Next,
    /// Issues the new tokens.
    Current,
    /// Tokens issued with it are still valid.
    Retiring,
    /// All tokens issued with it have expired: the next rotation drops it.
    Retired,
}

impl Keys {
    pub fn new(keyring: &Keyring, now: Timestamp) -> Keys {
        let current = keyring.current_id(now);
        let state = |key: &KeyRecord| match key.retire_at {
            _ if key.id == current => KeyState::Current,
            _ if key.use_from > now => KeyState::Next,
            Some(at) if at <= now => KeyState::Retired,
            Some(_) | None => KeyState::Retiring,
        };
        let line = |key: &KeyRecord| KeyLine {
            id: key.id.0,
            created_at: rfc3339::format(key.created_at),
            use_from: rfc3339::format(key.use_from),
            retire_at: key.retire_at.map(rfc3339::format),
            state: state(key),
        };
        Keys { keys: keyring.record().keys.iter().map(line).collect() }
    }
}

impl KeyState {
    /// The word in answers.
    pub fn as_str(self) -> &'static str {
        match self {
            KeyState::Next => "next",
            KeyState::Current => "current",
            KeyState::Retiring => "retiring",
            KeyState::Retired => "retired",
        }
    }
}
