//! The life of the serving process: it begins with the handlers of the signals, and ends in bounded time.
//!
//! The main thread does nothing but wait for signals, so that one is answered at every moment: while a file of the start hangs,
//! while no thread of the runtime is free, and while a stop takes its time. Everything else is done on a thread beside it.

use std::error::Error;
use std::ffi::c_int;
use std::io;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use signal_hook::consts::{
    SIGALRM, SIGHUP, SIGINT, SIGIO, SIGPROF, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGVTALRM, SIGXFSZ,
};
use signal_hook::iterator::{Handle, Signals as Arriving};
use signal_hook::low_level;
use tokio::sync::watch;
use tracing::{error, info};

use crate::cli::output;
use crate::telemetry::{self, with_causes};

/// Signals that request a stop. SIGQUIT as well: the core dump that the system would write contains keys.
const STOP: [c_int; 3] = [SIGTERM, SIGINT, SIGQUIT];

/// Signals that must not end the process: tools send SIGUSR1 after they have moved a log away, and SIGXFSZ at a file's size limit
/// is a failed write. Rust's runtime ignores SIGPIPE.
const IGNORED: [c_int; 7] = [SIGUSR1, SIGUSR2, SIGALRM, SIGVTALRM, SIGPROF, SIGIO, SIGXFSZ];

/// Signals within this time are one request: `timeout` and shells signal a process and then its group.
const SAME_REQUEST: Duration = Duration::from_millis(10);

/// Timeout of the log's last lines, and of the error of a failed start on standard error.
pub const LAST_LINES: Duration = Duration::from_secs(2);

/// Time of a stop beside `limits.stop_time`: the store's last commit, threads that read files, and the log.
const REST_OF_STOP: Duration = Duration::from_secs(6);

/// Exit code of a stop that ran out of time, for instance because of a hung disk. Open requests do not cause it.
const STUCK: c_int = 1;

/// The shell's exit code of a process that a signal ended: 128 and the signal's number.
const BY_SIGNAL: c_int = 128;

/// Stack of the thread beside the main one, which runs the larger part of the start; the main thread's default.
const STACK: usize = 8 << 20;

/// The signals in the form that the serving thread uses.
#[derive(Clone, Debug)]
pub struct Signals {
    stop: watch::Receiver<bool>,
    hangups: watch::Receiver<u64>,
    /// Set when requests are served: from then on a stop lets them finish, within this time.
    stop_time: Arc<Mutex<Option<Duration>>>,
}

impl Signals {
    /// Ends the start: before, a stop ends the process at once. Called again, it changes the time.
    pub fn serve_from_now_on(&self, stop_time: Duration) {
        *self.stop_time.lock().unwrap_or_else(PoisonError::into_inner) = Some(stop_time);
    }

    /// Resolves at a stop.
    pub async fn stopped(mut self) {
        // An error means that the main thread is gone, which is a stop as well.
        let _ = self.stop.wait_for(|is_asked| *is_asked).await;
    }

    /// Changes with every SIGHUP.
    pub fn hangups(&self) -> watch::Receiver<u64> {
        self.hangups.clone()
    }
}

/// Installed handlers of all known signals. Until [`run`], signals wait.
pub struct Handlers(Arriving);

impl Handlers {
    /// Installs them; SIGHUP first, since it comes unasked.
    pub fn install() -> io::Result<Handlers> {
        let signals = [SIGHUP].into_iter().chain(STOP).chain(IGNORED);
        Ok(Handlers(Arriving::new(signals)?))
    }
}

/// Does `work` on a thread beside this one, which waits for signals. The exit codes are in docs/operating/process.md.
pub fn run(
    handlers: io::Result<Handlers>,
    work: impl FnOnce(Signals) -> Result<(), Box<dyn Error>> + Send + 'static,
) -> ExitCode {
    let arriving = match handlers {
        Ok(Handlers(arriving)) => arriving,
        Err(error) => return failed(&format!("the handlers of the signals cannot be installed: {error}")),
    };
    let (stop, hangups) = (watch::Sender::new(false), watch::Sender::new(0));
    let stop_time = Arc::new(Mutex::new(None));
    let known =
        Signals { stop: stop.subscribe(), hangups: hangups.subscribe(), stop_time: Arc::clone(&stop_time) };
    let done = Done(arriving.handle());
    let worker = thread::Builder::new().name("serve".to_owned()).stack_size(STACK).spawn(move || {
        let _done = done;
        work(known).map_err(|error| with_causes(error.as_ref()))
    });
    let worker = match worker {
        Ok(worker) => worker,
        Err(error) => return failed(&format!("the thread that serves cannot be started: {error}")),
    };
    wait_for_signals(arriving, &stop, &hangups, &stop_time);
    match worker.join() {
        Ok(Ok(())) => ExitCode::SUCCESS,
        Ok(Err(sentence)) => failed(&sentence),
        // The panic is in the log already.
        Err(_) => ExitCode::FAILURE,
    }
}

/// Handles signals until the work is done.
fn wait_for_signals(
    mut arriving: Arriving,
    stop: &watch::Sender<bool>,
    hangups: &watch::Sender<u64>,
    stop_time: &Mutex<Option<Duration>>,
) {
    let mut asked_at = None;
    for signal in arriving.forever() {
        if signal == SIGHUP {
            hangups.send_modify(|count| *count += 1);
        } else if STOP.contains(&signal) {
            let stop_time = *stop_time.lock().unwrap_or_else(PoisonError::into_inner);
            match (asked_at, stop_time) {
                (None, Some(stop_time)) => {
                    asked_at = Some(Instant::now());
                    end_after(stop_time + REST_OF_STOP);
                    stop.send_replace(true);
                }
                (None, None) => end_the_start(),
                (Some(at), _) if Instant::now().duration_since(at) < SAME_REQUEST => {}
                (Some(_), _) => low_level::exit(BY_SIGNAL + signal),
            }
        } else {
            let name = low_level::signal_name(signal).unwrap_or("a signal");
            info!("{name} is ignored: the log goes to standard error, and there is no file to open again");
        }
    }
}

/// Ends a process that has promised nothing yet: a kill at any moment is safe, and hung work is not waited for.
fn end_the_start() -> ! {
    info!("stopped during the start");
    telemetry::finish(LAST_LINES);
    low_level::exit(0)
}

/// The last resort of a stop. If the thread cannot start, the bounds of the stop's parts remain.
fn end_after(limit: Duration) {
    let _ = thread::Builder::new().name("stop".to_owned()).spawn(move || {
        thread::sleep(limit);
        error!("the stop was given up after {} s: something outside does not answer", limit.as_secs());
        telemetry::finish(LAST_LINES);
        low_level::exit(STUCK)
    });
}

/// Prints the error, if standard error takes it: a supervisor waits for the exit and not for the sentence.
fn failed(sentence: &str) -> ExitCode {
    let line = telemetry::start_error(sentence);
    let (say, said) = mpsc::channel();
    let saying = thread::Builder::new().spawn(move || {
        output::remark(&line);
        let _ = say.send(());
    });
    if saying.is_ok() {
        let _ = said.recv_timeout(LAST_LINES);
    }
    ExitCode::FAILURE
}

/// Ends the waiting for signals, however the work ends.
struct Done(Handle);

impl Drop for Done {
    fn drop(&mut self) {
        self.0.close();
    }
}
