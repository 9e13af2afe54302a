//! `northgate doctor`: everything that an operator should look at, of the server and of its applications.

use std::error::Error;

use clap::Args;
use hyper::Method;
use serde_json::json;

use super::global_flags::GlobalFlags;
use super::output::{self, Form};
use super::status::NeedsAttention;
use crate::http::admin::attention::{AttentionPage, FindingLine};
use crate::http::admin::status::Status;

/// The most findings printed; the metrics have the number of all.
const SHOWN: usize = 1_000;

#[derive(Args)]
pub struct Doctor;

impl Doctor {
    pub async fn run(self, flags: &GlobalFlags) -> Result<(), Box<dyn Error>> {
        let client = flags.client()?;
        let status: Status = serde_json::from_str(&client.request(Method::GET, "/admin/v1/status").await?)?;
        let path = format!("/admin/v1/attention?limit={SHOWN}");
        let page: AttentionPage = serde_json::from_str(&client.request(Method::GET, &path).await?)?;
        let server: Vec<String> = status.reason.into_iter().chain(status.attention).collect();
        let has_more = page.next.is_some();
        match flags.form() {
            Form::Json => output::line(
                &json!({ "server": server, "findings": page.findings, "hasMore": has_more }).to_string(),
            ),
            Form::Text => print(&server, &page.findings, has_more),
        }
        match server.len() + page.findings.len() {
            0 => Ok(()),
            count => Err(NeedsAttention::to(count, has_more).into()),
        }
    }
}

fn print(server: &[String], findings: &[FindingLine], has_more: bool) {
    server.iter().for_each(|sentence| output::line(&format!("server: {sentence}")));
    let row = |line: &FindingLine| vec![line.app_id.clone(), line.kind.clone(), line.message.clone()];
    let rows: Vec<_> = findings.iter().map(row).collect();
    output::table(&["APPID", "KIND", "FINDING"], &rows, "no application needs attention");
    let mut kinds: Vec<&FindingLine> = findings.iter().collect();
    kinds.sort_by(|one, other| one.kind.cmp(&other.kind));
    kinds.dedup_by(|one, other| one.kind == other.kind);
    if !kinds.is_empty() {
        output::line("");
    }
    kinds.iter().for_each(|line| output::line(&format!("{}: {}", line.kind, line.advice)));
    if has_more {
        output::remark(
            "There are more applications with findings: GET /admin/v1/attention has all, page by page.",
        );
    }
}
