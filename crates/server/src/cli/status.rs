//! `northgate status`: whether the server is up and ready, on one screen.

use std::error::Error;

use clap::Args;
use hyper::Method;

use super::global_flags::GlobalFlags;
use super::output::{self, Form};
use crate::http::admin::status::Status as Answer;

#[derive(Args)]
pub struct Status;

/// The server runs and is not ready, or an operator has to look at something soon.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct NeedsAttention(String);

impl NeedsAttention {
    /// The number of things that were printed.
    pub fn to(count: usize, has_more: bool) -> NeedsAttention {
        let (more, things) = (
            if has_more { "more than " } else { "" },
            if count == 1 { "thing needs" } else { "things need" },
        );
        NeedsAttention(format!("{more}{count} {things} attention"))
    }
}

impl Status {
    pub async fn run(self, flags: &GlobalFlags) -> Result<(), Box<dyn Error>> {
        let answer = flags.client()?.request(Method::GET, "/admin/v1/status").await?;
        let status: Answer = serde_json::from_str(&answer)?;
        if flags.form() == Form::Json {
            output::line(&answer)
        } else {
            print(&status)
        }
        match (status.reason, status.attention.len()) {
            (Some(reason), _) => Err(NeedsAttention(format!("the server is not ready: {reason}")).into()),
            (None, 0) => Ok(()),
            (None, _) => Err(NeedsAttention(status.attention.join("; ")).into()),
        }
    }
}

fn print(status: &Answer) {
    let state = if status.ready { "ready" } else { "not ready" };
    let mut pairs = vec![
        ("version", status.version.clone()),
        ("state", state.to_owned()),
        ("store", status.store.clone()),
        ("applications", status.applications.to_string()),
    ];
    pairs.extend(status.registry_lag_ms.map(|lag| ("registry lag", format!("{lag} ms"))));
    output::pairs(&pairs);
    output::line("");
    let row = |certificate: &crate::http::admin::status::CertificateLine| {
        let expires = certificate.expires_at.clone().unwrap_or_else(|| "-".to_owned());
        let state = if certificate.current { "in use" } else { "the file was not taken" };
        vec![certificate.file.clone(), expires, state.to_owned()]
    };
    let rows: Vec<_> = status.certificates.iter().map(row).collect();
    output::table(&["CERTIFICATE", "EXPIRES", "STATE"], &rows, "no certificates");
    output::line("");
    let row = |key: &crate::http::admin::answer::KeyLine| {
        vec![key.id.to_string(), key.state.as_str().to_owned(), key.use_from.clone()]
    };
    let rows: Vec<_> = status.keys.iter().map(row).collect();
    output::table(&["KEY", "STATE", "USED FROM"], &rows, "no keys");
}
