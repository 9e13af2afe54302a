//! The parts of Markdown that checks ask for: prose without code, links, and the anchors of headings.

use std::collections::HashMap;

/// The lines of a page that are not in a fence.
pub fn prose(page: &str) -> Vec<&str> {
    let mut fenced = false;
    let outside = |line: &&str| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        !fenced && !fence
    };
    page.lines().filter(outside).collect()
}

/// The line without its `code`.
pub fn without_code(line: &str) -> String {
    line.split('`').step_by(2).collect()
}

/// The targets of the links in a line: `](target)`.
pub fn targets(line: &str) -> Vec<String> {
    let line = without_code(line);
    let links = line.split("](").skip(1);
    links.filter_map(|rest| rest.split_once(')')).map(|(target, _)| target.to_owned()).collect()
}

/// The anchors that the repository's web view and mdBook give to the headings of a page.
pub fn anchors(page: &str) -> Vec<String> {
    let mut seen: HashMap<String, usize> = HashMap::new();
    let headings = prose(page).into_iter().filter_map(|line| {
        let text = line.trim_start_matches('#');
        (text.len() < line.len() && text.starts_with(' ')).then(|| slug(text.trim()))
    });
    let numbered = headings.map(|slug| {
        let before = seen.entry(slug.clone()).or_default();
        *before += 1;
        if *before == 1 { slug } else { format!("{slug}-{}", *before - 1) }
    });
    numbered.collect()
}

fn slug(heading: &str) -> String {
    let kept = heading.chars().filter(|&c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c.to_ascii_lowercase() }).collect()
}

#[test]
fn an_anchor_is_made_as_the_web_view_makes_it() {
    let page = "# A `code`, and more\n```sh\n# no heading\n```\n## Twice\n## Twice\n#no heading\n";
    assert_eq!(anchors(page), ["a-code-and-more", "twice", "twice-1"]);
}

#[test]
fn a_link_in_code_is_no_link() {
    assert_eq!(targets("see [a](x.md#y), `[b](z.md)` and [c](u.md)"), ["x.md#y", "u.md"]);
}
