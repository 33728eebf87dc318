//! The client crate, where it can neither end nor stop this process.
//!
//! In: calls of the client crate, which panics when something fails and does not limit all its waits. Out: their values, or one line. One
//! thread has the client and makes one call after the other; who asks waits for a limited time. A panic in there prints nothing.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use pocket_ic::PocketIc;

use super::ReplicaError;

/// How long one request to the server may take, in milliseconds.
pub(super) const REQUEST_LIMIT: u64 = 60_000;
/// How long one call of the client may take; installing a large module makes many requests.
const CALL_LIMIT: Duration = Duration::from_secs(180);
/// How long the removal of an instance may take.
const END_LIMIT: Duration = Duration::from_secs(10);

type Job = Box<dyn FnOnce(&PocketIc) + Send>;

/// A client and its instance, on a thread of their own. The instance is removed when this is dropped.
pub(super) struct Client {
    jobs: Option<Sender<Job>>,
    ended: Receiver<()>,
    /// Whether a call took too long: what comes after it would wait behind it.
    stuck: AtomicBool,
}

impl Client {
    /// A client, made on its thread.
    pub(super) fn new(make: impl FnOnce() -> PocketIc + Send + 'static) -> Result<Client, ReplicaError> {
        silence();
        let (jobs, waiting) = channel::<Job>();
        let (made, is_made) = channel();
        let (ending, ended) = channel::<()>();
        std::thread::spawn(move || {
            // Sends nothing: that it is dropped is the message.
            let _ending = ending;
            let client = match caught(make) {
                Ok(client) => client,
                Err(error) => return drop(made.send(Err(error))),
            };
            let _ = made.send(Ok(()));
            for job in waiting {
                job(&client);
            }
            let _ = caught(|| drop(client));
        });
        let client = Client { jobs: Some(jobs), ended, stuck: AtomicBool::new(false) };
        client.wait(&is_made)??;
        Ok(client)
    }

    /// What a call gives.
    pub(super) fn call<T: Send + 'static>(
        &self,
        call: impl FnOnce(&PocketIc) -> T + Send + 'static,
    ) -> Result<T, ReplicaError> {
        if self.stuck.load(Ordering::Relaxed) {
            return Err(ReplicaError("an earlier call did not end".to_owned()));
        }
        let (done, is_done) = channel();
        let job: Job = Box::new(move |client| drop(done.send(caught(|| call(client)))));
        match &self.jobs {
            Some(jobs) if jobs.send(job).is_ok() => self.wait(&is_done)?,
            _ => Err(ReplicaError("the client ended".to_owned())),
        }
    }

    fn wait<T>(&self, answer: &Receiver<T>) -> Result<T, ReplicaError> {
        answer.recv_timeout(CALL_LIMIT).map_err(|error| match error {
            RecvTimeoutError::Timeout => {
                self.stuck.store(true, Ordering::Relaxed);
                ReplicaError(format!("the server did not answer within {} s", CALL_LIMIT.as_secs()))
            }
            RecvTimeoutError::Disconnected => ReplicaError("the client ended".to_owned()),
        })
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.jobs = None;
        if !self.stuck.load(Ordering::Relaxed) {
            // An error is what is waited for: the other end is gone.
            let _ = self.ended.recv_timeout(END_LIMIT);
        }
    }
}

thread_local! {
    /// Whether this thread is in a call whose panic is caught and reported.
    static CAUGHT: Cell<bool> = const { Cell::new(false) };
}

/// Panics in calls of the client print nothing, all others what they did before.
fn silence() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if !CAUGHT.get() {
                before(panic);
            }
        }));
    });
}

/// The value of a call, or what its panic said.
fn caught<T>(call: impl FnOnce() -> T) -> Result<T, ReplicaError> {
    CAUGHT.set(true);
    let value = catch_unwind(AssertUnwindSafe(call));
    CAUGHT.set(false);
    value.map_err(|panic| {
        let said = panic.downcast_ref::<String>().map(String::as_str);
        let said = said.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a panic without a message");
        ReplicaError(one_line(said))
    })
}

/// What a panic said, on one line, without what Rust adds to it.
fn one_line(said: &str) -> String {
    let said = said.strip_prefix("called `Result::unwrap()` on an `Err` value: ").unwrap_or(said);
    let words: Vec<&str> = said.split_whitespace().collect();
    let line = words.join(" ");
    // What Rust prints of a structure is for those who wrote it; what the system said in it is for all.
    let Some((what, structure)) = line.split_once(" {") else { return line.chars().take(500).collect() };
    let what = what.rsplit_once(": ").map_or(what, |(what, _)| what);
    let of_the_system = structure.split("message: \"").nth(1).and_then(|rest| rest.split('"').next());
    of_the_system.map_or_else(|| what.to_string(), |said| format!("{what}: {said}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_one_line() {
        silence();
        let failed: Result<(), String> = Err("a\n  b".to_owned());
        assert_eq!(caught(|| failed.clone().unwrap()), Err(ReplicaError(r#""a\n b""#.to_owned())));
        assert_eq!(caught(|| -> u8 { panic!("HTTP\n failure") }), Err(ReplicaError("HTTP failure".to_owned())));
        assert_eq!(caught(|| 7), Ok(7));
        let structure =
            r#"No result: reqwest::Error { kind: Request, source: Os { code: 111, message: "Connection refused" } }"#;
        assert_eq!(one_line(structure), "No result: Connection refused");
        assert_eq!(one_line("No result: Error { kind: Request }"), "No result");
    }
}
