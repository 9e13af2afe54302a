//! Refresh: trades a refresh token for the next pair. Idempotent within the retry window, so that a client may repeat it.
//!
//! | presented generation | meaning | answer |
//! |---|---|---|
//! | = record | normal | the next generation, durable before the answer |
//! | = record − 1, inside the retry window | our answer was lost, or two workers raced | the same successor again |
//! | older | reuse | refused; by policy the grant is closed |
//! | > record | the record went back in time (a restored backup, a failover) | accepted; the record catches up |

#[cfg(test)]
mod model;

use crate::admit::{AdmissionError, Caller};
use crate::application::Application;
use crate::auth::Auth;
use crate::clock::{CLOCK_SKEW, Timestamp};
use crate::grant::{Grant, GrantKey};
use crate::issue::Pair;
use crate::key_id::KeyId;
use crate::policy::{OnReuse, Policy, Rotation};
use crate::possession::PossessionError;
use crate::store::{Advanced, Closing, Step, StoreError};
use crate::token::{Claims, Kind, TokenError};

/// A successful refresh.
pub struct Refresh {
    pub pair: Pair,
    pub grant: GrantKey,
    pub how: How,
}

/// The effect of a refresh on the grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// The grant advanced by one generation.
    Advanced,
    /// The grant had advanced before; the answer was repeated.
    Replayed,
    /// The record was behind the token and has caught up.
    CaughtUp { from: u32, to: u32 },
    /// None: the policy makes refresh tokens reusable.
    Kept,
}

/// Reason why a refresh did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum RefreshError {
    #[error(transparent)]
    Admission(#[from] AdmissionError),
    #[error(transparent)]
    Possession(#[from] PossessionError),
    #[error("the refresh token is invalid")]
    Refused(#[source] Refusal),
    #[error("could not advance the grant")]
    Store(#[source] StoreError),
}

/// Fault of a refresh token, for the log: the client learns only that the token is invalid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("{0}")]
    Token(TokenError),
    #[error("it is an access token")]
    WrongKind,
    #[error("it belongs to another application")]
    NotYours,
    #[error("it has expired")]
    Expired,
    #[error("its grant was closed or gave way to a newer one, or all tokens of its application were revoked")]
    Closed,
    /// It was used before.
    #[error("it is of generation {presented}, and grant {} is in {current}", .grant.id)]
    Reused { grant: GrantKey, presented: u32, current: u32, closed: bool },
}

impl Auth {
    /// Trades a refresh token for the next pair (API: Application Access Security, Refreshing a Token).
    pub async fn refresh(
        &self,
        caller: &Caller<'_>,
        refresh_token: &str,
        now: Timestamp,
    ) -> Result<Refresh, RefreshError> {
        let (application, policy) = self.admit(caller, now).await?;
        let (key, presented) =
            self.presented(&application, refresh_token, now).map_err(RefreshError::Refused)?;
        let binding = self.bind(caller, &application, &policy, now)?;
        let (grant, how) = self.step(&application, &presented, &policy, now).await?;
        application.calls.activity.refreshed(grant.expires_at);
        // A token that states the present record, under the key of that record, is the refresh token: minting it again would give
        // the same bytes.
        let is_current = presented.record() == grant && key == self.keyring().current_id(grant.refreshed_at);
        let refresh_token = if is_current {
            refresh_token.to_owned()
        } else {
            self.refresh_token(application.number, &grant)
        };
        let pair = self.pair(&application, &grant, refresh_token, binding, &policy, now);
        Ok(Refresh { pair, grant: presented.grant, how })
    }

    /// The claims and the key of an unexpired refresh token of the client.
    fn presented(
        &self,
        application: &Application,
        token: &str,
        now: Timestamp,
    ) -> Result<(KeyId, Claims), Refusal> {
        let (key, claims) = Claims::authenticate_with_key(token, &self.keyring()).map_err(Refusal::Token)?;
        if claims.kind != Kind::Refresh {
            return Err(Refusal::WrongKind);
        }
        if claims.grant.application != application.number {
            return Err(Refusal::NotYours);
        }
        if now >= claims.expires_at {
            return Err(Refusal::Expired);
        }
        if application.has_revoked(claims.issued_at) {
            return Err(Refusal::Closed);
        }
        Ok((key, claims))
    }

    /// Decides on the grant's state, and again after each lost race: every loss means that the grant has advanced, so that the
    /// loop ends.
    ///
    /// A token states the grant's record at the time of issue, which mostly still holds. So the first step relies on it: the
    /// guard is on the generation, and the next state depends on the generation alone. The record itself is read only to answer
    /// without a step, and where a clock that was ahead made the token: an operator may have corrected the record.
    async fn step(
        &self,
        application: &Application,
        presented: &Claims,
        policy: &Policy,
        now: Timestamp,
    ) -> Result<(Grant, How), RefreshError> {
        let refreshed_at = application.issues_at(now);
        let is_ahead = presented.issued_at.is_ahead_of(refreshed_at);
        let mut record = match (policy.rotation, is_ahead) {
            (Rotation::Once, false) => Some(presented.record()),
            (Rotation::Once, true) | (Rotation::Reusable, _) => {
                self.store.grant(presented.grant).await.map_err(RefreshError::Store)?
            }
        };
        loop {
            let Some(current) = record else { return Err(RefreshError::Refused(Refusal::Closed)) };
            if is_ahead && !current.is_live(now) {
                return Err(RefreshError::Refused(Refusal::Expired));
            }
            let (to, how) = match decide(presented.generation, &current, policy, refreshed_at, now) {
                Decision::Answer(how) => return Ok((current, how)),
                Decision::Advance(to, how) => (to, how),
                Decision::Refuse => {
                    return Err(self.reused(application, presented, &current, policy, now).await);
                }
            };
            let step = Step { application: application.number, from: current.generation, to };
            match self.store.advance(step).await.map_err(RefreshError::Store)? {
                Advanced::Advanced => return Ok((to, how)),
                Advanced::Lost(present) => record = present,
            }
        }
    }

    async fn reused(
        &self,
        application: &Application,
        presented: &Claims,
        current: &Grant,
        policy: &Policy,
        now: Timestamp,
    ) -> RefreshError {
        application.calls.activity.reused(now);
        let closed = policy.on_reuse == OnReuse::Close;
        if closed {
            let closing = Closing { grant: presented.grant, revocation: self.ended(policy, now) };
            if let Err(error) = self.store.close(closing).await {
                return RefreshError::Store(error);
            }
        }
        let (grant, presented, current) = (presented.grant, presented.generation, current.generation);
        RefreshError::Refused(Refusal::Reused { grant, presented, current, closed })
    }
}

/// The decision about a refresh token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Decision {
    /// Advance the grant to this state and answer from there.
    Advance(Grant, How),
    /// Answer from the present state.
    Answer(How),
    Refuse,
}

/// Whether a refresh with a token of this generation would be answered.
pub(crate) fn is_answered(presented: u32, record: &Grant, policy: &Policy, now: Timestamp) -> bool {
    decide(presented, record, policy, now, now) != Decision::Refuse
}

/// Decides from the record alone. `refreshed_at` is the time that the grant gets if it advances: `now`, or a not-before that lies
/// ahead.
fn decide(
    presented: u32,
    record: &Grant,
    policy: &Policy,
    refreshed_at: Timestamp,
    now: Timestamp,
) -> Decision {
    let next = Grant {
        generation: presented.saturating_add(1),
        refreshed_at,
        expires_at: now.plus(policy.refresh_lifetime),
        ..*record
    };
    if presented > record.generation {
        return Decision::Advance(next, How::CaughtUp { from: record.generation, to: next.generation });
    }
    if presented == record.generation {
        return match policy.rotation {
            Rotation::Once => Decision::Advance(next, How::Advanced),
            Rotation::Reusable => Decision::Answer(How::Kept),
        };
    }
    // Only the direct predecessor, and only until its successor was used: then it is two generations behind.
    if presented + 1 == record.generation && is_retry(record, policy, now) {
        return Decision::Answer(How::Replayed);
    }
    Decision::Refuse
}

/// Whether the last refresh is within the retry window; a node's clock skew shortens it by nothing.
fn is_retry(record: &Grant, policy: &Policy, now: Timestamp) -> bool {
    // Under a not-before that lies ahead, only the expiry of the grant shows when it was refreshed.
    let by_its_end = record.expires_at.minus(policy.refresh_lifetime);
    let is_ahead = record.refreshed_at.is_ahead_of(now);
    let refreshed_at = if is_ahead { record.refreshed_at.min(by_its_end) } else { record.refreshed_at };
    !policy.retry_window.is_zero() && now.since(refreshed_at) < policy.retry_window + CLOCK_SKEW
}
