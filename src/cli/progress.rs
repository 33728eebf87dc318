//! The progress line: on a terminal only.

use std::io::IsTerminal as _;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use canloom::explore::Progress;
use canloom::report::text::grouped;

/// Time between two redraws.
const REDRAW: Duration = Duration::from_millis(100);

/// A line on standard error with counts and rates.
pub struct Line {
    bar: Option<ProgressBar>,
    began: Instant,
    drawn: Instant,
}

impl Line {
    /// A line that is drawn if standard error is a terminal and the user did not ask for quiet.
    pub fn new(quiet: bool) -> Line {
        let now = Instant::now();
        let bar = (!quiet && std::io::stderr().is_terminal()).then(|| {
            let bar = ProgressBar::new_spinner();
            bar.set_style(
                ProgressStyle::with_template("{spinner} {elapsed} {msg}")
                    .unwrap_or_else(|_| ProgressStyle::default_spinner()),
            );
            bar.enable_steady_tick(REDRAW);
            bar
        });
        Line { bar, began: now, drawn: now }
    }

    /// Shows a message without counts.
    pub fn say(&self, text: &str) {
        if let Some(bar) = &self.bar {
            bar.set_message(text.to_string());
        }
    }

    /// Shows how far a search is.
    pub fn show(&mut self, progress: &Progress) {
        let Some(bar) = &self.bar else { return };
        if self.drawn.elapsed() < REDRAW {
            return;
        }
        self.drawn = Instant::now();
        if progress.resuming {
            bar.set_message(format!("resuming: {} worlds", grouped(progress.worlds)));
            return;
        }
        let rate = progress.expanded as f64 / self.began.elapsed().as_secs_f64().max(1e-9);
        bar.set_message(format!(
            "{} worlds, {} to expand, {} wasm executions, {} violating, {} worlds/s",
            grouped(progress.worlds),
            grouped(progress.worlds - progress.expanded),
            grouped(progress.executions),
            grouped(progress.violations),
            grouped(rate as u64),
        ));
    }

    /// Clears the line.
    pub fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
