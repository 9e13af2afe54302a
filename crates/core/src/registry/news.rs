//! News for followers of the feed: the present state of each subject that changed since a cursor.

use std::collections::BTreeSet;

use super::Registry;
use crate::feed::{Cursor, News, Subject};
use crate::grant::GrantKey;

impl Registry {
    /// The changes since `cursor`; a snapshot without a cursor, or with one that the log does not reach back to.
    pub fn news(&self, cursor: Option<Cursor>) -> News {
        match cursor.and_then(|cursor| self.feed().since(cursor)) {
            Some((cursor, subjects)) => self.changes(cursor, &subjects),
            None => self.everything(),
        }
    }

    fn changes(&self, cursor: Cursor, subjects: &BTreeSet<Subject>) -> News {
        let mut news = News { cursor, is_whole: false, applications: Vec::new(), revocations: Vec::new() };
        for subject in subjects {
            match *subject {
                Subject::Application(number) => {
                    news.applications.push((number, self.application(number)));
                }
                Subject::Grant(grant) => {
                    news.revocations.extend(self.revocation(grant).map(|revocation| (grant, revocation)));
                }
            }
        }
        news
    }

    fn everything(&self) -> News {
        // The cursor first and the state second: a change in between is in the news after that cursor as well.
        let cursor = self.feed().cursor();
        let applications = self.all();
        let revocations = applications.iter().flat_map(|application| {
            let of_it = |(id, revocation)| (GrantKey { application: application.number, id }, revocation);
            self.revocations_of(application.number).into_iter().map(of_it)
        });
        let revocations = revocations.collect();
        let applications = applications.into_iter().map(|one| (one.number, Some(one))).collect();
        News { cursor, is_whole: true, applications, revocations }
    }
}
