//! Attention: the findings about applications, with what to tell their programmers.

use std::sync::Arc;

use axum::Json;
use axum::extract::{RawQuery, State};
use northgate_core::application::{AppNumber, Application};
use northgate_core::attention::{Finding, Kind};
use serde::{Deserialize, Serialize};

use super::Admin;
use super::operator::Operator;
use super::problem::AdminProblem;
use super::which::{bad_member, members};
use crate::rfc3339;

/// The default size of a page, and the largest.
const PAGE: usize = 100;
const LARGEST_PAGE: usize = 1000;

/// A page of findings, in the order in which the applications were created.
#[derive(Debug, Serialize, Deserialize)]
pub struct AttentionPage {
    pub findings: Vec<FindingLine>,
    /// The `after` of the next request, if there are more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<u32>,
}

/// One finding.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FindingLine {
    pub app_id: String,
    pub name: String,
    pub kind: String,
    /// The last event; for what ends, its end; for an unused application, its last use.
    pub at: String,
    pub count: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_id: Option<u32>,
    /// A sentence for the operator.
    pub message: String,
    /// What to tell the application's programmer, or to do.
    pub advice: String,
}

impl FindingLine {
    pub fn new(application: &Application, finding: &Finding) -> FindingLine {
        FindingLine {
            app_id: application.id.as_str().to_owned(),
            name: application.name.clone(),
            kind: finding.kind.as_str().to_owned(),
            at: rfc3339::format(finding.at),
            count: finding.count,
            secret_id: finding.secret.map(|id| id.0),
            message: message(finding),
            advice: advice(finding.kind).to_owned(),
        }
    }
}

fn message(finding: &Finding) -> String {
    let (at, count) = (rfc3339::format(finding.at), finding.count);
    let secret = finding.secret.map_or(0, |id| id.0);
    match finding.kind {
        Kind::OldSecret => format!("still uses secret {secret}, which a newer one replaces; last at {at}"),
        Kind::SecretEnding => format!("still uses secret {secret}, which retires at {at}"),
        Kind::CertificateEnding => format!("its client certificate expires at {at}"),
        Kind::TokenEnding => format!("its latest refresh token expires at {at} and was not refreshed"),
        Kind::LoginEachCall => {
            format!("logged in {count} times without a refresh, more often than its tokens expire")
        }
        Kind::NeverRefreshes => {
            format!("logged in {count} times without a refresh, whenever its token expired")
        }
        Kind::ReusedToken => format!("presented a used refresh token {count} times, last at {at}"),
        Kind::Throttled => format!("exceeded its rate limit {count} times, last at {at}"),
        Kind::Unused => format!("not used since {at}"),
    }
}

fn advice(kind: Kind) -> &'static str {
    match kind {
        Kind::OldSecret => {
            "Configure the newest secret in every program of the application; then retire the old one."
        }
        Kind::SecretEnding => "Configure another secret before this one retires, or logins will fail.",
        Kind::CertificateEnding => "Issue a new certificate and register it before the old one expires.",
        Kind::TokenEnding => "Refresh before the refresh token expires, or log in again.",
        Kind::LoginEachCall => {
            "Keep the access token until it expires, and share it between calls; then refresh it."
        }
        Kind::NeverRefreshes => "Use the refresh token when the access token expires, instead of the secret.",
        Kind::ReusedToken => {
            "Store the refresh token of each answer and use only the newest. If the program does that, its token may be stolen."
        }
        Kind::Throttled => {
            "Call less often and heed Retry-After, or ask for a higher rate limit (calls_per_minute)."
        }
        Kind::Unused => "Ask its owner whether it is still needed; freeze it if not.",
    }
}

pub async fn list(
    _: Operator,
    State(admin): State<Arc<Admin>>,
    RawQuery(query): RawQuery,
) -> Result<Json<AttentionPage>, AdminProblem> {
    let which = Which::parse(query.as_deref().unwrap_or_default())?;
    let page = admin.auth.attention(which.kind, which.after.map(AppNumber), which.limit, admin.clock.now());
    let findings = page.found.iter().map(|(application, finding)| FindingLine::new(application, finding));
    Ok(Json(AttentionPage { findings: findings.collect(), next: page.next.map(|number| number.0) }))
}

/// The query.
#[derive(Debug, PartialEq)]
struct Which {
    kind: Option<Kind>,
    after: Option<u32>,
    limit: usize,
}

impl Which {
    fn parse(query: &str) -> Result<Which, AdminProblem> {
        let mut which = Which { kind: None, after: None, limit: PAGE };
        for (member, value) in members(query)? {
            let refused = |what: &str| bad_member(member, what);
            match member {
                "after" => which.after = Some(value.parse().map_err(|_| refused("no number"))?),
                "limit" => which.limit = value.parse().map_err(|_| refused("no number"))?,
                "kind" => which.kind = Some(Kind::parse(value).ok_or_else(|| refused("no kind of finding"))?),
                _ => return Err(refused("not known; there are after, limit and kind")),
            }
        }
        which.limit = which.limit.clamp(1, LARGEST_PAGE);
        Ok(which)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_has_known_members_and_a_bounded_page() {
        let which = Which { kind: Some(Kind::Unused), after: Some(7), limit: 1000 };
        assert_eq!(Which::parse("kind=unused&after=7&limit=5000").expect("good"), which);
        for query in ["kind=none", "after=x", "limit", "name=a", &"limit=1&".repeat(33)] {
            assert!(Which::parse(query).is_err(), "{query}");
        }
    }
}
