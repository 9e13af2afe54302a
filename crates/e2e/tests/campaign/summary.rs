//! What a campaign came to, in a few lines.

use std::collections::BTreeMap;
use std::time::Duration;

use super::history::{Answer, Deed, Record};
use super::index::Index;

pub fn summary(record: &Record) -> String {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for event in &record.events {
        *counts.entry(name(&event.deed)).or_default() += 1;
        let answer = match event.answer {
            Answer::Away => "answered with 500 or 503",
            Answer::Unanswered => "not answered",
            Answer::Refused => "refused",
            Answer::Frozen => "frozen",
            Answer::Throttled => "throttled",
            Answer::Pair(_) | Answer::Done | Answer::Other(_) => continue,
        };
        if !matches!(event.deed, Deed::Ready) {
            *counts.entry(answer).or_default() += 1;
        }
    }
    let faults: Vec<String> = record.troubles.iter().map(|trouble| format!("{:?}", trouble.fault)).collect();
    let (latest, longest) = (latest_freeze(record), longest_silence(record));
    format!(
        "{counts:?}\nfaults: {}\ncaught up: {}\nlatest use after a freeze: {latest:?} (slack of this machine: {:?})\n\
         longest time without a pair for anybody: {longest:?}",
        faults.join(", "),
        record.caught_up,
        record.slack,
    )
}

fn name(deed: &Deed) -> &'static str {
    match deed {
        Deed::Login => "login",
        Deed::Refresh(_) => "refresh",
        Deed::Logout(_) => "logout",
        Deed::Verify(_) => "verify",
        Deed::Freeze => "freeze",
        Deed::Unfreeze => "unfreeze",
        Deed::SetPolicy => "set policy",
        Deed::Authenticate(_) => "assertion",
        Deed::Ready => "looks at readiness",
    }
}

/// How long after the answer to a freeze a token of the application was verified by a node that called itself ready.
fn latest_freeze(record: &Record) -> Duration {
    let index = Index::of(record);
    let mut latest = Duration::ZERO;
    for event in &record.events {
        if !matches!((&event.deed, &event.answer), (Deed::Verify(_), Answer::Done)) {
            continue;
        }
        let freezes = &index.story(event).freezes;
        let asked = freezes.partition_point(|freeze| freeze.asked < event.begin);
        let Some(freeze) = asked.checked_sub(1).map(|last| &freezes[last]) else { continue };
        if freeze.answered < event.begin && event.end < freeze.unfreeze_asked && !index.said_so(event) {
            latest = latest.max(event.begin - freeze.answered);
        }
    }
    latest
}

fn longest_silence(record: &Record) -> Duration {
    let pairs = record.events.iter().filter(|event| matches!(event.answer, Answer::Pair(_)));
    let mut ends: Vec<Duration> = pairs.map(|event| event.end).collect();
    ends.sort();
    ends.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or_default()
}
