//! Single-use identifiers (`jti`) in memory and as rows: the replay cache of client assertions. One bucket for each minute of
//! expiry, so that forgetting drops a bucket.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use northgate_core::application::AppNumber;
use northgate_core::clock::Timestamp;
use northgate_core::store::SingleUse;
use rusqlite::{Connection, Row, params};

use super::load::{OpenError, number_in};

/// How long the clock must not have jumped forward before a bucket counts as expired. Longer than the validity of any single-use
/// identifier.
const STEADY: Duration = Duration::from_secs(600);

const MINUTE_MS: u64 = 60_000;

type Digest = [u8; 16];

/// The recorded identifiers.
#[derive(Default)]
pub(crate) struct SingleUses(Mutex<Buckets>);

#[derive(Default)]
pub(crate) struct Buckets {
    by_minute: BTreeMap<u64, HashMap<AppNumber, HashSet<Digest>>>,
    /// The last minute that was dropped from memory and may be deleted from the table.
    forgotten: Option<u64>,
}

impl SingleUses {
    pub fn has(&self, application: AppNumber, digest: &Digest) -> bool {
        let buckets = self.lock();
        let mut of_it = buckets.by_minute.values().filter_map(|bucket| bucket.get(&application));
        of_it.any(|digests| digests.contains(digest))
    }

    /// The number of records of an application.
    pub fn count(&self, application: AppNumber) -> usize {
        let buckets = self.lock();
        buckets.by_minute.values().filter_map(|bucket| bucket.get(&application)).map(HashSet::len).sum()
    }

    /// Adds durable records.
    pub fn publish(&self, new: impl IntoIterator<Item = SingleUse>) {
        let mut buckets = self.lock();
        for single_use in new {
            buckets.put(minute(single_use.until), single_use.application, single_use.digest);
        }
    }

    /// Drops the buckets whose minute has passed by both clocks: `now`, and a clock that has not jumped forward for `steady`.
    /// Returns the end of the last one; the epoch where none was dropped.
    pub fn forget(&self, now: Timestamp, steady: Duration) -> Timestamp {
        let mut upto = Timestamp::EPOCH;
        if steady < STEADY {
            return upto;
        }
        let mut buckets = self.lock();
        while let Some(first) =
            buckets.by_minute.first_entry().filter(|first| first.key() * MINUTE_MS <= now.as_millis())
        {
            let minute = *first.key();
            first.remove();
            buckets.forgotten = Some(minute);
            upto = Timestamp::from_millis(minute * MINUTE_MS);
        }
        upto
    }

    /// Whether rows can be deleted.
    pub fn has_forgotten(&self) -> bool {
        self.lock().forgotten.is_some()
    }

    /// Deletes the rows of dropped buckets. After a failed commit a later one deletes them.
    pub fn remove_rows(&self, connection: &Connection) -> rusqlite::Result<()> {
        let Some(minute) = self.lock().forgotten.take() else { return Ok(()) };
        connection.prepare_cached("DELETE FROM spent WHERE until_minute <= ?")?.execute([minute])?;
        Ok(())
    }

    pub fn replace_all(&self, buckets: Buckets) {
        *self.lock() = buckets;
    }

    // A panic leaves buckets that were changed completely or not at all.
    fn lock(&self) -> MutexGuard<'_, Buckets> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Buckets {
    fn put(&mut self, minute: u64, application: AppNumber, digest: Digest) {
        self.by_minute.entry(minute).or_default().entry(application).or_default().insert(digest);
    }
}

/// Adds a row.
pub(crate) fn insert(connection: &Connection, single_use: &SingleUse) -> rusqlite::Result<()> {
    connection
        .prepare_cached("INSERT INTO spent (until_minute, application, digest) VALUES (?, ?, ?)")?
        .execute(params![minute(single_use.until), single_use.application.0, single_use.digest])?;
    Ok(())
}

/// Reads all rows.
pub(crate) fn load(connection: &Connection) -> Result<Buckets, OpenError> {
    let mut buckets = Buckets::default();
    let mut select = connection.prepare("SELECT until_minute, application, digest FROM spent")?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        let key = || format!("application {} and minute {}", number_in(row, 1), number_in(row, 0));
        let (minute, application, digest) = read(row).map_err(|error| error.in_row("spent", key))?;
        buckets.put(minute, application, digest);
    }
    Ok(buckets)
}

fn read(row: &Row<'_>) -> Result<(u64, AppNumber, Digest), OpenError> {
    Ok((row.get(0)?, AppNumber(row.get(1)?), row.get(2)?))
}

/// The minute at whose beginning the record has expired.
fn minute(until: Timestamp) -> u64 {
    until.as_millis().div_ceil(MINUTE_MS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn single_use(until_s: u64) -> SingleUse {
        let until = Timestamp::from_millis(until_s * 1000);
        SingleUse { application: AppNumber(1), digest: [7; 16], until, at_most: 10 }
    }

    #[test]
    fn a_bucket_is_forgotten_when_its_minute_is_over_by_both_clocks() {
        let uses = SingleUses::default();
        uses.publish([single_use(61)]);
        assert_eq!(uses.forget(Timestamp::from_millis(119_999), STEADY), Timestamp::EPOCH);
        uses.forget(Timestamp::MAX, STEADY - Duration::from_secs(1));
        assert!(uses.has(AppNumber(1), &[7; 16]) && !uses.has_forgotten());
        assert!(!uses.has(AppNumber(2), &[7; 16]));
        let now = Timestamp::from_millis(120_000);
        assert_eq!(uses.forget(now, STEADY), now);
        assert!(!uses.has(AppNumber(1), &[7; 16]) && uses.has_forgotten());
        assert_eq!(uses.count(AppNumber(1)), 0);
    }
}
