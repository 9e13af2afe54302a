//! A record as long as that of a campaign of hours. Where a checker went through all events for each of them, this would not end.

use super::*;

const GENERATIONS: u32 = 20_000;

/// One grant that two workers refresh without an end, while the application is frozen now and then and nodes are not ready.
fn long_life() -> Record {
    let mut events = vec![event(0.0, Deed::Login, pair(0, "r0"))];
    for generation in 0..GENERATIONS {
        let begin_s = 10.0 + 2.0 * generation as f32;
        let (token, next) = (format!("r{generation}"), format!("r{}", generation + 1));
        let first = match generation % 10 {
            3 => Answer::Unanswered,
            _ => pair(generation + 1, &next),
        };
        events.push(event(begin_s, refresh(generation, &token), first));
        events.push(event(begin_s + 0.2, refresh(generation, &token), pair(generation + 1, &next)));
        events.push(event(begin_s + 0.3, Deed::Verify(access(generation)), Answer::Done));
        if generation > 3 {
            let ancestor = refresh(generation - 3, &format!("r{}", generation - 3));
            events.push(event(begin_s + 1.2, ancestor, Answer::Refused));
        }
        if generation % 50 == 0 {
            events.push(event(begin_s + 0.9, Deed::Freeze, Answer::Done));
            events.push(event(begin_s + 1.0, Deed::Unfreeze, Answer::Done));
            events.push(event(begin_s + 1.1, Deed::Ready, Answer::Away));
        }
    }
    let all = trouble(Fault::KillNode(0), 0, 1_000_000);
    Record { quiet_from: Duration::from_secs(1_000_000), ..record(events, vec![all]) }
}

#[test]
fn a_record_of_hours_is_judged_like_a_short_one() {
    let mut record = long_life();
    is_fine(&record);
    let end_s = 10.0 + 2.0 * GENERATIONS as f32;
    record.events.push(event(end_s, refresh(GENERATIONS - 1, "other"), pair(GENERATIONS, "forked")));
    let found = violations(&record);
    assert!(
        found.iter().all(|what| what.contains("the chain forked")) && found.len() == 1,
        "{}",
        found.len()
    );
    assert_eq!(linearizability::violations(&record), [(1, GRANT)]);
}
