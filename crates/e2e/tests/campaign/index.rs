//! Indexes over the record: what each application and each grant went through. A checker answers each question with a search in one of
//! them, so that judging n events takes O(n log n).

use std::collections::HashMap;
use std::time::Duration;

use super::checker::{RETRY, SAID_SO, SETTLE};
use super::history::{Answer, At, Deed, Event, Fault, Grant, Record, Token};
use super::spans::{Earliest, Spans, Tally};

/// What excuses answers, and the story of each application.
pub struct Index<'a> {
    stories: HashMap<usize, Story<'a>>,
    /// The story of what belongs to no application.
    none: Story<'a>,
    /// While writes may have been lost.
    lost: Spans,
    /// While a useless answer has a reason.
    troubles: Spans,
    /// While the bound of used assertions is reached.
    full: Spans,
    /// While some node, or this one, said that it is not ready.
    unready: Spans,
    unready_node: HashMap<usize, Spans>,
}

/// What happened to one application.
#[derive(Default)]
pub struct Story<'a> {
    pub freezes: Vec<Freeze>,
    /// From the first attempt to freeze to the answer that it is unfrozen.
    pub frozen_at_most: Spans,
    /// From the answer that it is frozen to the first attempt to unfreeze.
    pub frozen_at_least: Spans,
    grants: HashMap<Grant, Life>,
    /// The first presentation of each refresh token.
    presented: HashMap<&'a Token, Duration>,
    /// The first presentation of each assertion that may have used it.
    pub used: HashMap<u64, Duration>,
    logins: Tally,
    /// In the order of time.
    pub logouts: Vec<Duration>,
}

pub struct Freeze {
    pub asked: Duration,
    pub answered: Duration,
    pub unfreeze_asked: Duration,
    unfrozen: Duration,
}

/// What happened to one grant.
#[derive(Default)]
pub struct Life {
    /// The first attempt to log out.
    pub logout_asked: Option<Duration>,
    /// The first answer that it is logged out, if that was not lost.
    pub logged_out: Option<Duration>,
    presented: Earliest,
    is_login_lost: bool,
    lost_uses: Spans,
    kept_uses: Spans,
    logins: Tally,
}

impl<'a> Index<'a> {
    pub fn of(record: &'a Record) -> Index<'a> {
        let lost: Spans = while_broken(record, Duration::ZERO, |fault| fault == Fault::LoseWrites);
        let mut events: HashMap<usize, Vec<&Event>> = HashMap::new();
        for event in &record.events {
            if let Some(which) = event.application {
                events.entry(which).or_default().push(event);
            }
        }
        let story = |(which, mut events): (usize, Vec<&'a Event>)| {
            events.sort_by_key(|event| event.begin);
            (which, Story::of(&events, &lost))
        };
        let unready = || {
            record
                .events
                .iter()
                .filter(|event| matches!(event.deed, Deed::Ready) && !matches!(event.answer, Answer::Done))
        };
        let of_node = unready().filter_map(|event| match event.at {
            At::Node(node) => Some((node, span(event))),
            At::Balancer => None,
        });
        Index {
            stories: events.into_iter().map(story).collect(),
            none: Story::default(),
            troubles: while_broken(record, SETTLE, |_| true),
            full: while_broken(record, SETTLE, |fault| fault == Fault::FillAssertions),
            unready: unready().map(span).collect(),
            unready_node: grouped(of_node),
            lost,
        }
    }

    pub fn story(&self, event: &Event) -> &Story<'a> {
        event.application.and_then(|which| self.stories.get(&which)).unwrap_or(&self.none)
    }

    /// Whether writes were lost within this time.
    pub fn was_lost(&self, from: Duration, to: Duration) -> bool {
        self.lost.meet(from, to)
    }

    /// Whether anything was broken that excuses a useless answer.
    pub fn is_excused(&self, event: &Event) -> bool {
        self.troubles.meet(event.begin, event.end)
    }

    /// Whether as many used assertions as are remembered may have been there.
    pub fn is_full(&self, event: &Event) -> bool {
        self.full.meet(event.begin, event.end)
    }

    /// Whether the node that answered had said that it may be behind; behind the balancer it may have been any.
    pub fn said_so(&self, event: &Event) -> bool {
        let unready = match event.at {
            At::Balancer => Some(&self.unready),
            At::Node(node) => self.unready_node.get(&node),
        };
        let is_near = |spans: &Spans| {
            let latest = spans.latest_end(|begin| begin <= event.end + SAID_SO);
            latest.is_some_and(|end| event.begin <= end + SAID_SO)
        };
        unready.is_some_and(is_near)
    }
}

impl<'a> Story<'a> {
    /// From the application's events, in the order of their begins.
    fn of(events: &[&'a Event], lost: &Spans) -> Story<'a> {
        let freezes = freezes(events);
        let mut story = Story {
            frozen_at_most: freezes.iter().map(|freeze| (freeze.asked, freeze.unfrozen)).collect(),
            frozen_at_least: freezes.iter().map(|freeze| (freeze.answered, freeze.unfreeze_asked)).collect(),
            freezes,
            ..Story::default()
        };
        for event in events {
            match &event.deed {
                Deed::Refresh(token) => {
                    story.presented.entry(token).or_insert(event.begin);
                }
                Deed::Logout(_) => story.logouts.push(event.begin),
                Deed::Authenticate(jti) if !matches!(event.answer, Answer::Refused | Answer::Throttled) => {
                    story.used.entry(*jti).or_insert(event.begin);
                }
                Deed::Login
                | Deed::Verify(_)
                | Deed::Freeze
                | Deed::Unfreeze
                | Deed::SetPolicy
                | Deed::Authenticate(_)
                | Deed::Ready => {}
            }
        }
        let logins = events.iter().filter(|event| matches!(event.deed, Deed::Login));
        story.logins = logins.map(|event| span(event)).collect();
        let of_grants = events.iter().flat_map(|event| grants_of(event).map(move |grant| (grant, *event)));
        let of_grants: HashMap<Grant, Vec<&Event>> = grouped(of_grants);
        story.grants =
            of_grants.into_iter().map(|(grant, events)| (grant, Life::of(grant, &events, lost))).collect();
        story
    }

    pub fn life(&self, token: &Token) -> Option<&Life> {
        self.grants.get(&token.grant)
    }

    /// Whether the retry window of a token may be over: it was presented that long before.
    pub fn is_too_late(&self, token: &Token, event: &Event) -> bool {
        self.presented.get(token).is_some_and(|begin| *begin + RETRY < event.end)
    }

    /// Whether the grant went with writes that were lost: with its login, or because the order of uses by which grants give way is
    /// that of before, and as many logins as these came since the last use that was not lost.
    pub fn is_gone_by_loss(&self, token: &Token, event: &Event, max_grants: usize) -> bool {
        let Some(life) = self.life(token) else { return false };
        let kept_until = life.kept_uses.latest_begin(event.end).unwrap_or_default();
        let is_use_lost =
            life.lost_uses.latest_end(|begin| begin < event.end).is_some_and(|end| end > kept_until);
        let logins = |of: &Tally| of.count(kept_until, event.end);
        life.is_login_lost || is_use_lost && logins(&self.logins) - logins(&life.logins) >= max_grants
    }
}

impl Life {
    /// From the events about the grant, in the order of their begins.
    fn of(grant: Grant, events: &[&Event], lost: &Spans) -> Life {
        let is_lost = |event: &Event| lost.meet(event.begin, event.end);
        let is_use =
            |event: &&&Event| matches!(&event.answer, Answer::Pair(pair) if pair.refresh.grant == grant);
        let logouts = || {
            events.iter().filter(|event| matches!(&event.deed, Deed::Logout(token) if token.grant == grant))
        };
        let (lost_uses, kept_uses): (Vec<&Event>, Vec<&Event>) =
            events.iter().filter(is_use).partition(|event| is_lost(event));
        let logins = || events.iter().filter(is_use).filter(|event| matches!(event.deed, Deed::Login));
        let kept_logouts = logouts().filter(|event| matches!(event.answer, Answer::Done) && !is_lost(event));
        let presented = events.iter().filter_map(|event| {
            let Deed::Refresh(token) = &event.deed else { return None };
            (token.grant == grant).then_some((token.generation, event.begin))
        });
        Life {
            logout_asked: logouts().map(|event| event.begin).min(),
            logged_out: kept_logouts.map(|event| event.end).min(),
            presented: presented.collect(),
            is_login_lost: logins().any(|event| is_lost(event)),
            lost_uses: lost_uses.into_iter().map(span).collect(),
            kept_uses: kept_uses.into_iter().map(span).collect(),
            logins: logins().map(|event| span(event)).collect(),
        }
    }

    /// Whether a later generation than this was presented before a time.
    pub fn is_superseded(&self, generation: u32, before: Duration) -> bool {
        self.presented.after(generation).is_some_and(|begin| begin < before)
    }
}

/// The grant that is asked about, and the one in the answer.
fn grants_of(event: &Event) -> impl Iterator<Item = Grant> {
    let asked = match &event.deed {
        Deed::Refresh(token) | Deed::Logout(token) => Some(token.grant),
        Deed::Login
        | Deed::Verify(_)
        | Deed::Freeze
        | Deed::Unfreeze
        | Deed::SetPolicy
        | Deed::Authenticate(_)
        | Deed::Ready => None,
    };
    let Answer::Pair(pair) = &event.answer else { return asked.into_iter().chain(None) };
    let answered = Some(pair.refresh.grant).filter(|grant| asked != Some(*grant));
    asked.into_iter().chain(answered)
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

/// While a fault of these lasted, and so much longer.
fn while_broken(record: &Record, longer: Duration, is_one: impl Fn(Fault) -> bool) -> Spans {
    let troubles = record.troubles.iter().filter(|trouble| is_one(trouble.fault));
    troubles.map(|trouble| (trouble.begin, trouble.end + longer)).collect()
}

fn span(event: &Event) -> (Duration, Duration) {
    (event.begin, event.end)
}

fn grouped<K: std::hash::Hash + Eq, V, C: FromIterator<V>>(
    pairs: impl Iterator<Item = (K, V)>,
) -> HashMap<K, C> {
    let mut groups: HashMap<K, Vec<V>> = HashMap::new();
    for (key, value) in pairs {
        groups.entry(key).or_default().push(value);
    }
    groups.into_iter().map(|(key, values)| (key, values.into_iter().collect())).collect()
}
