//! Ctrl-C and the signals that mean the same: the first one asks for the end with what was found, the second one ends.

use std::sync::OnceLock;

use canloom::engine::interrupt::Interrupt;

use super::say;

/// What a shell says of a program that Ctrl-C ended.
const ENDED: i32 = 130;

/// The wish of whoever started this process.
pub fn wish() -> Interrupt {
    static WISH: OnceLock<Interrupt> = OnceLock::new();
    WISH.get_or_init(Interrupt::default).clone()
}

/// From now on the wish is heard. Without this, Ctrl-C ends the process, which loses nothing that is on the disk.
pub fn hear() {
    let wish = wish();
    let heard = move || {
        if wish.is_requested() {
            std::process::exit(ENDED);
        }
        say("interrupted: what was found so far follows; interrupt once more to end at once");
        wish.request();
    };
    if let Err(error) = ctrlc::set_handler(heard) {
        say(&format!("note: Ctrl-C will end the search without a report: {error}"));
    }
}
