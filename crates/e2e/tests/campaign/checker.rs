//! The checker: reads the record of a campaign and names everything in it that must not be. It trusts no participant: what
//! excuses a refusal must be in the record, too.

use std::collections::HashMap;
use std::time::Duration;

use super::application::MAX_GRANTS;
use super::closer::CLOSED_GRANTS;
use super::history::{Answer, At, Deed, Event, Fault, Grant, Record, Token, Trouble};

/// How late a node may know of a freeze or a logout, beside what this machine is late anyway.
pub const BOUND: Duration = Duration::from_secs(1);
/// How long after all nodes want requests again one may still fail: the balancer has to see that they do.
pub const SETTLE: Duration = Duration::from_secs(2);
/// How long a used refresh token must get its answer again: the retry window, less than which clocks differ.
const RETRY: Duration = Duration::from_secs(54);
/// How near to a late answer a node must have said that it is not ready: it says so from when it could be late, and is
/// asked five times a second.
const SAID_SO: Duration = Duration::from_secs(2);

/// Sentences about what was wrong.
pub fn violations(record: &Record) -> Vec<String> {
    let stories = stories(record);
    let mut found = forks(record);
    found.extend(replays(record));
    for event in &record.events {
        let empty = Story::default();
        let story = event.application.and_then(|which| stories.get(&which)).unwrap_or(&empty);
        let wrong = [
            unexpected(record, story, event),
            quiet(record, story, event),
            refused(record, story, event),
            frozen(record, story, event),
            late(record, story, event),
        ];
        found.extend(wrong.into_iter().flatten().map(|what| format!("{what}: {event:?}")));
    }
    if record.troubles.iter().any(|trouble| trouble.fault == Fault::LoseWrites) && record.caught_up == 0 {
        found.push("writes were lost and no grant was said to have caught up".to_owned());
    }
    found
}

/// What happened to one application.
#[derive(Default)]
pub struct Story<'a> {
    events: Vec<&'a Event>,
    /// From the first attempt to freeze it to the answer that it is unfrozen.
    pub freezes: Vec<Freeze>,
}

pub struct Freeze {
    asked: Duration,
    pub answered: Duration,
    pub unfreeze_asked: Duration,
    unfrozen: Duration,
}

/// Every application's.
pub fn stories(record: &Record) -> HashMap<usize, Story<'_>> {
    let mut stories: HashMap<usize, Story> = HashMap::new();
    for event in &record.events {
        if let Some(which) = event.application {
            stories.entry(which).or_default().events.push(event);
        }
    }
    for story in stories.values_mut() {
        story.events.sort_by_key(|event| event.begin);
        story.freezes = freezes(&story.events);
    }
    stories
}

/// The operator tries until it is answered, and freezes no application twice.
fn freezes(events: &[&Event]) -> Vec<Freeze> {
    let mut freezes: Vec<Freeze> = Vec::new();
    for event in events {
        let is_done = matches!(event.answer, Answer::Done);
        let open = freezes.last_mut().filter(|freeze| freeze.unfrozen == Duration::MAX);
        match (&event.deed, open) {
            (Deed::Freeze, None) => {
                let answered = if is_done { event.end } else { Duration::MAX };
                let (unfreeze_asked, unfrozen) = (Duration::MAX, Duration::MAX);
                freezes.push(Freeze { asked: event.begin, answered, unfreeze_asked, unfrozen });
            }
            (Deed::Freeze, Some(freeze)) if is_done => freeze.answered = freeze.answered.min(event.end),
            (Deed::Unfreeze, Some(freeze)) => {
                freeze.unfreeze_asked = freeze.unfreeze_asked.min(event.begin);
                if is_done {
                    freeze.unfrozen = event.end;
                }
            }
            (Deed::Freeze | Deed::Unfreeze, _) => {}
            (
                Deed::Login
                | Deed::Refresh(_)
                | Deed::Logout(_)
                | Deed::Verify(_)
                | Deed::SetPolicy
                | Deed::Authenticate(_)
                | Deed::Ready,
                _,
            ) => {}
        }
    }
    freezes
}

/// A generation of a grant has one refresh token, unless the record of it was lost between two answers.
fn forks(record: &Record) -> Vec<String> {
    let mut first: HashMap<(Grant, u32), (&str, &Event)> = HashMap::new();
    let mut found = Vec::new();
    let mut events: Vec<&Event> = record.events.iter().collect();
    events.sort_by_key(|event| event.end);
    for event in events {
        let Answer::Pair(pair) = &event.answer else { continue };
        let token = &pair.refresh;
        let (text, before) = *first.entry((token.grant, token.generation)).or_insert((&token.text, event));
        if text != token.text && !was_lost(record, before.begin, event.end) {
            found.push(format!("the chain forked: {before:?} and {event:?}"));
        }
    }
    found
}

/// A client assertion is accepted once, unless the record of its use was lost.
fn replays(record: &Record) -> Vec<String> {
    let mut first: HashMap<(Option<usize>, u64), &Event> = HashMap::new();
    let mut found = Vec::new();
    let mut events: Vec<&Event> = record.events.iter().collect();
    events.sort_by_key(|event| event.end);
    for event in events {
        let (Deed::Authenticate(jti), Answer::Done) = (&event.deed, &event.answer) else { continue };
        let before = *first.entry((event.application, *jti)).or_insert(event);
        if !std::ptr::eq(before, event) && !was_lost(record, before.begin, event.end) {
            found.push(format!("an assertion was accepted twice: {before:?} and {event:?}"));
        }
    }
    found
}

/// Useless responses, and reports of an unreachable database while it is reachable.
fn unexpected(record: &Record, story: &Story, event: &Event) -> Option<&'static str> {
    // Nodes that start are looked at, too.
    if matches!(event.deed, Deed::Ready) {
        return None;
    }
    let is_excused = |trouble: &Trouble| event.begin <= trouble.end + SETTLE && trouble.begin <= event.end;
    match event.answer {
        Answer::Other(_) => Some("an answer that there should not be"),
        Answer::Throttled if !may_be_full(record, story, event) => {
            Some("it was called throttled, and was not")
        }
        Answer::Away if !record.troubles.iter().any(is_excused) => {
            Some("the store was away without a reason")
        }
        Answer::Unanswered if !record.troubles.iter().any(is_excused) => {
            Some("it was not answered without a reason")
        }
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
fn quiet(record: &Record, story: &Story, event: &Event) -> Option<&'static str> {
    let is_good = match (&event.answer, &event.deed) {
        (Answer::Pair(_) | Answer::Done, _) => true,
        (Answer::Refused, Deed::Refresh(token)) => is_gone_by_loss(record, story, token, event),
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
fn refused(record: &Record, story: &Story, event: &Event) -> Option<&'static str> {
    if !matches!(event.answer, Answer::Refused) {
        return None;
    }
    let before = || story.events.iter().filter(|other| other.begin < event.end);
    let was_logged_out = |token: &Token| {
        before().any(|other| matches!(&other.deed, Deed::Logout(ended) if ended.grant == token.grant))
    };
    match &event.deed {
        Deed::Refresh(token) => {
            let is_superseded = before().any(|other| {
                matches!(&other.deed, Deed::Refresh(later) if later.grant == token.grant && later.generation > token.generation)
            });
            let is_too_late = is_too_late(story, token, event);
            let is_lost = is_gone_by_loss(record, story, token, event);
            let is_excused = was_logged_out(token) || is_superseded || is_too_late || is_lost;
            (!is_excused).then_some("a good refresh token was refused")
        }
        Deed::Verify(token) => {
            let is_excused = was_logged_out(token) || may_be_frozen(record, story, event);
            (!is_excused).then_some("a good access token was refused")
        }
        Deed::Login => Some("a good secret was refused"),
        Deed::Authenticate(jti) => {
            let may_be_used = before().any(|other| {
                let is_same = matches!(&other.deed, Deed::Authenticate(same) if same == jti);
                is_same && !matches!(other.answer, Answer::Refused | Answer::Throttled)
            });
            (!may_be_used).then_some("an assertion was refused that was not used before")
        }
        Deed::Logout(_) | Deed::Freeze | Deed::Unfreeze | Deed::SetPolicy | Deed::Ready => {
            Some("what was asked was refused")
        }
    }
}

fn frozen(record: &Record, story: &Story, event: &Event) -> Option<&'static str> {
    let is_called_so = matches!(event.answer, Answer::Frozen);
    (is_called_so && !may_be_frozen(record, story, event)).then_some("it was called frozen, and was not")
}

/// Every ready node rejects a frozen or logged out application, from the bound on.
fn late(record: &Record, story: &Story, event: &Event) -> Option<&'static str> {
    let grant = match (&event.deed, &event.answer) {
        (Deed::Verify(token), Answer::Done) | (Deed::Refresh(token), Answer::Pair(_)) => Some(token.grant),
        (Deed::Login, Answer::Pair(_)) => None,
        (_, _) => return None,
    };
    let bound = BOUND + record.slack;
    let is_frozen = story.freezes.iter().any(|freeze| {
        freeze.answered.saturating_add(bound) < event.begin && event.end < freeze.unfreeze_asked
    });
    let is_logged_out = story.events.iter().any(|other| {
        matches!((&other.deed, &other.answer), (Deed::Logout(token), Answer::Done) if Some(token.grant) == grant)
            && other.end + bound < event.begin
            && !was_lost(record, other.begin, other.end)
    });
    ((is_frozen || is_logged_out) && !said_so(record, event))
        .then_some("it was frozen or logged out, and a node did not know in time")
}

/// Whether a bound is reached: logins of an application that has closed as many grants as are kept, and assertions of one that
/// has used as many as are remembered. A close always takes effect.
fn may_be_full(record: &Record, story: &Story, event: &Event) -> bool {
    match event.deed {
        Deed::Login => {
            let is_close = |other: &&&Event| matches!(other.deed, Deed::Logout(_)) && other.begin < event.end;
            story.events.iter().filter(is_close).count() >= CLOSED_GRANTS
        }
        Deed::Authenticate(_) => record.troubles.iter().any(|trouble| {
            trouble.fault == Fault::FillAssertions
                && trouble.begin <= event.end
                && event.begin <= trouble.end + SETTLE
        }),
        Deed::Refresh(_)
        | Deed::Logout(_)
        | Deed::Verify(_)
        | Deed::Freeze
        | Deed::Unfreeze
        | Deed::SetPolicy
        | Deed::Ready => false,
    }
}

fn may_be_frozen(record: &Record, story: &Story, event: &Event) -> bool {
    let bound = BOUND + record.slack;
    story.freezes.iter().any(|freeze| {
        let is_late = event.begin <= freeze.unfrozen.saturating_add(bound) || said_so(record, event);
        freeze.asked <= event.end && is_late
    })
}

/// Whether the node that answered had said that it may be behind; behind the balancer it may have been any.
pub fn said_so(record: &Record, event: &Event) -> bool {
    record.events.iter().any(|other| {
        let is_this_node = event.at == At::Balancer || other.at == event.at;
        let is_near = other.begin <= event.end + SAID_SO && event.begin <= other.end + SAID_SO;
        matches!(other.deed, Deed::Ready) && !matches!(other.answer, Answer::Done) && is_this_node && is_near
    })
}

/// Whether the retry window of a token may be over: it was presented that long before.
pub fn is_too_late(story: &Story, token: &Token, event: &Event) -> bool {
    story.events.iter().any(|other| {
        matches!(&other.deed, Deed::Refresh(same) if same == token) && other.begin + RETRY < event.end
    })
}

/// Whether the grant went with writes that were lost: with its login, or because the order of uses by which grants give way is
/// that of before.
pub fn is_gone_by_loss(record: &Record, story: &Story, token: &Token, event: &Event) -> bool {
    is_login_lost(record, story, token) || may_have_given_way(record, story, token, event)
}

/// Whether a use of the grant was lost, and so many logins came since the last one that was not that it gave way.
fn may_have_given_way(record: &Record, story: &Story, token: &Token, event: &Event) -> bool {
    let before = || story.events.iter().copied().filter(|other| other.begin < event.end);
    let is_use =
        |other: &&Event| matches!(&other.answer, Answer::Pair(pair) if pair.refresh.grant == token.grant);
    let (lost, kept): (Vec<&Event>, Vec<&Event>) =
        before().filter(is_use).partition(|one| was_lost(record, one.begin, one.end));
    let kept_until = kept.iter().map(|one| one.begin).max().unwrap_or_default();
    let others = before()
        .filter(|other| matches!(other.deed, Deed::Login) && other.end > kept_until && !is_use(other));
    lost.iter().any(|one| one.end > kept_until) && others.count() >= MAX_GRANTS as usize
}

/// Whether the grant went with writes that were lost.
fn is_login_lost(record: &Record, story: &Story, token: &Token) -> bool {
    story.events.iter().any(|event| {
        let Answer::Pair(pair) = &event.answer else { return false };
        matches!(event.deed, Deed::Login)
            && pair.refresh.grant == token.grant
            && was_lost(record, event.begin, event.end)
    })
}

/// Whether writes were lost within this time.
fn was_lost(record: &Record, from: Duration, to: Duration) -> bool {
    let lost = record.troubles.iter().filter(|trouble| trouble.fault == Fault::LoseWrites);
    lost.into_iter().any(|trouble| trouble.begin <= to && from <= trouble.end)
}
