//! Path and query of a gateway's request: the style of the answer, and optionally the call.

use axum::http::Uri;

use crate::parse_bounds::MEMBERS_MAX;

/// The form of refusals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    /// The platform's documented errors. The call has to name its application in `app_key`.
    Platform,
    /// RFC 6750.
    OAuth,
}

/// A gateway's request by its path and query.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Question<'u> {
    pub style: Style,
    /// Path and query of the call, where the gateway put them here.
    pub target: Option<&'u str>,
}

/// Reason why the gateway's query is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum QuestionError {
    #[error("the gateway asks for a style other than platform or oauth, or for both")]
    Style,
    #[error("the gateway's query has more than {MEMBERS_MAX} parameters before the call's")]
    TooMany,
}

impl Question<'_> {
    /// Behind `/verify/` everything belongs to the call, its query too. In the query of `/verify` itself everything behind `uri=`
    /// does: the call's own `&style=` changes nothing.
    pub fn parse(uri: &Uri) -> Result<Question<'_>, QuestionError> {
        let asked = uri.path_and_query().map_or("", |asked| asked.as_str());
        let behind = asked.strip_prefix("/verify").unwrap_or_default();
        let (path, query) = behind.split_once('?').unwrap_or((behind, ""));
        if !matches!(path, "" | "/") {
            return Ok(Question { style: Style::Platform, target: Some(behind) });
        }
        let (mut style, mut target, mut rest) = (None, None, query);
        let mut count = 0;
        while !rest.is_empty() {
            if let Some(uri) = rest.strip_prefix("uri=") {
                target = Some(uri);
                break;
            }
            count += 1;
            if count > MEMBERS_MAX {
                return Err(QuestionError::TooMany);
            }
            let (parameter, behind) = rest.split_once('&').unwrap_or((rest, ""));
            if let Some(word) = parameter.strip_prefix("style=")
                && style.replace(Style::parse(word)?).is_some()
            {
                return Err(QuestionError::Style);
            }
            rest = behind;
        }
        Ok(Question { style: style.unwrap_or(Style::Platform), target })
    }
}

impl Style {
    fn parse(word: &str) -> Result<Style, QuestionError> {
        match word {
            "platform" => Ok(Style::Platform),
            "oauth" => Ok(Style::OAuth),
            _ => Err(QuestionError::Style),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asks(uri: &'static str, style: Style, target: Option<&str>) {
        let uri = Uri::from_static(uri);
        assert_eq!(Question::parse(&uri), Ok(Question { style, target }), "{uri}");
    }

    #[test]
    fn the_style_is_that_of_the_platform_unless_the_gateway_asks_for_another() {
        asks("/verify", Style::Platform, None);
        asks("/verify/?appId=owner", Style::Platform, None);
        asks("/verify?style=platform", Style::Platform, None);
        asks("/verify?a=b&style=oauth", Style::OAuth, None);
        for uri in ["/verify?style=", "/verify?style=OAUTH", "/verify?style=oauth&style=oauth"] {
            assert_eq!(Question::parse(&Uri::from_static(uri)), Err(QuestionError::Style), "{uri}");
        }
    }

    // A query was only as long as its line allowed: each of 32,000 parameters was looked at.
    #[test]
    fn more_than_32_parameters_of_the_gateway_are_refused_and_those_of_the_call_are_its_own() {
        let asks = |begin: &str, count: usize| {
            let uri: Uri = format!("/verify{begin}{}", "a=b&".repeat(count)).parse().expect("a URI");
            Question::parse(&uri).map(|question| question.style)
        };
        assert_eq!(asks("?", 32), Ok(Style::Platform));
        assert_eq!(asks("?", 33), Err(QuestionError::TooMany));
        assert_eq!(asks("?style=oauth&", 32), Err(QuestionError::TooMany));
        assert_eq!(asks("?style=oauth&uri=/a?", 5_000), Ok(Style::OAuth));
        assert_eq!(asks("/a?", 5_000), Ok(Style::Platform));
    }

    #[test]
    fn what_belongs_to_the_call_chooses_no_style() {
        asks("/verify/iocm/a?style=oauth", Style::Platform, Some("/iocm/a?style=oauth"));
        asks("/verify?uri=/iocm/a?b&style=oauth", Style::Platform, Some("/iocm/a?b&style=oauth"));
        asks("/verify?style=oauth&uri=/a?uri=/b&style=x", Style::OAuth, Some("/a?uri=/b&style=x"));
    }
}
