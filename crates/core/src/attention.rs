//! Attention: what an operator should know about an application before its programmer calls.
//!
//! Pure functions over the application's record and its [`Activity`](crate::activity::Activity) on this node.

use std::sync::Arc;
use std::time::Duration;

use crate::activity::Logins;
use crate::application::{AppNumber, Application};
use crate::auth::Auth;
use crate::clock::Timestamp;
use crate::policy::Policy;
use crate::secret::{Secret, SecretId};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const WEEK: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// How long before its end a secret or a certificate is reported: certificates take days to order.
const ENDING: Duration = Duration::from_secs(14 * 24 * 60 * 60);

/// Without a login or refresh for this time, an application counts as unused.
const UNUSED: Duration = Duration::from_secs(90 * 24 * 60 * 60);

/// Logins in a row that are a habit. Fewer may be the workers of one program that start together.
const HABIT: u32 = 10;

/// The shortest time of a habit: workers that start together log in within a few minutes.
const HABIT_LASTS: Duration = Duration::from_secs(10 * 60);

/// Logins in a row, each at the end of a token, that show that a program does not refresh.
const NO_REFRESH: u32 = 3;

/// The kinds of findings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// It still presents a secret that a newer one was made to replace.
    OldSecret,
    /// It presents a secret that retires soon.
    SecretEnding,
    /// Its client certificate expires soon.
    CertificateEnding,
    /// Its refresh token expires soon and was not refreshed.
    TokenEnding,
    /// It logs in far more often than its access tokens expire, and does not refresh.
    LoginEachCall,
    /// It logs in again whenever its access token has expired.
    NeverRefreshes,
    /// It presents refresh tokens that it has used before.
    ReusedToken,
    /// It exceeds its rate limit.
    Throttled,
    /// It was not used for 90 days.
    Unused,
}

impl Kind {
    /// In the order of the enum, so that `kind as usize` is an index.
    pub const ALL: [Kind; 9] = [
        Kind::OldSecret,
        Kind::SecretEnding,
        Kind::CertificateEnding,
        Kind::TokenEnding,
        Kind::LoginEachCall,
        Kind::NeverRefreshes,
        Kind::ReusedToken,
        Kind::Throttled,
        Kind::Unused,
    ];

    /// The word in answers and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::OldSecret => "old-secret",
            Kind::SecretEnding => "secret-ending",
            Kind::CertificateEnding => "certificate-ending",
            Kind::TokenEnding => "token-ending",
            Kind::LoginEachCall => "login-each-call",
            Kind::NeverRefreshes => "never-refreshes",
            Kind::ReusedToken => "reused-token",
            Kind::Throttled => "throttled",
            Kind::Unused => "unused",
        }
    }

    /// Parses the word.
    pub fn parse(word: &str) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| kind.as_str() == word)
    }
}

/// A finding about an application.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Finding {
    pub kind: Kind,
    /// The last event; for what ends, its end; for an unused application, its last use.
    pub at: Timestamp,
    /// The number of events; 1 where there is nothing to count.
    pub count: u32,
    /// The secret that the finding is about.
    pub secret: Option<SecretId>,
}

impl Finding {
    fn new(kind: Kind, at: Timestamp) -> Finding {
        Finding { kind, at, count: 1, secret: None }
    }
}

/// Findings of several applications.
pub struct Findings {
    pub found: Vec<(Arc<Application>, Finding)>,
    /// The last application of the page, if there are more.
    pub next: Option<AppNumber>,
}

impl Auth {
    /// The findings about one application.
    pub fn findings(&self, application: &Application, now: Timestamp) -> Vec<Finding> {
        findings(application, &self.policy(application), now)
    }

    /// A page of findings, in the order of the applications' numbers: those of whole applications, until there are `limit`.
    pub fn attention(
        &self,
        kind: Option<Kind>,
        after: Option<AppNumber>,
        limit: usize,
        now: Timestamp,
    ) -> Findings {
        let (mut found, mut last) = (Vec::new(), None);
        let all = self.registry().all();
        for application in all.into_iter().filter(|one| after.is_none_or(|after| one.number > after)) {
            let mut of_it = self.findings(&application, now);
            of_it.retain(|finding| kind.is_none_or(|kind| finding.kind == kind));
            if of_it.is_empty() {
                continue;
            }
            if found.len() >= limit {
                return Findings { found, next: last };
            }
            last = Some(application.number);
            found.extend(of_it.into_iter().map(|finding| (Arc::clone(&application), finding)));
        }
        Findings { found, next: None }
    }

    /// The number of findings of each kind, by the index of the kind.
    pub fn attention_counts(&self, now: Timestamp) -> [u64; Kind::ALL.len()] {
        let mut counts = [0; Kind::ALL.len()];
        for application in self.registry().all() {
            for finding in self.findings(&application, now) {
                counts[finding.kind as usize] += 1;
            }
        }
        counts
    }
}

/// Everything to know about one application. A frozen one was looked at already.
fn findings(application: &Application, policy: &Policy, now: Timestamp) -> Vec<Finding> {
    if application.is_frozen() {
        return Vec::new();
    }
    let activity = &application.calls.activity;
    let is_recent = |at: Timestamp, within: Duration| now.since(at) < within;
    let mut found: Vec<Finding> =
        application.secrets.iter().filter_map(|s| secret(application, s, now)).collect();
    let certificate_ends = activity.certificate_ends().filter(|ends| ends.since(now) < ENDING);
    found.extend(certificate_ends.map(|ends| Finding::new(Kind::CertificateEnding, ends)));
    let warning = (policy.refresh_lifetime / 10).min(WEEK);
    let token_ends = activity.token_ends().filter(|ends| *ends > now && ends.since(now) < warning);
    found.extend(token_ends.map(|ends| Finding::new(Kind::TokenEnding, ends)));
    found.extend(
        activity
            .logins()
            .filter(|logins| is_recent(logins.last, WEEK))
            .and_then(|logins| habit(&logins, policy)),
    );
    let events =
        [(Kind::ReusedToken, activity.reuses(), WEEK), (Kind::Throttled, activity.throttlings(), DAY)];
    for (kind, events, within) in events {
        if let Some((count, at)) = events.filter(|(_, at)| is_recent(*at, within)) {
            found.push(Finding { count, ..Finding::new(kind, at) });
        }
    }
    found.extend(unused(application, now).map(|at| Finding::new(Kind::Unused, at)));
    found
}

/// A secret that is in use and retires soon, or that a newer one was made to replace more than a day ago.
fn secret(application: &Application, secret: &Secret, now: Timestamp) -> Option<Finding> {
    let used_at = secret.last_used_at().filter(|at| secret.is_live(now) && now.since(*at) < WEEK)?;
    let (id, kept_on) = (Some(secret.id), |newer: &Secret| used_at.since(newer.created_at) >= DAY);
    if let Some(ends) = secret.retire_at.filter(|ends| ends.since(now) < ENDING) {
        return Some(Finding { secret: id, ..Finding::new(Kind::SecretEnding, ends) });
    }
    let mut newer = application.secrets.iter().filter(|other| other.id > secret.id && other.is_live(now));
    let is_replaced = newer.any(|newer| kept_on(newer));
    is_replaced.then_some(Finding { secret: id, ..Finding::new(Kind::OldSecret, used_at) })
}

/// Logins in place of refreshes. Intervals beyond the refresh token's lifetime leave nothing to refresh.
fn habit(logins: &Logins, policy: &Policy) -> Option<Finding> {
    let lasted = logins.last.since(logins.first);
    let interval = lasted / logins.count.saturating_sub(1).max(1);
    let kind = match interval {
        _ if logins.count < NO_REFRESH || interval >= policy.refresh_lifetime => return None,
        _ if interval >= policy.access_lifetime / 2 => Kind::NeverRefreshes,
        _ if logins.count >= HABIT && lasted >= HABIT_LASTS => Kind::LoginEachCall,
        _ => return None,
    };
    Some(Finding { count: logins.count, ..Finding::new(kind, logins.last) })
}

/// The last use of an application that was not used for 90 days. The use of credentials is not stored.
fn unused(application: &Application, now: Timestamp) -> Option<Timestamp> {
    if !application.credentials.is_empty() {
        return None;
    }
    let uses = application.secrets.iter().filter_map(|secret| secret.last_used_at());
    let changes = application.secrets.iter().map(|secret| secret.created_at);
    let last = uses.chain(changes).fold(application.created_at, Timestamp::max);
    (now.since(last) >= UNUSED).then_some(last)
}

#[cfg(test)]
mod tests;
