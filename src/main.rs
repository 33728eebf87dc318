//! The command line.
#![forbid(unsafe_code)]

mod cli;

use std::process::ExitCode;

/// Stack of the thread that does the work: as much as wasm may use, and plenty. With less, each execution would take a
/// stack of its own.
const STACK: usize = 32 << 20;

fn main() -> ExitCode {
    match std::thread::Builder::new().name("canloom".to_string()).stack_size(STACK).spawn(cli::run) {
        Ok(thread) => thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
        Err(_) => cli::run(),
    }
}
