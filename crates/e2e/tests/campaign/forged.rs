//! The checker itself is checked: with records that were made up, each of which breaks one promise.

mod long;

use std::time::Duration;

use super::application::MAX_GRANTS;
use super::checker::violations;
use super::closer::CLOSED_GRANTS;
use super::history::{Answer, At, Deed, Event, Fault, Pair, Record, Token, Trouble};
use super::linearizability;

const GRANT: u64 = 7;

fn token(generation: u32, text: &str) -> Token {
    Token { text: text.to_owned(), grant: (1, GRANT), generation, issued_at_ms: 0 }
}

fn pair(generation: u32, text: &str) -> Answer {
    Answer::Pair(Pair { access: access(generation), refresh: token(generation, text) })
}

fn access(generation: u32) -> Token {
    token(generation, "access")
}

fn refresh(generation: u32, text: &str) -> Deed {
    Deed::Refresh(token(generation, text))
}

/// Of application 0, half a second long.
fn event(begin_s: f32, deed: Deed, answer: Answer) -> Event {
    let begin = Duration::from_secs_f32(begin_s);
    let at = match deed {
        Deed::Login | Deed::Refresh(_) | Deed::Logout(_) | Deed::Authenticate(_) => At::Balancer,
        Deed::Verify(_) | Deed::Freeze | Deed::Unfreeze | Deed::SetPolicy | Deed::Ready => At::Node(0),
    };
    let application = (!matches!(deed, Deed::Ready)).then_some(0);
    Event { begin, end: begin + Duration::from_millis(500), application, at, deed, answer }
}

fn trouble(fault: Fault, begin_s: u64, end_s: u64) -> Trouble {
    Trouble { fault, begin: Duration::from_secs(begin_s), end: Duration::from_secs(end_s) }
}

fn record(events: Vec<Event>, troubles: Vec<Trouble>) -> Record {
    let quiet_from = Duration::from_secs(1_000);
    Record { events, troubles, quiet_from, slack: Duration::from_millis(250), caught_up: 1 }
}

/// A login, and then this.
fn after_login(events: Vec<Event>) -> Record {
    let mut all = vec![event(0.0, Deed::Login, pair(0, "r0"))];
    // Whatever is not answered in these has a reason.
    let is_unanswered = events.iter().any(|event| matches!(event.answer, Answer::Unanswered));
    all.extend(events);
    let troubles = if is_unanswered { vec![trouble(Fault::KillNode(0), 1, 6)] } else { Vec::new() };
    record(all, troubles)
}

#[test]
fn an_application_is_throttled_when_it_has_closed_many_grants_and_never_a_logout() {
    is_called(&after_login(vec![event(2.0, Deed::Login, Answer::Throttled)]), "called throttled");
    let logout = || Deed::Logout(access(0));
    is_called(&after_login(vec![event(2.0, logout(), Answer::Throttled)]), "called throttled");
    let mut closed: Vec<Event> = (0..CLOSED_GRANTS).map(|_| event(2.0, logout(), Answer::Done)).collect();
    closed.push(event(3.0, Deed::Login, Answer::Throttled));
    assert!(violations(&after_login(closed)).is_empty());
}

/// Both checkers refuse it: this one names the law, the other finds no order in which the answers are right.
fn is_refused_by_both(record: &Record, what: &str) {
    is_called(record, what);
    assert_eq!(linearizability::violations(record), [(1, GRANT)], "{record:#?}");
}

fn is_called(record: &Record, what: &str) {
    let found = violations(record);
    assert!(found.len() == 1 && found[0].contains(what), "{found:#?}");
}

/// Both checkers accept it.
fn is_fine(record: &Record) {
    assert_eq!(violations(record), Vec::<String>::new());
    assert_eq!(linearizability::violations(record), []);
}

#[test]
fn a_life_with_retries_races_a_freeze_and_a_logout_is_fine() {
    is_fine(&after_login(vec![
        event(1.0, refresh(0, "r0"), Answer::Unanswered),
        event(5.0, refresh(0, "r0"), pair(1, "r1")),
        event(5.1, refresh(0, "r0"), pair(1, "r1")),
        event(6.0, refresh(1, "r1"), pair(2, "r2")),
        event(6.2, refresh(0, "r0"), Answer::Refused),
        event(7.0, Deed::Freeze, Answer::Unanswered),
        event(8.0, Deed::Freeze, Answer::Done),
        event(9.0, Deed::Verify(access(2)), Answer::Done),
        event(9.5, refresh(2, "r2"), Answer::Frozen),
        event(10.0, Deed::Verify(access(2)), Answer::Refused),
        event(11.0, Deed::Unfreeze, Answer::Done),
        event(12.0, Deed::Verify(access(2)), Answer::Refused),
        event(20.0, Deed::Verify(access(2)), Answer::Done),
        event(21.0, Deed::Logout(access(2)), Answer::Done),
        event(22.0, refresh(2, "r2"), Answer::Refused),
    ]));
}

#[test]
fn two_successors_of_one_token_are_a_fork() {
    let forked =
        vec![event(1.0, refresh(0, "r0"), pair(1, "r1")), event(2.0, refresh(0, "r0"), pair(1, "other"))];
    is_refused_by_both(&after_login(forked.clone()), "the chain forked");
    // Unless the first of them went with writes that were lost.
    let lost = Record { troubles: vec![trouble(Fault::LoseWrites, 1, 2)], ..after_login(forked.clone()) };
    is_fine(&lost);
    let not_then =
        Record { troubles: vec![trouble(Fault::LoseWrites, 50, 60)], ..after_login(forked.clone()) };
    is_refused_by_both(&not_then, "the chain forked");
    let nothing_lost = Record { troubles: vec![trouble(Fault::FailOver, 1, 2)], ..after_login(forked) };
    is_refused_by_both(&nothing_lost, "the chain forked");
}

#[test]
fn an_assertion_is_accepted_once_and_refused_only_after_it() {
    let at = |begin_s, jti, answer| event(begin_s, Deed::Authenticate(jti), answer);
    is_fine(&after_login(vec![
        at(1.0, 1, Answer::Done),
        at(1.1, 1, Answer::Refused),
        at(2.0, 2, Answer::Done),
    ]));
    let twice = after_login(vec![at(1.0, 1, Answer::Done), at(9.0, 1, Answer::Done)]);
    is_called(&twice, "accepted twice");
    // Unless the record of the first use went with writes that were lost.
    is_fine(&Record { troubles: vec![trouble(Fault::LoseWrites, 1, 5)], ..twice });
    // The first may have been recorded before its answer was lost.
    is_fine(&after_login(vec![at(2.0, 1, Answer::Unanswered), at(3.0, 1, Answer::Refused)]));
    is_called(&after_login(vec![at(1.0, 1, Answer::Refused)]), "refused that was not used before");
    let others = vec![at(1.0, 1, Answer::Done), at(2.0, 2, Answer::Refused)];
    is_called(&after_login(others), "refused that was not used before");
}

#[test]
fn an_assertion_is_throttled_while_as_many_as_are_remembered_are_there() {
    let full = after_login(vec![event(2.0, Deed::Authenticate(1), Answer::Throttled)]);
    is_called(&full, "called throttled");
    is_fine(&Record { troubles: vec![trouble(Fault::FillAssertions, 1, 5)], ..full });
}

#[test]
fn a_refresh_token_that_was_given_out_and_not_used_up_is_good() {
    is_refused_by_both(
        &after_login(vec![event(1.0, refresh(0, "r0"), Answer::Refused)]),
        "a good refresh token was refused",
    );
    // Its answer was lost, and it is within the window.
    let retried = vec![
        event(1.0, refresh(0, "r0"), Answer::Unanswered),
        event(50.0, refresh(0, "r0"), Answer::Refused),
    ];
    is_refused_by_both(&after_login(retried), "a good refresh token was refused");
    let too_late = vec![
        event(1.0, refresh(0, "r0"), Answer::Unanswered),
        event(60.0, refresh(0, "r0"), Answer::Refused),
    ];
    is_fine(&after_login(too_late));
    // A later use of a successor excuses nothing.
    let later =
        vec![event(1.0, refresh(0, "r0"), Answer::Refused), event(3.0, refresh(1, "r1"), pair(2, "r2"))];
    is_refused_by_both(&after_login(later), "a good refresh token was refused");
}

#[test]
fn a_grant_whose_login_was_lost_may_be_refused_and_one_from_before_may_not() {
    let refused = after_login(vec![event(9.0, refresh(0, "r0"), Answer::Refused)]);
    is_fine(&Record { troubles: vec![trouble(Fault::LoseWrites, 0, 5)], ..refused.clone() });
    let before = Record { troubles: vec![trouble(Fault::LoseWrites, 3, 5)], ..refused };
    is_refused_by_both(&before, "a good refresh token was refused");
}

/// The record of its last use is lost, and so is its place behind those that give way before it.
#[test]
fn a_grant_whose_last_use_was_lost_may_give_way_to_as_many_logins_as_are_kept() {
    let other = |number: u32| {
        let token = |text| Token { grant: (1, u64::from(100 + number)), ..token(0, text) };
        Answer::Pair(Pair { access: token("access"), refresh: token("r") })
    };
    let after_logins = |logins: u32| {
        let mut events = vec![event(3.0, refresh(0, "r0"), pair(1, "r1"))];
        events.extend((0..logins).map(|number| event(6.0, Deed::Login, other(number))));
        events.push(event(9.0, refresh(1, "r1"), Answer::Refused));
        after_login(events)
    };
    let lost = || vec![trouble(Fault::LoseWrites, 2, 5)];
    is_fine(&Record { troubles: lost(), ..after_logins(MAX_GRANTS) });
    let few = Record { troubles: lost(), ..after_logins(MAX_GRANTS - 1) };
    is_refused_by_both(&few, "a good refresh token was refused");
    is_refused_by_both(&after_logins(MAX_GRANTS), "a good refresh token was refused");
}

#[test]
fn an_access_token_that_was_given_out_is_good_and_so_is_the_secret() {
    is_called(
        &after_login(vec![event(1.0, Deed::Verify(access(0)), Answer::Refused)]),
        "a good access token",
    );
    is_called(&after_login(vec![event(1.0, Deed::Login, Answer::Refused)]), "a good secret");
    is_called(&after_login(vec![event(1.0, refresh(0, "r0"), Answer::Frozen)]), "it was called frozen");
}

#[test]
fn whoever_is_frozen_or_logged_out_is_known_everywhere_within_the_bound() {
    let frozen = |begin_s| {
        let late = event(begin_s, Deed::Verify(access(0)), Answer::Done);
        after_login(vec![
            event(1.0, Deed::Freeze, Answer::Done),
            late,
            event(30.0, Deed::Unfreeze, Answer::Done),
        ])
    };
    // Answered at 1.5; the bound and the slack are 1.25.
    is_fine(&frozen(2.7));
    is_called(&frozen(2.8), "a node did not know in time");
    let refreshed = event(9.0, refresh(0, "r0"), pair(1, "r1"));
    is_called(
        &after_login(vec![event(1.0, Deed::Freeze, Answer::Done), refreshed.clone()]),
        "did not know in time",
    );
    let logged_out = event(1.0, Deed::Logout(access(0)), Answer::Done);
    is_refused_by_both(&after_login(vec![logged_out.clone(), refreshed]), "did not know in time");
    let verified = event(9.0, Deed::Verify(access(0)), Answer::Done);
    is_called(&after_login(vec![logged_out, verified]), "did not know in time");
}

#[test]
fn a_node_that_says_that_it_is_behind_may_be_late_and_another_may_not() {
    let late = |node, begin_s| {
        let mut ready = event(begin_s, Deed::Ready, Answer::Away);
        ready.at = At::Node(node);
        let verified = event(9.0, Deed::Verify(access(0)), Answer::Done);
        let mut record = after_login(vec![event(1.0, Deed::Freeze, Answer::Done), ready, verified]);
        record.troubles.push(trouble(Fault::CutNodeFromDatabase(node), 1, 20));
        record
    };
    is_fine(&late(0, 8.0));
    is_called(&late(1, 8.0), "did not know in time");
    is_called(&late(0, 3.0), "did not know in time");
}

#[test]
fn the_store_is_away_only_while_it_is_and_nothing_else_is_answered() {
    let away = |begin_s| after_login(vec![event(begin_s, refresh(0, "r0"), Answer::Away)]);
    let failed_over = |begin_s| Record { troubles: vec![trouble(Fault::FailOver, 10, 20)], ..away(begin_s) };
    is_fine(&failed_over(12.0));
    is_fine(&failed_over(21.9));
    is_called(&failed_over(22.1), "away without a reason");
    is_called(&failed_over(9.0), "away without a reason");
    let silent = vec![event(12.0, refresh(0, "r0"), Answer::Unanswered)];
    is_called(&after_login(silent), "not answered without a reason");
    let other = Answer::Other("500 not ours".to_owned());
    is_called(&after_login(vec![event(1.0, refresh(0, "r0"), other)]), "an answer that there should not be");
}

#[test]
fn at_the_end_everything_is_answered_and_what_was_lost_has_caught_up() {
    let refused = vec![
        event(1_000.0, refresh(0, "r0"), pair(1, "r1")),
        event(1_001.0, refresh(1, "r1"), Answer::Frozen),
    ];
    let frozen =
        vec![event(999.0, Deed::Freeze, Answer::Done), event(1_001.0, refresh(1, "r1"), Answer::Frozen)];
    assert_eq!(violations(&after_login(refused)).len(), 2);
    is_called(&after_login(frozen), "should have worked");
    // Who is refused even then has lost the login, or was wronged.
    let refused = after_login(vec![event(1_001.0, refresh(0, "r0"), Answer::Refused)]);
    assert_eq!(violations(&refused).len(), 2);
    is_fine(&Record { troubles: vec![trouble(Fault::LoseWrites, 0, 5)], ..refused });
    let mut silent = record(Vec::new(), vec![trouble(Fault::LoseWrites, 1, 2)]);
    silent.caught_up = 0;
    is_called(&silent, "no grant was said to have caught up");
}

/// The checker of laws judges each answer by what came before it, and knows no law about these. No order of the operations explains them.
#[test]
fn answers_that_fit_no_order_are_refused_by_the_second_checker() {
    let is_unordered = |events: Vec<Event>| {
        let record = after_login(events);
        assert_eq!(linearizability::violations(&record), [(1, GRANT)], "{record:#?}");
    };
    let used =
        || vec![event(1.0, refresh(0, "r0"), pair(1, "r1")), event(2.0, refresh(1, "r1"), pair(2, "r2"))];
    // An ancestor is answered after its successor was used.
    is_unordered([used(), vec![event(3.0, refresh(0, "r0"), pair(1, "r1"))]].concat());
    // A token is ahead of the record, and nothing was lost.
    is_unordered(vec![event(1.0, refresh(3, "r3"), pair(4, "r4"))]);
    // A logout takes effect late, within the time that a verify may be late.
    is_unordered(vec![
        event(1.0, Deed::Logout(access(0)), Answer::Done),
        event(1.6, refresh(0, "r0"), pair(1, "r1")),
    ]);
    // While they overlap, either order is right.
    let overlapping = after_login(vec![
        event(1.0, Deed::Logout(access(0)), Answer::Done),
        event(1.4, refresh(0, "r0"), pair(1, "r1")),
    ]);
    assert_eq!(linearizability::violations(&overlapping), []);
}

#[test]
fn an_operation_without_an_answer_happens_at_any_time_or_never() {
    let unanswered = || event(1.0, refresh(0, "r0"), Answer::Unanswered);
    for later in [
        vec![event(5.0, refresh(0, "r0"), pair(1, "r1"))],
        vec![event(5.0, refresh(0, "r0"), pair(1, "r1")), event(6.0, refresh(1, "r1"), pair(2, "r2"))],
        vec![
            event(5.0, Deed::Logout(access(0)), Answer::Unanswered),
            event(9.0, refresh(0, "r0"), pair(1, "r1")),
        ],
        vec![
            event(5.0, Deed::Logout(access(0)), Answer::Unanswered),
            event(9.0, refresh(0, "r0"), Answer::Refused),
        ],
    ] {
        let record = after_login([vec![unanswered()], later].concat());
        assert_eq!(linearizability::violations(&record), [], "{record:#?}");
    }
    // It cannot make two tokens of one.
    let forked = [
        unanswered(),
        event(5.0, refresh(0, "r0"), pair(1, "r1")),
        event(5.0, refresh(0, "r0"), pair(1, "r2")),
    ];
    assert_eq!(linearizability::violations(&after_login(forked.into())), [(1, GRANT)]);
}
