//! The flags of a policy, named as in the configuration. The server says which values are good.

use clap::Args;

use crate::http::admin::policy::PolicyMembers;

#[derive(Args)]
#[command(next_help_heading = "Policy")]
pub struct PolicyFlags {
    /// Whether each refresh gives a new refresh token
    #[arg(long, value_name = "once|reusable", value_parser = ["once", "reusable"])]
    rotation: Option<String>,
    /// How long the refresh token before the last one still gets the same answer again, such as 60s
    #[arg(long, value_name = "TIME")]
    retry_window: Option<String>,
    /// What a used refresh token does after that: it is refused, or its grant is closed as well
    #[arg(long, value_name = "deny|close", value_parser = ["deny", "close"])]
    on_reuse: Option<String>,
    /// Whether a login ends the ones before it
    #[arg(long, value_name = "many|last-only", value_parser = ["many", "last-only"])]
    logins: Option<String>,
    /// How many grants live at once
    #[arg(long, value_name = "COUNT")]
    max_grants: Option<u32>,
    /// How long an access token is good, such as 1h
    #[arg(long, value_name = "TIME")]
    access_lifetime: Option<String>,
    /// How long a refresh token is good, such as 30d
    #[arg(long, value_name = "TIME")]
    refresh_lifetime: Option<String>,
    /// How many logins, refreshes and logouts in a minute, and how many calls verified; 0 is no limit
    #[arg(long, value_name = "COUNT")]
    calls_per_minute: Option<u32>,
    /// Whether OAuth binds an access token to any client certificate on the connection
    #[arg(long, value_name = "authenticated|presented", value_parser = ["authenticated", "presented"])]
    bind_tokens: Option<String>,
    /// What access tokens that OAuth issues look like: only Northgate can read them, or gateways can check them as well
    #[arg(
        long,
        value_name = "opaque|jwt-eddsa|jwt-es256",
        value_parser = ["opaque", "jwt-eddsa", "jwt-es256"]
    )]
    access_tokens: Option<String>,
    /// When OAuth binds an access token to a key that the application proves to have (DPoP): never, with a proof, always
    #[arg(long, value_name = "off|presented|required", value_parser = ["off", "presented", "required"])]
    dpop: Option<String>,
}

impl PolicyFlags {
    pub fn members(self) -> PolicyMembers {
        PolicyMembers {
            rotation: self.rotation,
            retry_window: self.retry_window,
            on_reuse: self.on_reuse,
            logins: self.logins,
            max_grants: self.max_grants,
            access_lifetime: self.access_lifetime,
            refresh_lifetime: self.refresh_lifetime,
            calls_per_minute: self.calls_per_minute,
            bind_tokens: self.bind_tokens,
            access_tokens: self.access_tokens,
            dpop: self.dpop,
        }
    }
}
