//! `northgate app list`: pages through the applications that the server finds.

use std::error::Error;

use clap::{Args, ValueEnum};
use hyper::Method;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::cli::client::Client;
use crate::cli::output::{self, Form};
use crate::http::admin::answer::{Line, Page};

/// Rows of one request: the most that the server gives.
const PAGE: usize = 1000;

#[derive(Args)]
pub struct List {
    /// Only applications with this part in their name
    #[arg(long, value_name = "PART")]
    name: Option<String>,
    /// Only applications with this part in their name or appId
    #[arg(long, value_name = "PART")]
    search: Option<String>,
    /// Only active or frozen applications
    #[arg(long)]
    state: Option<State>,
    /// Only applications of this owner
    #[arg(long)]
    owner: Option<String>,
    /// Only applications without an owner
    #[arg(long, conflicts_with = "owner")]
    no_owner: bool,
    /// Only applications that were not used since this time, such as 2026-01-31T12:00:00Z, or for so long, such as 90d
    #[arg(long, value_name = "TIME")]
    used_before: Option<String>,
    /// Only applications that were used at this time or later
    #[arg(long, value_name = "TIME")]
    used_after: Option<String>,
    /// Only applications with a live secret from before this time
    #[arg(long, value_name = "TIME")]
    secret_before: Option<String>,
    /// The order
    #[arg(long, default_value = "oldest")]
    sort: Sort,
}

#[derive(Clone, Copy, ValueEnum)]
enum State {
    Active,
    Frozen,
}

#[derive(Clone, Copy, ValueEnum)]
enum Sort {
    Newest,
    Oldest,
    Name,
    /// The last used first
    Used,
}

impl List {
    pub async fn run(self, client: &Client, form: Form) -> Result<(), Box<dyn Error>> {
        let applications = self.all(client).await?;
        if form == Form::Json {
            output::line(&serde_json::to_string(&Page { applications, next: None })?);
            return Ok(());
        }
        let row = |line: &Line| {
            vec![line.app_id.clone(), line.state.clone(), line.created_at.clone(), line.name.clone()]
        };
        let rows: Vec<Vec<String>> = applications.iter().map(row).collect();
        output::table(&["APPID", "STATE", "CREATED", "NAME"], &rows, "no applications");
        Ok(())
    }

    async fn all(&self, client: &Client) -> Result<Vec<Line>, Box<dyn Error>> {
        let (query, mut applications, mut after) = (self.query(), Vec::new(), String::new());
        loop {
            let path = format!("/admin/v1/applications?limit={PAGE}{query}{after}");
            let page: Page = serde_json::from_str(&client.request(Method::GET, &path).await?)?;
            applications.extend(page.applications);
            match page.next {
                Some(next) => after = member("after", &next),
                None => return Ok(applications),
            }
        }
    }

    fn query(&self) -> String {
        let state = self.state.map(word);
        let owner = if self.no_owner { Some("") } else { self.owner.as_deref() };
        let sort = word(self.sort);
        let members = [
            ("name", self.name.as_deref()),
            ("search", self.search.as_deref()),
            ("state", state.as_deref()),
            ("owner", owner),
            ("usedBefore", self.used_before.as_deref()),
            ("usedAfter", self.used_after.as_deref()),
            ("secretBefore", self.secret_before.as_deref()),
            ("sort", Some(sort.as_str())),
        ];
        members.into_iter().filter_map(|(name, value)| Some(member(name, value?))).collect()
    }
}

fn word(value: impl ValueEnum) -> String {
    value.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
}

fn member(name: &str, value: &str) -> String {
    format!("&{name}={}", utf8_percent_encode(value, NON_ALPHANUMERIC))
}
