//! Checks of the arguments before they are parsed: whether the command is `serve`, and that no argument has a blank at its ends
//! or an invisible character.

use std::ffi::OsString;

use crate::blanks;

/// The flags with a value that may stand before the command.
const BEFORE_THE_COMMAND: [&str; 7] =
    ["--config", "--data-dir", "--admin-listen", "--server", "--ca", "--token-file", "--output"];

/// Whether the command is `serve`. Parsing takes milliseconds in which a signal would end the process.
pub fn is_serve(mut arguments: impl Iterator<Item = OsString>) -> bool {
    while let Some(argument) = arguments.next() {
        if BEFORE_THE_COMMAND.iter().any(|flag| argument == *flag) {
            arguments.next();
        } else if !argument.as_encoded_bytes().starts_with(b"-") {
            return argument == "serve";
        }
    }
    false
}

/// Whether errors are to be JSON; asked before the arguments are parsed, which may be what fails.
pub fn is_json_asked_for(arguments: impl Iterator<Item = OsString>) -> bool {
    let mut before = OsString::new();
    for argument in arguments {
        if argument == "--json" || argument == "--output=json" || before == "--output" && argument == "json" {
            return true;
        }
        before = argument;
    }
    false
}

/// Names the first bad argument. The value of a flag is not repeated: it may hold a password.
pub fn check(arguments: impl Iterator<Item = OsString>) -> Result<(), String> {
    let mut flag = None;
    for argument in arguments {
        // An argument that is not UTF-8 can only be a path.
        let Some(text) = argument.to_str() else { continue };
        let (named, value) = match text.split_once('=').filter(|_| text.starts_with("--")) {
            Some((flag, value)) => (Some(flag.to_owned()), value),
            None => (flag.take(), text),
        };
        if let Err(blank) = blanks::check(value) {
            let place = named.map_or(format!("the argument {text:?}"), |flag| format!("the value of {flag}"));
            return Err(format!("{place}: write it without {blank}"));
        }
        flag = text.starts_with("--").then(|| text.to_owned()).filter(|flag| !flag.contains('='));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaint(arguments: &[&str]) -> Option<String> {
        check(arguments.iter().map(OsString::from)).err()
    }

    #[test]
    fn an_argument_with_a_blank_at_its_end_is_named_and_a_flags_value_is_not_repeated() {
        let url = ["serve", "--database-url", "postgres://n:hunter2@h/n\n"];
        let expected = "the value of --database-url: write it without the line break at its end";
        assert_eq!(complaint(&url).as_deref(), Some(expected));
        let expected = "the value of --listen: write it without the space at its beginning";
        assert_eq!(complaint(&["serve", "--listen= 127.0.0.1:1"]).as_deref(), Some(expected));
        let expected = "the argument \"copy.db \": write it without the space at its end";
        assert_eq!(complaint(&["backup", "copy.db "]).as_deref(), Some(expected));
        let expected = "the argument \"c\\u{200b}d\": write it without the invisible character U+200B inside";
        assert_eq!(complaint(&["app", "create", "--json", "n", "c\u{200b}d"]).as_deref(), Some(expected));
    }

    #[test]
    fn the_command_is_found_behind_the_flags_that_may_stand_before_it() {
        let is_serve = |line: &str| is_serve(line.split(' ').map(OsString::from));
        for line in ["serve", "--data-dir d serve --dev", "--config=c --admin-listen 127.0.0.1:1 serve"] {
            assert!(is_serve(line), "{line}");
        }
        for line in ["app create serve", "--data-dir serve app list", "--help", "--config serve"] {
            assert!(!is_serve(line), "{line}");
        }
    }

    #[test]
    fn json_is_asked_for_in_three_ways() {
        let is_asked = |line: &str| is_json_asked_for(line.split(' ').map(OsString::from));
        for line in ["app list --json", "--output=json app", "app --output json"] {
            assert!(is_asked(line), "{line}");
        }
        assert!(!is_asked("app create json --output text"));
    }

    #[test]
    fn spaces_inside_and_empty_arguments_are_for_the_command_to_judge() {
        assert_eq!(complaint(&["app", "create", "Water meters", "--label", "", "--name=a = b"]), None);
    }
}
