//! Sessions of the console: a random token in a cookie, and its digest in memory. A restart ends them.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_lc_rs::{constant_time, digest};
use northgate_core::clock::Timestamp;
use northgate_core::secret::SecretText;
use northgate_core::throttle::Bucket;

/// The most sessions; the one that was used longest ago gives way.
const SESSIONS: usize = 256;

/// A session ends this long after its last request, and after this long in any case.
const IDLE: Duration = Duration::from_secs(30 * 60);
const LONGEST: Duration = Duration::from_secs(12 * 60 * 60);

/// Wrong tokens per minute, on this node: more than a person mistypes, and few enough to read in the log.
const WRONG_SIGN_INS_PER_MINUTE: u32 = 10;

/// All sessions of this node.
#[derive(Default)]
pub struct Sessions {
    open: Mutex<Vec<Session>>,
    wrong_sign_ins: Bucket,
}

struct Session {
    digest: digest::Digest,
    csrf: String,
    began_at: Timestamp,
    used_at: Timestamp,
}

/// A new session: the token for the cookie.
pub struct Opened {
    pub token: SecretText,
}

impl Sessions {
    /// Opens a session.
    pub fn open(&self, now: Timestamp) -> Opened {
        let (token, csrf) = (SecretText::random(), SecretText::random().reveal().to_owned());
        let session = Session { digest: digest_of(token.reveal()), csrf, began_at: now, used_at: now };
        let mut all = self.all();
        all.retain(|session| session.is_open(now));
        if all.len() >= SESSIONS
            && let Some(oldest) = (0..all.len()).min_by_key(|index| all[*index].used_at)
        {
            all.swap_remove(oldest);
        }
        all.push(session);
        Opened { token }
    }

    /// The CSRF token of an open session, which this request uses.
    pub fn csrf(&self, token: &str, now: Timestamp) -> Option<String> {
        let digest = digest_of(token);
        let mut all = self.all();
        let session = all.iter_mut().find(|session| session.is(&digest) && session.is_open(now))?;
        session.used_at = now;
        Some(session.csrf.clone())
    }

    /// Counts a wrong token, or returns the wait until the next one is counted. A right token never waits: others must not be
    /// able to lock the operator out.
    pub fn wrong_sign_in(&self, now: Timestamp) -> Result<(), Duration> {
        self.wrong_sign_ins.take(WRONG_SIGN_INS_PER_MINUTE, now)
    }

    /// Ends a session.
    pub fn close(&self, token: &str) {
        let digest = digest_of(token);
        self.all().retain(|session| !session.is(&digest));
    }

    fn all(&self) -> MutexGuard<'_, Vec<Session>> {
        // A panic leaves the sessions whole.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Session {
    fn is(&self, digest: &digest::Digest) -> bool {
        constant_time::verify_slices_are_equal(self.digest.as_ref(), digest.as_ref()).is_ok()
    }

    fn is_open(&self, now: Timestamp) -> bool {
        now.since(self.used_at) < IDLE && now.since(self.began_at) < LONGEST
    }
}

fn digest_of(token: &str) -> digest::Digest {
    digest::digest(&digest::SHA256, token.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEGIN: Timestamp = Timestamp::from_millis(1_700_000_000_000);

    #[test]
    fn a_session_ends_30_minutes_after_its_last_use_and_12_hours_after_its_beginning() {
        let sessions = Sessions::default();
        let opened = sessions.open(BEGIN);
        let token = opened.token.reveal();
        assert!(sessions.csrf(token, BEGIN.plus(IDLE - Duration::from_secs(1))).is_some());
        assert!(sessions.csrf(token, BEGIN.plus(2 * IDLE - Duration::from_secs(2))).is_some());
        assert!(sessions.csrf(token, BEGIN.plus(3 * IDLE)).is_none());
        let opened = sessions.open(BEGIN);
        for minutes in (0..720).step_by(29) {
            assert!(
                sessions.csrf(opened.token.reveal(), BEGIN.plus(Duration::from_secs(60 * minutes))).is_some()
            );
        }
        assert!(sessions.csrf(opened.token.reveal(), BEGIN.plus(LONGEST)).is_none());
    }

    #[test]
    fn a_session_that_is_closed_or_gave_way_is_over() {
        let sessions = Sessions::default();
        let (first, second) = (sessions.open(BEGIN), sessions.open(BEGIN.plus(Duration::from_secs(1))));
        sessions.close(second.token.reveal());
        assert!(sessions.csrf(second.token.reveal(), BEGIN).is_none());
        assert!(sessions.csrf(first.token.reveal(), BEGIN).is_some());
        for _ in 0..SESSIONS {
            sessions.open(BEGIN.plus(Duration::from_secs(2)));
        }
        assert!(sessions.csrf(first.token.reveal(), BEGIN).is_none());
        assert_eq!(sessions.all().len(), SESSIONS);
    }
}
