//! Lines of the export file. A new field of an application belongs here, with a default for older files.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use northgate_core::allow::Allow;
use northgate_core::app_id::AppId;
use northgate_core::application::{AppNumber, Application, State};
use northgate_core::clock::Timestamp;
use northgate_core::credential::{Credential, CredentialId};
use northgate_core::grant::{Grant, GrantId};
use northgate_core::owner::Owner;
use northgate_core::registry::Revocation;
use northgate_core::secret::{Digest, Kept, Secret, SecretId};
use northgate_store::credential_kind;
use northgate_store::export::{Counts, Holding};
use serde::{Deserialize, Serialize};

use super::policy::ExportedPolicy;
use crate::keys::keyring_file::document;

/// The members of the first line in every version.
#[derive(Serialize, Deserialize)]
pub struct Mark {
    pub northgate: String,
    pub version: u32,
}

/// The first line.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Head {
    pub northgate: String,
    pub version: u32,
    /// For readers of the file.
    pub note: String,
    pub last_number: u32,
    /// The high-water marks; a file of version 1 has none.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub forgotten_tokens: u64,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub forgotten_single_use: u64,
    /// The text of a keyring file.
    pub keyring: String,
}

/// Any other line. All times are milliseconds since 1970, UTC.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Line {
    Application(Box<ApplicationLine>),
    End(End),
}

/// The totals, and the digest of all lines before.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct End {
    pub applications: u64,
    pub secrets: u64,
    pub grants: u64,
    pub revocations: u64,
    pub sha256: String,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ApplicationLine {
    number: u32,
    app_id: String,
    name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    owner: Option<String>,
    frozen: bool,
    created_at: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tokens_from: Option<u64>,
    revision: u32,
    policy: ExportedPolicy,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    allow: Vec<String>,
    secrets: Vec<SecretMembers>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    credentials: Vec<CredentialMembers>,
    /// Id, generation, last refresh, expiry.
    grants: Vec<(GrantName, u32, u64, u64)>,
    /// Id of the grant, end of its tokens, time to forget it.
    revocations: Vec<(GrantName, u64, u64)>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct SecretMembers {
    id: u32,
    label: String,
    created_at: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    retire_at: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_used_at: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    digest: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    argon2id: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct CredentialMembers {
    id: u32,
    label: String,
    created_at: u64,
    /// As in the stores; docs/store.md lists the words and values.
    kind: String,
    /// Base64url.
    value: String,
}

/// 16 hexadecimal digits: JSON programs lose digits of such large numbers.
type GrantName = String;

impl ApplicationLine {
    pub fn of(holding: &Holding) -> ApplicationLine {
        let Holding { application, grants, revocations } = holding;
        let (millis, name) = (Timestamp::as_millis, |id: GrantId| id.to_string());
        ApplicationLine {
            number: application.number.0,
            app_id: application.id.as_str().to_owned(),
            name: application.name.clone(),
            owner: application.owner.as_ref().map(|owner| owner.as_str().to_owned()),
            frozen: application.is_frozen(),
            created_at: millis(application.created_at),
            tokens_from: application.tokens_from.map(millis),
            revision: application.revision,
            policy: ExportedPolicy::of(&application.overrides),
            allow: application.allow.texts(),
            secrets: application.secrets.iter().map(|secret| SecretMembers::of(secret)).collect(),
            credentials: application.credentials.iter().map(CredentialMembers::of).collect(),
            grants: grants
                .iter()
                .map(|one| (name(one.id), one.generation, millis(one.refreshed_at), millis(one.expires_at)))
                .collect(),
            revocations: revocations
                .iter()
                .map(|(id, one)| (name(*id), millis(one.ends_at), millis(one.forget_at)))
                .collect(),
        }
    }

    /// The content of the line, or a sentence about its fault.
    pub fn holding(self) -> Result<Holding, String> {
        let id = AppId::parse(&self.app_id).map_err(|error| format!("its appId {error}"))?;
        let overrides = self.policy.overrides().ok_or("its policy has an unknown field or a bad value")?;
        let owner = self.owner.map(|text| Owner::parse(&text)).transpose();
        let secrets = self.secrets.into_iter().map(|secret| Ok(Arc::new(secret.secret()?)));
        let credentials = self.credentials.into_iter().map(CredentialMembers::credential);
        let application = Application {
            number: AppNumber(self.number),
            id,
            name: self.name,
            owner: owner.map_err(|error| format!("its owner {error}"))?,
            state: if self.frozen { State::Frozen } else { State::Active },
            overrides,
            allow: Allow::parse(&self.allow).map_err(|error| format!("its allow rules: {error}"))?,
            created_at: time(self.created_at),
            tokens_from: self.tokens_from.map(time),
            revision: self.revision,
            secrets: secrets.collect::<Result<_, String>>()?,
            credentials: credentials.collect::<Result<_, String>>()?,
            calls: Arc::default(),
        };
        let grants = self.grants.iter().map(|(id, generation, refreshed_at, expires_at)| {
            let (refreshed_at, expires_at) = (time(*refreshed_at), time(*expires_at));
            Ok(Grant { id: grant_id(id)?, generation: *generation, refreshed_at, expires_at })
        });
        let revocations = self.revocations.iter().map(|(id, ends_at, forget_at)| {
            Ok((grant_id(id)?, Revocation { ends_at: time(*ends_at), forget_at: time(*forget_at) }))
        });
        Ok(Holding {
            application,
            grants: grants.collect::<Result<_, String>>()?,
            revocations: revocations.collect::<Result<_, String>>()?,
        })
    }
}

impl SecretMembers {
    fn of(secret: &Secret) -> SecretMembers {
        let (digest, argon2id) = match &secret.kept {
            Kept::Digest(digest) => (Some(document::hex(digest.as_bytes())), None),
            Kept::Argon2id(phc) => (None, Some(phc.clone())),
        };
        SecretMembers {
            id: secret.id.0,
            label: secret.label.clone(),
            created_at: secret.created_at.as_millis(),
            retire_at: secret.retire_at.map(Timestamp::as_millis),
            last_used_at: secret.last_used_at().map(Timestamp::as_millis),
            digest,
            argon2id,
        }
    }

    fn secret(self) -> Result<Secret, String> {
        let kept = match (self.digest, self.argon2id) {
            (Some(digest), None) => {
                let bytes =
                    document::bytes(&digest).ok_or("the digest of a secret is not 64 hexadecimal digits")?;
                Kept::Digest(Digest::from_bytes(*bytes.reveal()))
            }
            (None, Some(phc)) => Kept::Argon2id(phc),
            (_, _) => return Err("a secret must have either digest or argon2id".to_owned()),
        };
        let secret = Secret::new(SecretId(self.id), self.label, time(self.created_at), kept);
        Ok(secret.restored(self.retire_at.map(time), self.last_used_at.map(time)))
    }
}

impl CredentialMembers {
    fn of(credential: &Credential) -> CredentialMembers {
        let (kind, value) = credential_kind::write(&credential.kind);
        CredentialMembers {
            id: credential.id.0,
            label: credential.label.clone(),
            created_at: credential.created_at.as_millis(),
            kind: kind.to_owned(),
            value: URL_SAFE_NO_PAD.encode(value),
        }
    }

    fn credential(self) -> Result<Credential, String> {
        let value = URL_SAFE_NO_PAD.decode(&self.value).ok();
        let kind = value.and_then(|value| credential_kind::read(&self.kind, value));
        Ok(Credential {
            id: CredentialId(self.id),
            label: self.label,
            created_at: time(self.created_at),
            kind: kind.ok_or("a credential is damaged")?,
        })
    }
}

impl End {
    pub fn new(counts: Counts, sha256: String) -> End {
        let Counts { applications, secrets, grants, revocations } = counts;
        End { applications, secrets, grants, revocations, sha256 }
    }

    pub fn counts(&self) -> Counts {
        let End { applications, secrets, grants, revocations, .. } = *self;
        Counts { applications, secrets, grants, revocations }
    }
}

fn is_zero(millis: &u64) -> bool {
    *millis == 0
}

fn time(millis: u64) -> Timestamp {
    Timestamp::from_millis(millis)
}

fn grant_id(name: &str) -> Result<GrantId, String> {
    let id = (name.len() == 16).then(|| u64::from_str_radix(name, 16).ok()).flatten();
    id.map(GrantId).ok_or_else(|| "the id of a grant is not 16 hexadecimal digits".to_owned())
}
