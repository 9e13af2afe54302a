//! `If-Match` (RFC 9110 §13.1.1): a change that takes effect only in the state that the client has seen.

use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::header::IF_MATCH;
use axum::http::request::Parts;
use northgate_core::app_id::AppId;
use northgate_core::application::Tag;

use super::Admin;
use super::problem::AdminProblem;

/// The states in which a change is wanted.
pub enum IfMatch {
    /// Any: there is no `If-Match`, or it is `*`.
    Any,
    /// One of these. Weak tags and those of other servers match nothing, so that they are left out.
    Tags(Vec<Tag>),
}

impl FromRequestParts<Arc<Admin>> for IfMatch {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<Admin>) -> Result<IfMatch, Infallible> {
        let values = parts.headers.get_all(IF_MATCH).iter();
        let values: Vec<&[u8]> = values.map(|value| value.as_bytes().trim_ascii()).collect();
        Ok(match values[..] {
            [] | [b"*"] => IfMatch::Any,
            _ => IfMatch::Tags(values.iter().flat_map(|value| tags(value)).collect()),
        })
    }
}

fn tags(value: &[u8]) -> Vec<Tag> {
    let listed = value.split(|byte| *byte == b',');
    let tag = |one: &[u8]| {
        let text = one.trim_ascii().strip_prefix(b"\"")?.strip_suffix(b"\"")?;
        Tag::parse(std::str::from_utf8(text).ok()?)
    };
    listed.filter_map(tag).collect()
}

impl IfMatch {
    /// The state that guards a change; `None` for any.
    pub fn guard(&self, admin: &Admin, id: &AppId) -> Result<Option<Tag>, AdminProblem> {
        let IfMatch::Tags(tags) = self else { return Ok(None) };
        let present = admin.auth.registry().find(id);
        let present = present.ok_or_else(|| AdminProblem::unknown_application(id.as_str()))?;
        let tag = tags.iter().find(|tag| **tag == present.tag());
        tag.map(|tag| Some(*tag)).ok_or_else(|| AdminProblem::stale(&present))
    }
}

#[cfg(test)]
mod tests {
    use northgate_core::application::AppNumber;

    use super::*;

    #[test]
    fn strong_tags_are_read_and_others_left_out() {
        let tag = |number, revision| Tag { number: AppNumber(number), revision };
        assert_eq!(tags(b"\"7-0\", W/\"7-1\",\"7-2\" , \"x\", 7-3, \"\""), [tag(7, 0), tag(7, 2)]);
    }
}
