//! The checker: reads the record of a campaign and names everything in it that must not be. It trusts no participant: what
//! excuses a refusal must be in the record, too.

use std::collections::HashMap;
use std::time::Duration;

use super::application::MAX_GRANTS;
use super::closer::CLOSED_GRANTS;
use super::history::{Answer, Deed, Event, Fault, Grant, Record, Token};
use super::index::Index;

/// How late a node may know of a freeze or a logout, beside what this machine is late anyway.
pub const BOUND: Duration = Duration::from_secs(1);
/// How long after all nodes want requests again one may still fail: the balancer has to see that they do.
pub const SETTLE: Duration = Duration::from_secs(2);
/// How long a used refresh token must get its answer again: the retry window, less than which clocks differ.
pub const RETRY: Duration = Duration::from_secs(54);
/// How near to a late answer a node must have said that it is not ready: it says so from when it could be late, and is
/// asked five times a second.
pub const SAID_SO: Duration = Duration::from_secs(2);

/// Sentences about what was wrong.
pub fn violations(record: &Record) -> Vec<String> {
    let index = Index::of(record);
    let mut found = forks(record, &index);
    found.extend(replays(record, &index));
    for event in &record.events {
        let wrong = [
            unexpected(&index, event),
            quiet(record, &index, event),
            refused(record, &index, event),
            frozen(record, &index, event),
            late(record, &index, event),
        ];
        found.extend(wrong.into_iter().flatten().map(|what| format!("{what}: {event:?}")));
    }
    if record.troubles.iter().any(|trouble| trouble.fault == Fault::LoseWrites) && record.caught_up == 0 {
        found.push("writes were lost and no grant was said to have caught up".to_owned());
    }
    found
}

/// A generation of a grant has one refresh token, unless the record of it was lost between two answers.
fn forks(record: &Record, index: &Index) -> Vec<String> {
    let mut first: HashMap<(Grant, u32), (&str, &Event)> = HashMap::new();
    let mut found = Vec::new();
    let mut events: Vec<&Event> = record.events.iter().collect();
    events.sort_by_key(|event| event.end);
    for event in events {
        let Answer::Pair(pair) = &event.answer else { continue };
        let token = &pair.refresh;
        let (text, before) = *first.entry((token.grant, token.generation)).or_insert((&token.text, event));
        if text != token.text && !index.was_lost(before.begin, event.end) {
            found.push(format!("the chain forked: {before:?} and {event:?}"));
        }
    }
    found
}

/// A client assertion is accepted once, unless the record of its use was lost.
fn replays(record: &Record, index: &Index) -> Vec<String> {
    let mut first: HashMap<(Option<usize>, u64), &Event> = HashMap::new();
    let mut found = Vec::new();
    let mut events: Vec<&Event> = record.events.iter().collect();
    events.sort_by_key(|event| event.end);
    for event in events {
        let (Deed::Authenticate(jti), Answer::Done) = (&event.deed, &event.answer) else { continue };
        let before = *first.entry((event.application, *jti)).or_insert(event);
        if !std::ptr::eq(before, event) && !index.was_lost(before.begin, event.end) {
            found.push(format!("an assertion was accepted twice: {before:?} and {event:?}"));
        }
    }
    found
}

/// Useless responses, and reports of an unreachable database while it is reachable.
fn unexpected(index: &Index, event: &Event) -> Option<&'static str> {
    // Nodes that start are looked at, too.
    if matches!(event.deed, Deed::Ready) {
        return None;
    }
    match event.answer {
        Answer::Other(_) => Some("an answer that there should not be"),
        Answer::Throttled if !may_be_full(index, event) => Some("it was called throttled, and was not"),
        Answer::Away if !index.is_excused(event) => Some("the store was away without a reason"),
        Answer::Unanswered if !index.is_excused(event) => Some("it was not answered without a reason"),
        Answer::Away
        | Answer::Pair(_)
        | Answer::Done
        | Answer::Frozen
        | Answer::Throttled
        | Answer::Refused
        | Answer::Unanswered => None,
    }
}

/// At the end everything works, but for who did not notice before that the login was lost.
fn quiet(record: &Record, index: &Index, event: &Event) -> Option<&'static str> {
    let is_good = match (&event.answer, &event.deed) {
        (Answer::Pair(_) | Answer::Done, _) => true,
        (Answer::Refused, Deed::Refresh(token)) => is_gone_by_loss(index, token, event),
        (
            Answer::Refused
            | Answer::Frozen
            | Answer::Throttled
            | Answer::Away
            | Answer::Unanswered
            | Answer::Other(_),
            _,
        ) => false,
    };
    (event.begin >= record.quiet_from && !is_good)
        .then_some("it should have worked when nothing was broken any more")
}

/// A pair that was answered works on its next use.
fn refused(record: &Record, index: &Index, event: &Event) -> Option<&'static str> {
    if !matches!(event.answer, Answer::Refused) {
        return None;
    }
    let story = index.story(event);
    let was_logged_out = |token: &Token| {
        let asked = story.life(token).and_then(|life| life.logout_asked);
        asked.is_some_and(|asked| asked < event.end)
    };
    match &event.deed {
        Deed::Refresh(token) => {
            let is_superseded =
                story.life(token).is_some_and(|life| life.is_superseded(token.generation, event.end));
            let is_too_late = story.is_too_late(token, event);
            let is_lost = is_gone_by_loss(index, token, event);
            let is_excused = was_logged_out(token) || is_superseded || is_too_late || is_lost;
            (!is_excused).then_some("a good refresh token was refused")
        }
        Deed::Verify(token) => {
            let is_excused = was_logged_out(token) || may_be_frozen(record, index, event);
            (!is_excused).then_some("a good access token was refused")
        }
        Deed::Login => Some("a good secret was refused"),
        Deed::Authenticate(jti) => {
            let may_be_used = story.used.get(jti).is_some_and(|begin| *begin < event.end);
            (!may_be_used).then_some("an assertion was refused that was not used before")
        }
        Deed::Logout(_) | Deed::Freeze | Deed::Unfreeze | Deed::SetPolicy | Deed::Ready => {
            Some("what was asked was refused")
        }
    }
}

fn frozen(record: &Record, index: &Index, event: &Event) -> Option<&'static str> {
    let is_called_so = matches!(event.answer, Answer::Frozen);
    (is_called_so && !may_be_frozen(record, index, event)).then_some("it was called frozen, and was not")
}

/// Every ready node rejects a frozen or logged out application, from the bound on.
fn late(record: &Record, index: &Index, event: &Event) -> Option<&'static str> {
    let token = match (&event.deed, &event.answer) {
        (Deed::Verify(token), Answer::Done) | (Deed::Refresh(token), Answer::Pair(_)) => Some(token),
        (Deed::Login, Answer::Pair(_)) => None,
        (_, _) => return None,
    };
    let story = index.story(event);
    let is_known = |answered: Duration| answered.saturating_add(BOUND + record.slack) < event.begin;
    let is_frozen =
        story.frozen_at_least.latest_end(is_known).is_some_and(|unfreeze_asked| event.end < unfreeze_asked);
    let logged_out = token.and_then(|token| story.life(token)).and_then(|life| life.logged_out);
    ((is_frozen || logged_out.is_some_and(is_known)) && !index.said_so(event))
        .then_some("it was frozen or logged out, and a node did not know in time")
}

/// Whether a bound is reached: logins of an application that has closed as many grants as are kept, and assertions of one that
/// has used as many as are remembered. A close always takes effect.
fn may_be_full(index: &Index, event: &Event) -> bool {
    match event.deed {
        Deed::Login => {
            let last = index.story(event).logouts.get(CLOSED_GRANTS - 1);
            last.is_some_and(|begin| *begin < event.end)
        }
        Deed::Authenticate(_) => index.is_full(event),
        Deed::Refresh(_)
        | Deed::Logout(_)
        | Deed::Verify(_)
        | Deed::Freeze
        | Deed::Unfreeze
        | Deed::SetPolicy
        | Deed::Ready => false,
    }
}

fn may_be_frozen(record: &Record, index: &Index, event: &Event) -> bool {
    let unfrozen = index.story(event).frozen_at_most.latest_end(|asked| asked <= event.end);
    unfrozen.is_some_and(|unfrozen| {
        event.begin <= unfrozen.saturating_add(BOUND + record.slack) || index.said_so(event)
    })
}

/// Whether the grant went with writes that were lost, or gave way because of them.
pub fn is_gone_by_loss(index: &Index, token: &Token, event: &Event) -> bool {
    index.story(event).is_gone_by_loss(token, event, MAX_GRANTS as usize)
}
