//! All that the server ever answered, to hold it to its word.

use std::collections::HashMap;
use std::sync::Mutex;

use super::client::Pair;
use super::server::{Calls, Demo};

#[derive(Default)]
pub struct Chains {
    /// The one refresh token of each generation of each grant.
    refresh_tokens: Mutex<HashMap<String, String>>,
    /// Pairs of grants whose logout was answered.
    logged_out: Mutex<Vec<Pair>>,
}

impl Chains {
    /// Keeps a refresh token that was handed out; another one of the same generation is a fork.
    pub fn handed_out(&self, token: &str) {
        // Of the 64 characters these stand for the grant and its generation, and parts of its application's number and
        // of the time that stay the same.
        let generation = token[8..28].to_owned();
        let mut all = self.refresh_tokens.lock().unwrap();
        let first = all.entry(generation).or_insert_with(|| token.to_owned());
        assert_eq!(first, token, "the chain forked");
    }

    pub fn logged_out(&self, pair: Pair) {
        self.logged_out.lock().unwrap().push(pair);
    }

    /// Refresh tokens and logouts that were answered.
    pub fn counts(&self) -> (usize, usize) {
        (self.refresh_tokens.lock().unwrap().len(), self.logged_out.lock().unwrap().len())
    }

    /// Whatever was logged out stays so.
    pub async fn check_logouts(&self, calls: &Calls, demo: &Demo) {
        let pairs = std::mem::take(&mut *self.logged_out.lock().unwrap());
        for pair in &pairs {
            assert_eq!(calls.refresh(demo, &pair.refresh_token).await.unwrap().0, 400);
            assert_eq!(calls.verify(demo, &pair.access_token).await.unwrap(), 403);
        }
        *self.logged_out.lock().unwrap() = pairs;
    }
}
