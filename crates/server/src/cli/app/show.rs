//! `northgate app show`: one application as tables.

use northgate_core::policy::Field;

use crate::cli::credential;
use crate::cli::output;
use crate::cli::secret;
use crate::http::admin::answer::{Details, GrantLine};
use crate::policy_text;

pub fn show(details: &Details) {
    let mut pairs = vec![
        ("appId", details.line.app_id.clone()),
        ("name", details.line.name.clone()),
        ("state", details.line.state.clone()),
        ("created", details.line.created_at.clone()),
    ];
    pairs.extend(details.line.owner.clone().map(|owner| ("owner", owner)));
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
    let row = |field| {
        let value = details
            .policy
            .get(field)
            .map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned));
        let from = match details.overrides.get(field) {
            Some(_) => "this application",
            None => "the configuration",
        };
        vec![policy_text::flag(field), value.unwrap_or_default(), from.to_owned()]
    };
    Field::ALL.map(row).to_vec()
}
