//! Coverage-guided fuzzing: what the targets of `fuzz/` do with an input; they themselves only hand it over.
//!
//! In: bytes that libFuzzer made. Out: feedback about what they showed, and counterexamples. libFuzzer keeps inputs that show
//! something new and makes new ones of them; what an input means, how it is changed and what counts as new is decided here.
//!
//! ```text
//! parsers   hostile files: nothing panics, and what can be read is written so that it reads back
//! feedback  what a step or a world shows, as numbers of counters
//! input     bytes as a schedule: its text, or draws
//! walks     schedules through worlds that are remembered
//! hints     numbers and texts that arguments may have to equal
//! values    a value of a Candid type, changed a little
//! mutate    a schedule, changed a little; two of them, spliced
//! campaign  one scenario as libFuzzer sees it; findings
//! replica   the same inputs on PocketIC
//! seeds     first inputs, from a search
//! lines     which lines of the canisters a set of inputs runs
//! ```

pub mod campaign;
pub mod feedback;
pub mod input;
pub mod lines;
pub mod parsers;
pub mod seeds;

mod hints;
mod mutate;
mod values;
mod walks;

#[cfg(feature = "pocket-ic")]
pub mod replica;
