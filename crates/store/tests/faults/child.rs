//! A process of its own over a store, which executes the commands on its input and answers on its output.

use std::io::{BufRead, BufReader, Lines, Write};
use std::path::{Path, PathBuf};
use std::process::{Child as Process, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use northgate_core::actor::Actor;
use northgate_core::administer::{Creation, Wanted};
use northgate_core::admit::Caller;
use northgate_core::allow::Allow;
use northgate_core::app_id::AppId;
use northgate_core::application::State;
use northgate_core::issue::Pair;
use northgate_core::login::LoginError;
use northgate_core::policy::Overrides;
use northgate_core::refresh::{How, RefreshError};
use northgate_core::secret::{SecretText, Secrets};
use northgate_core::store::{Created, NewApplication, Store};
use tokio::task::JoinSet;

use super::house::{BEGINNING, HERE, House};
use northgate_testkit::fault_shim::Shim;

/// The child as its parent holds it.
pub struct Child {
    process: Process,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
}

/// The child is gone; it was killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gone;

/// An answer of the child: its words.
pub type Answer = Vec<String>;

impl Child {
    /// The present program once more, with `shim` under it.
    pub fn start(data_dir: &Path, shim: &Shim) -> Child {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["child::obeys", "--exact", "--nocapture", "--test-threads=1"]);
        command.env(DATA_DIR, data_dir).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        shim.put_under(&mut command);
        let mut process = command.spawn().unwrap();
        let (input, output) = (process.stdin.take().unwrap(), process.stdout.take().unwrap());
        Child { process, input, output: BufReader::new(output).lines() }
    }

    pub fn ask(&mut self, words: &[&str]) -> Result<Answer, Gone> {
        // Whether it is gone shows when it does not answer.
        let _ = writeln!(self.input, "{}", words.join(" "));
        loop {
            let line = self.output.next().ok_or(Gone)?.unwrap();
            // The test harness says a word, too.
            if let Some((_, answer)) = line.split_once("answer: ") {
                return Ok(answer.split(' ').map(str::to_owned).collect());
            }
        }
    }

    pub fn kill(mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // It may be gone already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

const DATA_DIR: &str = "NORTHGATE_FAULTS_DATA_DIR";

/// Not a law but the child itself, when the environment names its data.
#[test]
fn obeys() {
    // A test has no configuration to take it from.
    #[allow(clippy::disallowed_methods)]
    let Ok(data_dir) = std::env::var(DATA_DIR) else { return };
    let data_dir = PathBuf::from(data_dir);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let clock = Arc::new(AtomicU64::new(BEGINNING));
    let mut house = None;
    for line in std::io::stdin().lines() {
        let line = line.unwrap();
        let words: Vec<&str> = line.split(' ').collect();
        let answer = match (words[..].first().copied(), &house) {
            (Some("open"), _) => {
                house = None;
                match House::open(&data_dir, Arc::clone(&clock)) {
                    Ok(opened) => {
                        house = Some(opened);
                        "done".to_owned()
                    }
                    Err(error) => format!("failed {}", with_causes(&error)),
                }
            }
            (Some("stop"), _) => {
                house = None;
                "done".to_owned()
            }
            (_, Some(house)) => runtime.block_on(obey(house, &words)),
            (_, None) => panic!("open it first"),
        };
        println!("answer: {answer}");
    }
}

/// An error with its causes.
fn with_causes(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

async fn obey(house: &House, words: &[&str]) -> String {
    let now = house.now();
    let app = || AppId::parse("app").unwrap();
    let secret = |text: &str| SecretText::parse(text).unwrap();
    match *words {
        ["create"] => {
            let wanted = Wanted {
                id: Some(app()),
                name: "app".to_owned(),
                owner: None,
                secret: None,
                overrides: Overrides::default(),
                allow: Allow::default(),
            };
            match house.auth.create(wanted, &Actor::LOCAL, now).await {
                Ok(Creation::Created(_, Some(secret))) => format!("created {}", secret.reveal()),
                Ok(_) => "taken".to_owned(),
                Err(_) => "unavailable".to_owned(),
            }
        }
        ["secret"] => match house.auth.add_secret(&app(), String::new(), None, &Actor::LOCAL, now).await {
            Ok((_, Some(secret))) => format!("created {}", secret.reveal()),
            Ok(_) | Err(_) => "unavailable".to_owned(),
        },
        ["login", text] => match house.auth.login(&app(), &secret(text), HERE, now).await {
            Ok(login) => pair(&login.pair),
            Err(LoginError::Store(_)) => "unavailable".to_owned(),
            Err(error) => panic!("{error}"),
        },
        ["refresh", text, token] => {
            match house.auth.refresh(&Caller::with_secret(&app(), &secret(text), HERE), token, now).await {
                // Good for its owner, and yet a sign that an answered step was lost.
                Ok(refresh) if matches!(refresh.how, How::CaughtUp { .. }) => "caught-up".to_owned(),
                Ok(refresh) => pair(&refresh.pair),
                Err(RefreshError::Store(_)) => "unavailable".to_owned(),
                Err(RefreshError::Refused(refusal)) => format!("refused {refusal}"),
                Err(error) => panic!("{error}"),
            }
        }
        ["logout", token] => match house.auth.logout(token, now).await {
            Ok(_) => "done".to_owned(),
            Err(_) => "unavailable".to_owned(),
        },
        ["verify", token] => match house.auth.verify(Some(&app()), token, None, &[], now) {
            Ok(_) => "good".to_owned(),
            Err(error) => format!("bad {error}"),
        },
        ["backup", to] => match house.store.backup(Path::new(to)).await {
            Ok(()) => "done".to_owned(),
            Err(_) => "unavailable".to_owned(),
        },
        ["lost"] => house.store.stats().lost().is_some().to_string(),
        ["crowd", size] => crowd(house, size.parse().unwrap()).await,
        ["count"] => house.store.registry().count().to_string(),
        ["failing"] => house.store.stats().is_failing().to_string(),
        ["journal"] => house.store.stats().journal_bytes().to_string(),
        _ => panic!("{words:?}"),
    }
}

fn pair(pair: &Pair) -> String {
    format!("pair {} {}", pair.access_token, pair.refresh_token)
}

/// Creates many applications at once: more than SQLite keeps in its cache until the commit.
async fn crowd(house: &House, size: usize) -> String {
    let mut all = JoinSet::new();
    for number in 0..size {
        let store = Arc::clone(&house.store);
        let new = NewApplication {
            id: AppId::parse(&format!("crowd-{number}")).unwrap(),
            name: "x".repeat(3_000),
            owner: None,
            state: State::Active,
            overrides: Overrides::default(),
            allow: Allow::default(),
            created_at: house.now(),
            secrets: Secrets::new(),
        };
        all.spawn(async move { matches!(store.create(new).await, Ok(Created::Created(_))) });
    }
    let created = all.join_all().await.into_iter().filter(|created| *created).count();
    created.to_string()
}
