//! A small model of the rules against the rules over a store, over any order of deeds.
//!
//! The model keeps what a reader of the documentation would: whose a token is, its generation, the grant's generation,
//! and when things end. Whatever an application is handed is compared with it, and every token ever handed out is kept
//! and tried again.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use northgate_core::actor::Actor;
use northgate_core::administer::Change;
use northgate_core::admit::{AdmissionError, Caller};
use northgate_core::application::AppNumber;
use northgate_core::auth::Settings;
use northgate_core::clock::{CLOCK_SKEW, CLOCK_TOLERANCE, Timestamp};
use northgate_core::grant::GrantKey;
use northgate_core::issue::Pair;
use northgate_core::login::LoginError;
use northgate_core::logout::Logout;
use northgate_core::policy::{LAST_ONLY_OVERLAP, Logins, OnReuse, Overrides, Policy, Rotation};
use northgate_core::refresh::{RefreshError, Refusal};
use northgate_core::token::Claims;
use northgate_core::verify::VerifyError;
use proptest::prelude::*;
use proptest::sample::Index;
use tokio::task::JoinSet;

use super::world::{Customer, DAY, HOME, HOUR, MILLISECOND, MINUTE, SECOND, SETTINGS, World};

#[derive(Clone, Debug)]
enum Deed {
    Login(usize),
    /// With the token handed out this many tokens ago, by this many workers at once.
    Refresh(usize, usize),
    /// With any token ever handed out.
    RefreshAny(Index),
    /// By an application to which the token need not belong.
    Steal(usize, Index),
    Logout(Index),
    Freeze(usize),
    Unfreeze(usize),
    /// Deletes the application and creates another with its appId.
    Replace(usize),
    Set(usize, Overrides),
    /// Ends all tokens of an application.
    Revoke(usize),
    /// From here on operations come to a node whose clock is off by so many milliseconds.
    Node(i64),
    /// Forgets what need not be known by this clock any more.
    Forget,
    Restart,
    RotateKeyring,
    Wait(Duration),
    SetBack(Duration),
}

const APPS: [&str; 3] = ["a", "b", "c"];
/// So few that every trial reaches them.
const CLOSED_GRANTS: usize = 4;

fn deeds() -> impl Strategy<Value = Vec<Deed>> {
    let app = || 0..APPS.len();
    let waits = [MILLISECOND, SECOND, 29 * SECOND, MINUTE - MILLISECOND, MINUTE, HOUR, 16 * DAY];
    let deed = prop_oneof![
        5 => app().prop_map(Deed::Login),
        12 => (0..4_usize, 1..5_usize).prop_map(|(back, at_once)| Deed::Refresh(back, at_once)),
        4 => any::<Index>().prop_map(Deed::RefreshAny),
        1 => (app(), any::<Index>()).prop_map(|(app, token)| Deed::Steal(app, token)),
        2 => any::<Index>().prop_map(Deed::Logout),
        1 => app().prop_map(Deed::Freeze),
        2 => app().prop_map(Deed::Unfreeze),
        1 => app().prop_map(Deed::Replace),
        2 => (app(), overrides()).prop_map(|(app, overrides)| Deed::Set(app, overrides)),
        1 => app().prop_map(Deed::Revoke),
        6 => prop::sample::select(vec![0, 3_000, -2_000]).prop_map(Deed::Node),
        2 => Just(Deed::Forget),
        2 => Just(Deed::Restart),
        1 => Just(Deed::RotateKeyring),
        6 => prop::sample::select(waits.to_vec()).prop_map(Deed::Wait),
        1 => prop::sample::select(vec![SECOND, MINUTE, HOUR, 16 * DAY]).prop_map(Deed::SetBack),
    ];
    prop::collection::vec(deed, 1..60)
}

fn overrides() -> impl Strategy<Value = Overrides> {
    let rotation = prop::sample::select(vec![Rotation::Once, Rotation::Once, Rotation::Reusable]);
    let window = prop::sample::select(vec![Duration::ZERO, MINUTE, HOUR]);
    let on_reuse = prop::sample::select(vec![OnReuse::Deny, OnReuse::Close]);
    let logins = prop::sample::select(vec![Logins::Many, Logins::Many, Logins::LastOnly]);
    (rotation, window, on_reuse, logins, 1..4_u32).prop_map(|(rotation, window, on_reuse, logins, max)| {
        Overrides {
            rotation: Some(rotation),
            retry_window: Some(window),
            on_reuse: Some(on_reuse),
            logins: Some(logins),
            max_grants: Some(max),
            ..Overrides::default()
        }
    })
}

/// What an application hears, as far as the model tells it apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Heard {
    /// A pair whose refresh token is of this generation.
    Pair(u32),
    Frozen,
    NotYours,
    Refused,
}

/// An application as the model knows it.
struct App {
    number: AppNumber,
    policy: Policy,
    is_frozen: bool,
    /// Tokens that say an earlier time are over.
    not_before: Timestamp,
    /// The closed grants that are known, and until when.
    closed: HashMap<GrantKey, Timestamp>,
}

/// A grant as the model knows it.
struct Chain {
    app: usize,
    is_live: bool,
    generation: u32,
    /// By the clock of the node, and what its refresh token says of it: no time before the not-before.
    refreshed_at: Timestamp,
    issued_at: Timestamp,
    /// In which order grants were opened and refreshed, by no clock.
    place: u64,
    expires_at: Timestamp,
    /// When its access tokens end before their time.
    ends_at: Option<Timestamp>,
}

struct Model {
    apps: Vec<App>,
    chains: HashMap<GrantKey, Chain>,
    /// Grants that were opened or refreshed.
    places: u64,
    /// The latest time at which the process issued a token.
    issued_until: Timestamp,
    /// Up to when revocations were forgotten.
    forgotten: Timestamp,
}

impl App {
    fn issues_at(&self, now: Timestamp) -> Timestamp {
        now.max(self.not_before)
    }

    /// Whether no more closed grants can be kept.
    fn is_full(&self, now: Timestamp) -> bool {
        self.closed.values().filter(|forget_at| now < **forget_at).count() >= CLOSED_GRANTS
    }

    fn close(&mut self, grant: GrantKey, forget_at: Timestamp) {
        let known = self.closed.entry(grant).or_insert(forget_at);
        *known = forget_at.max(*known);
    }
}

impl Model {
    fn next_place(&mut self) -> u64 {
        self.places += 1;
        self.places
    }

    fn issued(&mut self, now: Timestamp) {
        self.issued_until = self.issued_until.max(now);
    }

    /// All tokens of an application end, whatever clock issued them.
    fn revoke(&mut self, app: usize, now: Timestamp) {
        let is_wrong = self.issued_until.since(now) > CLOCK_TOLERANCE;
        let latest = if is_wrong { now } else { self.issued_until.max(now) };
        let latest = latest.max(self.forgotten);
        let App { not_before, closed, number, .. } = &mut self.apps[app];
        let whole = latest.plus(CLOCK_SKEW + SECOND).as_millis().div_ceil(1_000) * 1_000;
        let after_the_last =
            if *not_before == Timestamp::EPOCH { *not_before } else { not_before.plus(SECOND) };
        *not_before = Timestamp::from_millis(whole).max(after_the_last);
        let lifetime = SETTINGS.policy.access_lifetime + SETTINGS.leeway + CLOCK_SKEW;
        closed.retain(|_, forget_at| *forget_at > not_before.plus(lifetime));
        let beyond = self.chains.iter_mut().filter(|(key, chain)| {
            key.application == *number && chain.is_live && chain.issued_at > *not_before
        });
        for (key, chain) in beyond {
            chain.close();
            closed.insert(*key, chain.issued_at.plus(lifetime));
        }
    }

    fn forget(&mut self, now: Timestamp) {
        if now < self.forgotten {
            return;
        }
        let mut upto = Timestamp::EPOCH;
        for app in &mut self.apps {
            app.closed.retain(|_, forget_at| {
                if *forget_at <= now {
                    upto = upto.max(*forget_at);
                }
                *forget_at > now
            });
        }
        let whole = Timestamp::from_millis(upto.as_millis().div_ceil(1_000) * 1_000);
        self.forgotten = self.forgotten.max(whole);
    }

    fn login(&mut self, app: usize, opened: GrantKey, now: Timestamp) {
        let policy = self.apps[app].policy;
        let (not_before, place) = (self.apps[app].not_before, self.next_place());
        self.issued(now);
        let mut others: Vec<(&GrantKey, &mut Chain)> =
            self.chains.iter_mut().filter(|(_, chain)| chain.app == app && chain.is_live).collect();
        others.sort_by_key(|(_, chain)| {
            let is_over = now >= chain.expires_at.plus(CLOCK_SKEW) || chain.issued_at < not_before;
            (!is_over, chain.place)
        });
        let leaving = match policy.logins {
            Logins::LastOnly => others.len(),
            Logins::Many => others.len().saturating_sub(policy.max_grants as usize - 1),
        };
        for (key, chain) in &mut others[..leaving] {
            chain.is_live = false;
            if policy.logins == Logins::LastOnly {
                chain.end(now.plus(LAST_ONLY_OVERLAP));
                let forget_at = now.plus(policy.access_lifetime + SETTINGS.leeway + CLOCK_SKEW);
                self.apps[app].close(**key, forget_at);
            }
        }
        let chain = Chain {
            app,
            is_live: true,
            generation: 0,
            refreshed_at: now,
            issued_at: now.max(not_before),
            place,
            expires_at: now.plus(policy.refresh_lifetime),
            ends_at: None,
        };
        self.chains.insert(opened, chain);
    }

    fn refresh(&mut self, app: usize, token: &Claims, now: Timestamp) -> Heard {
        let place = self.next_place();
        let App { number, policy, is_frozen, not_before, .. } = &self.apps[app];
        let issued_at = self.apps[app].issues_at(now);
        if *is_frozen {
            return Heard::Frozen;
        }
        // The owner of an expired token is known while its key exists, which the model leaves out.
        if now >= token.expires_at {
            return Heard::Refused;
        }
        if token.grant.application != *number {
            return Heard::NotYours;
        }
        let chain = self.chains.get_mut(&token.grant).unwrap();
        let is_ahead = token.issued_at.since(issued_at) > CLOCK_TOLERANCE;
        if token.issued_at < *not_before || !chain.is_live || is_ahead && now >= chain.expires_at {
            return Heard::Refused;
        }
        if token.generation == chain.generation && policy.rotation == Rotation::Once {
            chain.generation += 1;
            (chain.refreshed_at, chain.issued_at, chain.place) = (now, issued_at, place);
            chain.expires_at = now.plus(policy.refresh_lifetime);
        } else if token.generation != chain.generation {
            let is_retry = token.generation + 1 == chain.generation && chain.is_retry(policy, now);
            if !is_retry {
                if policy.on_reuse == OnReuse::Close {
                    chain.close();
                    let forget_at = now.plus(policy.access_lifetime + SETTINGS.leeway + CLOCK_SKEW);
                    self.apps[app].close(token.grant, forget_at);
                }
                return Heard::Refused;
            }
        }
        let generation = chain.generation;
        self.issued(now);
        Heard::Pair(generation)
    }

    fn verify(&self, app: usize, token: &Claims, now: Timestamp) -> Result<(), VerifyError> {
        let (app, chain) = (&self.apps[app], &self.chains[&token.grant]);
        if token.grant.application != app.number {
            return Err(VerifyError::NotYours);
        }
        if self.is_past(token, now) {
            return Err(VerifyError::Expired);
        }
        if app.is_frozen {
            return Err(VerifyError::Frozen);
        }
        if token.issued_at < app.not_before || chain.has_ended(now) {
            return Err(VerifyError::Revoked);
        }
        let issue_time = app.issues_at(now).max(self.forgotten);
        if token.expires_at.since(now.plus(SETTINGS.policy.access_lifetime)) > CLOCK_TOLERANCE
            || token.issued_at.since(issue_time) > CLOCK_TOLERANCE
        {
            return Err(VerifyError::Ahead);
        }
        Ok(())
    }

    /// A token of a closed grant from before the clock was set back. After a restart, a not-before may lie before it, and if its
    /// grant was refreshed and closed by the clock behind, its revocation does not show that: docs/operating/clock.md.
    fn is_behind_a_clock_set_back(&self, app: usize, token: &Claims) -> bool {
        let (app, chain) = (&self.apps[app], &self.chains[&token.grant]);
        let is_closed = chain.ends_at.is_some() && !app.closed.contains_key(&token.grant);
        is_closed && app.not_before > Timestamp::EPOCH && token.issued_at >= app.not_before
    }

    /// By the clock, or by what was forgotten.
    fn is_past(&self, token: &Claims, now: Timestamp) -> bool {
        let end = token.expires_at.plus(SETTINGS.leeway);
        now >= end || end <= self.forgotten && token.issued_at < self.forgotten
    }

    /// Its grants are gone with it, and take no place from those of the next application with its appId.
    fn delete(&mut self, app: usize) {
        for chain in self.chains.values_mut().filter(|chain| chain.app == app) {
            chain.is_live = false;
        }
    }

    fn logout(&mut self, token: &Claims, now: Timestamp) -> Logout {
        let is_past = self.is_past(token, now);
        let chain = self.chains.get_mut(&token.grant).unwrap();
        let app = chain.app;
        let is_known = self.apps[app].number == token.grant.application;
        let is_over = is_past || token.issued_at < self.apps[app].not_before || chain.has_ended(now);
        if !is_known || is_over {
            return Logout::AlreadyOver(token.grant);
        }
        if self.apps[app].is_full(now) && !chain.is_live {
            self.revoke(app, now);
            return Logout::EndedAll(token.grant);
        }
        chain.close();
        let of_policy = now.plus(SETTINGS.policy.access_lifetime + SETTINGS.leeway + CLOCK_SKEW);
        self.apps[app].close(token.grant, of_policy.max(token.expires_at.plus(SETTINGS.leeway)));
        Logout::Closed(token.grant)
    }
}

impl Chain {
    /// An end that lies further ahead than the overlap is one from before the clock was set back.
    fn has_ended(&self, now: Timestamp) -> bool {
        self.ends_at.is_some_and(|at| at <= now || at > now.plus(LAST_ONLY_OVERLAP + CLOCK_SKEW))
    }

    /// Of a time that a not-before far ahead has hidden, the end tells.
    fn is_retry(&self, policy: &Policy, now: Timestamp) -> bool {
        let is_hidden = self.issued_at.since(now) > CLOCK_TOLERANCE;
        let refreshed_at = if is_hidden { self.refreshed_at } else { self.issued_at };
        !policy.retry_window.is_zero() && now.since(refreshed_at) < policy.retry_window + CLOCK_SKEW
    }

    fn end(&mut self, at: Timestamp) {
        self.ends_at = Some(self.ends_at.map_or(at, |known| known.min(at)));
    }

    /// By every clock.
    fn close(&mut self) {
        self.is_live = false;
        self.end(Timestamp::EPOCH);
    }
}

/// A token that was handed out, and what it says.
struct Handed {
    app: usize,
    text: String,
    claims: Claims,
    /// The clock was set back far behind its time: refused until then, and the model makes no more of it.
    is_of_clock_ahead: bool,
}

/// The world, the model, and all that was handed out.
struct Trial {
    world: World,
    customers: Vec<Arc<Customer>>,
    model: Model,
    refresh_tokens: Vec<Handed>,
    access_tokens: Vec<Handed>,
    /// The one refresh token of a grant's generation; a rotation of the keyring begins anew.
    successors: HashMap<(GrantKey, u32), String>,
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn whatever_happens_every_answer_is_what_the_model_says_and_no_chain_forks(deeds in deeds()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut trial = Trial::new().await;
            for deed in deeds {
                trial.act(deed).await;
                trial.check_access_tokens();
            }
            trial.try_everything_again().await;
        });
    }
}

impl Trial {
    async fn new() -> Trial {
        let world = World::with(Settings { closed_grants: CLOSED_GRANTS, ..SETTINGS }).await;
        let mut trial = Trial {
            world,
            customers: Vec::new(),
            model: Model {
                apps: Vec::new(),
                chains: HashMap::new(),
                places: 0,
                issued_until: Timestamp::EPOCH,
                forgotten: Timestamp::EPOCH,
            },
            refresh_tokens: Vec::new(),
            access_tokens: Vec::new(),
            successors: HashMap::new(),
        };
        for (app, id) in APPS.into_iter().enumerate() {
            trial.create(app, id).await;
        }
        trial
    }

    async fn create(&mut self, app: usize, id: &str) {
        let customer = self.world.customer(id).await;
        let number = self.world.auth().registry().find(&customer.id).unwrap().number;
        let (not_before, closed) = (Timestamp::EPOCH, HashMap::new());
        let known = App { number, policy: SETTINGS.policy, is_frozen: false, not_before, closed };
        self.customers.splice(app..self.customers.len().min(app + 1), [Arc::new(customer)]);
        self.model.apps.splice(app..self.model.apps.len().min(app + 1), [known]);
    }

    async fn act(&mut self, deed: Deed) {
        match deed {
            Deed::Login(app) => self.login(app).await,
            Deed::Refresh(back, at_once) => {
                if let Some(token) = self.refresh_tokens.len().checked_sub(back + 1) {
                    self.refresh(self.refresh_tokens[token].app, token, at_once).await;
                }
            }
            Deed::RefreshAny(token) if !self.refresh_tokens.is_empty() => {
                let token = token.index(self.refresh_tokens.len());
                self.refresh(self.refresh_tokens[token].app, token, 1).await;
            }
            Deed::Steal(app, token) if !self.refresh_tokens.is_empty() => {
                self.refresh(app, token.index(self.refresh_tokens.len()), 1).await;
            }
            Deed::Logout(token) if !self.access_tokens.is_empty() => {
                self.logout(token.index(self.access_tokens.len())).await;
            }
            Deed::RefreshAny(_) | Deed::Steal(..) | Deed::Logout(_) => {}
            Deed::Freeze(app) => {
                self.world.freeze(&self.customers[app]).await;
                self.model.apps[app].is_frozen = true;
            }
            Deed::Unfreeze(app) => {
                self.world.unfreeze(&self.customers[app]).await;
                self.model.apps[app].is_frozen = false;
            }
            Deed::Replace(app) => {
                self.world
                    .auth()
                    .delete(&self.customers[app].id, &Actor::LOCAL, self.world.now())
                    .await
                    .unwrap();
                self.model.delete(app);
                self.create(app, APPS[app]).await;
            }
            Deed::Set(app, overrides) => {
                self.world.set(&self.customers[app], overrides).await;
                self.model.apps[app].policy = overrides.over(&SETTINGS.policy);
            }
            Deed::Revoke(app) => {
                self.world.change(&self.customers[app], Change::Revoke).await;
                self.model.revoke(app, self.world.now());
            }
            Deed::Node(skew_ms) => self.world.skew_ms = skew_ms,
            Deed::Forget => {
                self.world.forget().await;
                self.model.forget(self.world.now());
            }
            Deed::Restart => {
                self.world.restart().await;
                self.model.issued_until = Timestamp::EPOCH;
                self.model.forgotten = self.world.auth().registry().high_water().tokens();
                self.recall();
            }
            Deed::RotateKeyring => {
                self.world.rotate_keyring();
                self.successors.clear();
            }
            Deed::Wait(time) => self.world.advance(time),
            Deed::SetBack(time) => {
                self.world.set_back(time);
                let now = self.world.now();
                for token in &mut self.access_tokens {
                    token.is_of_clock_ahead |=
                        token.claims.expires_at.since(now.plus(HOUR)) > CLOCK_TOLERANCE;
                }
            }
        }
    }

    async fn login(&mut self, app: usize) {
        let now = self.world.now();
        let is_full = self.model.apps[app].is_full(now);
        let logins = self.model.apps[app].policy.logins;
        match self.world.try_login(&self.customers[app]).await {
            Ok(login) => {
                assert!(!self.model.apps[app].is_frozen && (!is_full || logins == Logins::LastOnly));
                assert_eq!(login.has_ended_all, is_full);
                if is_full {
                    self.model.revoke(app, now);
                }
                self.model.login(app, login.grant, now);
                self.hand_out(app, login.pair);
            }
            Err(LoginError::TooManyClosed) => assert!(is_full && logins == Logins::Many),
            Err(LoginError::Admission(AdmissionError::Frozen)) => assert!(self.model.apps[app].is_frozen),
            Err(error) => panic!("{error}"),
        }
    }

    /// What a store has not written that it was forgotten, it may know again.
    fn recall(&mut self) {
        for app in &mut self.model.apps {
            for (id, revocation) in self.world.auth().registry().revocations_of(app.number) {
                app.close(GrantKey { application: app.number, id }, revocation.forget_at);
            }
        }
    }

    /// Several workers of one application present one token at once: the answers are those of some order.
    async fn refresh(&mut self, app: usize, token: usize, at_once: usize) {
        let (now, claims) = (self.world.now(), self.refresh_tokens[token].claims);
        if self.has_lost_its_key(&self.refresh_tokens[token]) {
            return;
        }
        let mut workers = JoinSet::new();
        for _ in 0..at_once {
            let (auth, customer) = (Arc::clone(self.world.auth()), Arc::clone(&self.customers[app]));
            let text = self.refresh_tokens[token].text.clone();
            workers.spawn(async move {
                auth.refresh(&Caller::with_secret(&customer.id, &customer.secret, HOME), &text, now).await
            });
        }
        let mut heard = Vec::new();
        for answer in workers.join_all().await {
            heard.push(match answer {
                Ok(refresh) => Heard::Pair(self.hand_out(app, refresh.pair)),
                Err(RefreshError::Admission(AdmissionError::Frozen)) => Heard::Frozen,
                Err(RefreshError::Refused(Refusal::NotYours)) if now < claims.expires_at => Heard::NotYours,
                Err(RefreshError::Refused(_)) => Heard::Refused,
                Err(error) => panic!("{error}"),
            });
        }
        let mut expected: Vec<Heard> = (0..at_once).map(|_| self.model.refresh(app, &claims, now)).collect();
        heard.sort_unstable();
        expected.sort_unstable();
        assert_eq!(heard, expected, "{claims:?}");
    }

    async fn logout(&mut self, token: usize) {
        let (now, claims) = (self.world.now(), self.access_tokens[token].claims);
        let handed = &self.access_tokens[token];
        let is_unknown = self.model.is_behind_a_clock_set_back(handed.app, &claims);
        if self.has_lost_its_key(handed) || handed.is_of_clock_ahead || is_unknown {
            return;
        }
        let done = self.world.logout(&self.access_tokens[token].text).await.unwrap();
        assert_eq!(done, self.model.logout(&claims, now));
    }

    /// Keeps what was handed out; of one generation there is one refresh token. Returns the generation.
    fn hand_out(&mut self, app: usize, pair: Pair) -> u32 {
        let keyring = self.world.auth().keyring();
        let handed = |text: String| Handed {
            app,
            claims: Claims::authenticate(&text, &keyring).unwrap(),
            text,
            is_of_clock_ahead: false,
        };
        let (refresh, access) = (handed(pair.refresh_token), handed(pair.access_token));
        let generation = refresh.claims.generation;
        assert_eq!((access.claims.grant, access.claims.generation), (refresh.claims.grant, generation));
        let successor = self.successors.entry((refresh.claims.grant, generation));
        assert_eq!(*successor.or_insert_with(|| refresh.text.clone()), refresh.text, "the chain forked");
        self.refresh_tokens.push(refresh);
        self.access_tokens.push(access);
        generation
    }

    fn check_access_tokens(&self) {
        let now = self.world.now();
        for Handed { app, text, claims, is_of_clock_ahead } in
            self.access_tokens.iter().filter(|token| !self.has_lost_its_key(token))
        {
            if self.model.is_behind_a_clock_set_back(*app, claims) {
                continue;
            }
            let verdict = self.world.verify(&self.customers[*app], text);
            if *is_of_clock_ahead {
                let is_ahead = claims.expires_at.since(now.plus(HOUR)) > CLOCK_TOLERANCE;
                assert!(!is_ahead || verdict.is_err(), "{claims:?}");
                continue;
            }
            assert_eq!(verdict, self.model.verify(*app, claims, now), "{claims:?}");
        }
    }

    async fn try_everything_again(&mut self) {
        self.act(Deed::Restart).await;
        for app in 0..APPS.len() {
            self.act(Deed::Unfreeze(app)).await;
        }
        // The last ones first, so that each grant is refreshed with its current token before an older one is tried.
        for token in (0..self.refresh_tokens.len()).rev() {
            self.refresh(self.refresh_tokens[token].app, token, 1).await;
        }
    }

    /// A rotation drops the keys whose tokens have all expired by the clock of that moment.
    fn has_lost_its_key(&self, token: &Handed) -> bool {
        Claims::authenticate(&token.text, &self.world.auth().keyring()).is_err()
    }
}
