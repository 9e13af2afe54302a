//! What was asked, when, and what was answered; and what was broken meanwhile. All times are since the start.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// A token, and what it says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Token {
    pub text: String,
    pub grant: Grant,
    pub generation: u32,
    pub issued_at_ms: u64,
}

/// The application's number and the grant's id.
pub type Grant = (u32, u64);

#[derive(Clone, Debug)]
pub struct Pair {
    pub access: Token,
    pub refresh: Token,
}

#[derive(Clone, Debug)]
pub enum Deed {
    Login,
    Refresh(Token),
    Logout(Token),
    Verify(Token),
    Freeze,
    Unfreeze,
    SetPolicy,
    /// A presentation of the client assertion with this number (`jti`).
    Authenticate(u64),
    /// Whether a node wants requests.
    Ready,
}

#[derive(Clone, Debug)]
pub enum Answer {
    Pair(Pair),
    Done,
    Frozen,
    /// 403 with 1010009, or 429.
    Throttled,
    Refused,
    /// 500 with 50252, or 503: the store is away.
    Away,
    /// No whole answer in time.
    Unanswered,
    /// Anything else, to be read where it is printed.
    #[allow(dead_code)]
    Other(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At {
    Balancer,
    Node(usize),
}

#[derive(Clone, Debug)]
pub struct Event {
    pub begin: Duration,
    pub end: Duration,
    /// By its place among all; those of a node belong to none.
    pub application: Option<usize>,
    pub at: At,
    pub deed: Deed,
    pub answer: Answer,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    KillNode(usize),
    CutNodeFromDatabase(usize),
    StallNodeFromDatabase(usize),
    CutNodeFromBalancer(usize),
    StallNodeFromBalancer(usize),
    CutReplication,
    StallReplication,
    FailOver,
    /// The standby becomes the primary, and the former one, which takes no more writes, closes no session. In the suite `patroni` a
    /// tool does it.
    SwitchOver,
    /// One node alone is left with the primary, while the others get a new one; the former is not ended.
    #[allow(dead_code, reason = "a tool fences it in the suite `patroni`")]
    IsolatePrimary(usize),
    /// The databases' disk is full.
    #[allow(dead_code, reason = "the cluster of the suite `patroni` is on no disk of its own")]
    FillDisk,
    /// The clock of the node steps, and back.
    #[allow(dead_code, reason = "clocks stand in the suite `patroni`")]
    StepClock(usize),
    /// Each node in turn is stopped, and another version started in its place.
    #[allow(dead_code, reason = "the suite `patroni` is about the databases")]
    Upgrade,
    /// An asynchronous fail-over that loses the last writes.
    LoseWrites,
    /// The primary takes no writes, and closes no session.
    ReadOnlyPrimary,
    /// The nodes' role may not insert grants.
    RevokePrivilege,
    /// The nodes' role gets a few connections for all of them together.
    FewConnections,
    /// The log of the node goes to a full pipe without a reader; then it is stopped and started.
    UnreadLog(usize),
    /// More requests reach the node than its queue has room for, while the database does not answer it.
    FillQueue(usize),
    /// All the used assertions that nodes remember of an application are there.
    FillAssertions,
}

#[derive(Clone, Copy, Debug)]
pub struct Trouble {
    pub fault: Fault,
    pub begin: Duration,
    pub end: Duration,
}

/// All that happened, for the checker.
#[derive(Clone, Debug)]
pub struct Record {
    pub events: Vec<Event>,
    pub troubles: Vec<Trouble>,
    /// From here on nothing was broken any more, and each application showed that its pair is good.
    pub quiet_from: Duration,
    /// How late this machine runs what is due.
    pub slack: Duration,
    /// How often nodes wrote that a grant had gone back and caught up.
    pub caught_up: usize,
}

/// The record while it is made.
pub struct History {
    start: Instant,
    events: Mutex<Vec<Event>>,
    troubles: Mutex<Vec<Trouble>>,
}

impl History {
    pub fn new() -> History {
        History { start: Instant::now(), events: Mutex::default(), troubles: Mutex::default() }
    }

    pub fn now(&self) -> Duration {
        self.start.elapsed()
    }

    pub fn add(&self, begin: Duration, application: Option<usize>, at: At, deed: Deed, answer: Answer) {
        let event = Event { begin, end: self.now(), application, at, deed, answer };
        self.events.lock().unwrap().push(event);
    }

    pub fn add_trouble(&self, fault: Fault, begin: Duration) {
        self.troubles.lock().unwrap().push(Trouble { fault, begin, end: self.now() });
    }

    pub fn take_record(&self, quiet_from: Duration, slack: Duration, caught_up: usize) -> Record {
        let events = std::mem::take(&mut *self.events.lock().unwrap());
        let troubles = std::mem::take(&mut *self.troubles.lock().unwrap());
        Record { events, troubles, quiet_from, slack, caught_up }
    }
}

impl Token {
    /// Reads the layout that docs/tokens.md has.
    pub fn read(text: &str) -> Option<Token> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok().filter(|bytes| bytes.len() == 48)?;
        let number =
            |from: usize, to: usize| bytes[from..to].iter().fold(0, |all, byte| all << 8 | u64::from(*byte));
        Some(Token {
            text: text.to_owned(),
            grant: (number(4, 8) as u32, number(8, 16)),
            generation: number(16, 20) as u32,
            issued_at_ms: number(20, 26),
        })
    }
}
