//! Parsers of what operators hand in, each as a function of bytes, for the fuzz targets. An operator may do anything, but a file or a
//! body that another program wrote must not stop a node.

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::cli::import::rows;
use crate::http::admin::policy::PolicyMembers;
use crate::http::admin::reload::ReloadRequest;
use crate::http::admin::{applications, body, credentials, import, secrets};
use crate::unauthenticated::Parser;

/// The bodies of the admin API.
pub const BODIES: [Parser; 9] = [
    ("a new application", parse::<applications::Create>),
    ("a change of an application", parse::<applications::Set>),
    ("a policy", policy),
    ("a credential", credential),
    ("a secret", parse::<secrets::Add>),
    ("the end of a secret", parse::<secrets::Retire>),
    ("an import", parse::<import::Import>),
    ("a row of an import", parse::<import::Row>),
    ("a reload", parse::<ReloadRequest>),
];

/// The rows that `app import` reads from a file, as it sends them; those that it refuses are left out.
pub fn import_rows(is_csv: bool, text: &str) -> Option<Vec<Value>> {
    let rows = if is_csv { rows::csv(text) } else { rows::json(text) };
    Some(rows.ok()?.into_iter().filter(|row| row.refused.is_none()).map(|row| row.members).collect())
}

fn parse<T: DeserializeOwned>(input: &[u8]) {
    drop(body::parse::<T>(input));
}

fn policy(input: &[u8]) {
    drop(body::parse::<PolicyMembers>(input).map(|members| members.change().map(drop)));
}

fn credential(input: &[u8]) {
    drop(body::parse::<credentials::Add>(input).map(|add| add.kind().map(drop)));
}
