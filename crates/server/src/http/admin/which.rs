//! Query of `GET /admin/v1/applications`: filter and page.

use percent_encoding::percent_decode_str;

use super::problem::AdminProblem;
use crate::parse_bounds::check_parameters;

/// The default size of a page, and the largest.
const PAGE: usize = 100;
const LARGEST_PAGE: usize = 1000;

/// A page of the list.
#[derive(Debug, PartialEq)]
pub struct Which {
    /// The number of the last application of the previous page.
    pub after: Option<u32>,
    pub limit: usize,
    /// A part of the name, in any case.
    pub name: String,
}

impl Which {
    pub fn parse(query: &str) -> Result<Which, AdminProblem> {
        let mut which = Which { after: None, limit: PAGE, name: String::new() };
        check_parameters(query).map_err(|error| AdminProblem::invalid(error.to_string()))?;
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (member, value) = pair.split_once('=').unwrap_or((pair, ""));
            let refused = |what: &str| AdminProblem::invalid(format!("{member} in the query is {what}"));
            let value = percent_decode_str(value).decode_utf8().map_err(|_| refused("not UTF-8"))?;
            match member {
                "after" => which.after = Some(value.parse().map_err(|_| refused("no number"))?),
                "limit" => which.limit = value.parse().map_err(|_| refused("no number"))?,
                "name" => which.name = value.into_owned(),
                _ => return Err(refused("not known; there are after, limit and name")),
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
    fn a_page_has_100_applications_unless_asked_and_never_more_than_1000() {
        assert_eq!(Which::parse("").expect("good").limit, 100);
        assert_eq!(Which::parse("limit=5000").expect("good").limit, 1000);
        assert_eq!(Which::parse("limit=0").expect("good").limit, 1);
    }

    #[test]
    fn a_query_is_decoded_and_every_member_of_it_known() {
        let which = Which { after: Some(7), limit: 2, name: "a b&".to_owned() };
        assert_eq!(Which::parse("after=7&limit=2&name=a%20b%26").expect("good"), which);
        for query in ["page=2", "after=x", "limit", "name=%ff", &"limit=1&".repeat(33)] {
            assert!(Which::parse(query).is_err(), "{query}");
        }
    }
}
