//! Prometheus' text format 0.0.4, converted from OpenMetrics: many scrapers and tools read only this one.

/// The same metrics in the text format: counters and infos are named with their suffix, and units and the end have no line.
pub fn from_open_metrics(text: &str) -> String {
    let mut converted = String::with_capacity(text.len() + 1024);
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        // HELP comes before TYPE, which says how the metric is named.
        match line.strip_prefix("# HELP ").and_then(|help| help.split_once(' ')) {
            Some((name, help)) => {
                let kind = lines.peek().and_then(|next| next.strip_prefix("# TYPE ")).unwrap_or_default();
                let (named, kind) = typed(name, kind.rsplit(' ').next().unwrap_or_default());
                converted.push_str(&format!("# HELP {named} {help}\n# TYPE {named} {kind}\n"));
                lines.next();
            }
            None if line.starts_with("# UNIT ") || line == "# EOF" => {}
            None => {
                converted.push_str(line);
                converted.push('\n');
            }
        }
    }
    converted
}

/// The name and the type of a metric in the text format.
fn typed<'k>(name: &str, kind: &'k str) -> (String, &'k str) {
    match kind {
        "counter" => (format!("{name}_total"), kind),
        "info" => (format!("{name}_info"), "gauge"),
        _ => (name.to_owned(), kind),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_and_infos_have_their_suffix_and_units_have_no_line() {
        let open_metrics = "# HELP a Things.\n# TYPE a counter\na_total{b=\"c\"} 1\n# HELP d_seconds Time.\n\
                            # TYPE d_seconds gauge\n# UNIT d_seconds seconds\nd_seconds 0.5\n# HELP e Build.\n\
                            # TYPE e info\ne_info{version=\"1\"} 1\n# EOF\n";
        let text = "# HELP a_total Things.\n# TYPE a_total counter\na_total{b=\"c\"} 1\n# HELP d_seconds Time.\n\
                    # TYPE d_seconds gauge\nd_seconds 0.5\n# HELP e_info Build.\n# TYPE e_info gauge\n\
                    e_info{version=\"1\"} 1\n";
        assert_eq!(from_open_metrics(open_metrics), text);
    }
}
