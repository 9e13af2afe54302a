//! One application for people to read.

use crate::cli::credential;
use crate::cli::output;
use crate::cli::secret;
use crate::http::admin::answer::{Details, GrantLine};
use crate::http::admin::policy::PolicyMembers;

pub fn show(details: &Details) {
    let mut pairs = vec![
        ("appId", details.line.app_id.clone()),
        ("name", details.line.name.clone()),
        ("state", details.line.state.clone()),
        ("created", details.line.created_at.clone()),
    ];
    pairs.extend(details.tokens_from.clone().map(|at| ("tokens from", at)));
    output::pairs(&pairs);
    output::line("");
    output::table(&["POLICY", "VALUE", "FROM"], &policy(details), "no policy");
    output::line("");
    let rule = |rule: &String| vec![rule.clone()];
    let rules: Vec<Vec<String>> = details.allow.iter().map(rule).collect();
    output::table(&["ALLOW"], &rules, "no allow rules: it may make any call");
    output::line("");
    secret::table(&details.secrets);
    output::line("");
    if !details.credentials.is_empty() {
        credential::table(&details.credentials);
        output::line("");
    }
    let row = |grant: &GrantLine| {
        let generation = grant.generation.to_string();
        vec![grant.id.clone(), generation, grant.refreshed_at.clone(), grant.expires_at.clone()]
    };
    let grants: Vec<Vec<String>> = details.grants.iter().map(row).collect();
    output::table(&["GRANT", "GENERATION", "REFRESHED", "EXPIRES"], &grants, "no live grants");
}

fn policy(details: &Details) -> Vec<Vec<String>> {
    let row = |(flag, value): (&str, Option<String>), is_set: bool| {
        let from = if is_set { "this application" } else { "the configuration" };
        vec![flag.to_owned(), value.unwrap_or_default(), from.to_owned()]
    };
    let set = members(&details.overrides).map(|(_, value)| value.is_some());
    members(&details.policy).into_iter().zip(set).map(|(member, is_set)| row(member, is_set)).collect()
}

/// The members under the names of their flags.
fn members(policy: &PolicyMembers) -> [(&'static str, Option<String>); 11] {
    [
        ("rotation", policy.rotation.clone()),
        ("retry-window", policy.retry_window.clone()),
        ("on-reuse", policy.on_reuse.clone()),
        ("logins", policy.logins.clone()),
        ("max-grants", policy.max_grants.map(|count| count.to_string())),
        ("access-lifetime", policy.access_lifetime.clone()),
        ("refresh-lifetime", policy.refresh_lifetime.clone()),
        ("calls-per-minute", policy.calls_per_minute.map(|count| count.to_string())),
        ("bind-tokens", policy.bind_tokens.clone()),
        ("access-tokens", policy.access_tokens.clone()),
        ("dpop", policy.dpop.clone()),
    ]
}
