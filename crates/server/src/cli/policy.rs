//! The flags of a policy: one for each field, named as in the configuration.

use clap::builder::{PossibleValuesParser, ValueParser};
use clap::{Arg, ArgMatches, Args, Command, Error, FromArgMatches};
use northgate_core::policy::{Field, Values};
use serde_json::Value as Json;

use crate::http::admin::policy::PolicyMembers;
use crate::policy_text;

/// The word that returns a field to the default of the configuration.
const DEFAULT: &str = "default";

/// The fields that were given, as members of the admin API.
#[derive(Clone, Debug, Default)]
pub struct PolicyFlags(PolicyMembers);

impl PolicyFlags {
    pub fn members(self) -> PolicyMembers {
        self.0
    }
}

fn help(field: Field) -> &'static str {
    match field {
        Field::Rotation => "Whether each refresh gives a new refresh token",
        Field::RetryWindow => {
            "How long the refresh token before the last one still gets the same answer again, such as 60s"
        }
        Field::OnReuse => {
            "What a used refresh token does after that: it is refused, or its grant is closed as well"
        }
        Field::Logins => "Whether a login ends the ones before it",
        Field::MaxGrants => "How many grants live at once",
        Field::AccessLifetime => "How long an access token is valid, such as 1h",
        Field::RefreshLifetime => "How long a refresh token is valid, such as 30d",
        Field::CallsPerMinute => {
            "Rate limit: logins, refreshes and logouts in a minute, and as many verified calls; 0 disables the limit"
        }
        Field::BindTokens => {
            "Whether OAuth binds an access token to any client certificate on the connection"
        }
        Field::AccessTokens => {
            "The form of access tokens that OAuth issues: opaque, or signed for gateways that verify offline"
        }
        Field::Dpop => {
            "When OAuth binds an access token to a key of the client (DPoP): never, with a proof, always"
        }
    }
}

/// Checks the value as the server does, so that the error names the flag.
fn parser(field: Field) -> ValueParser {
    match field.values() {
        Values::Words(words) => PossibleValuesParser::new(words.into_iter().chain([DEFAULT])).into(),
        Values::Counts(_) | Values::Durations(_) => ValueParser::new(move |text: &str| {
            let json = given(field, text);
            let is_good = json.is_null() || policy_text::read(field, &json).is_some();
            is_good
                .then(|| text.to_owned())
                .ok_or_else(|| format!("{}, or {DEFAULT}", policy_text::values(field)))
        }),
    }
}

/// A value of a flag as a member of the admin API.
fn given(field: Field, text: &str) -> Json {
    match field.values() {
        _ if text == DEFAULT => Json::Null,
        Values::Counts(_) => text.parse::<u32>().map_or_else(|_| Json::from(text), Json::from),
        Values::Words(_) | Values::Durations(_) => Json::from(text),
    }
}

fn value_name(field: Field) -> String {
    match field.values() {
        Values::Words(words) => words.join("|"),
        Values::Counts(_) => "COUNT".to_owned(),
        Values::Durations(_) => "TIME".to_owned(),
    }
}

impl Args for PolicyFlags {
    fn augment_args(command: Command) -> Command {
        let flag = |field: Field| {
            Arg::new(field.name())
                .long(policy_text::flag(field))
                .value_name(value_name(field))
                .value_parser(parser(field))
                .hide_possible_values(true)
                .help(help(field))
                .help_heading("Policy (\"default\" returns a field to the configuration)")
        };
        command.args(Field::ALL.map(flag))
    }

    fn augment_args_for_update(command: Command) -> Command {
        PolicyFlags::augment_args(command)
    }
}

impl FromArgMatches for PolicyFlags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<PolicyFlags, Error> {
        let mut members = PolicyMembers::default();
        for field in Field::ALL {
            if let Some(text) = matches.get_one::<String>(field.name()) {
                members.add(field, given(field, text));
            }
        }
        Ok(PolicyFlags(members))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        *self = PolicyFlags::from_arg_matches(matches)?;
        Ok(())
    }
}
