//! The progress line: on a terminal only.

use std::io::IsTerminal as _;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use canloom::explore::Progress;
use canloom::report::text::grouped;
use canloom::sample::SamplingProgress;
use canloom::shrink::Shrinking;

/// Time between two redraws.
const REDRAW: Duration = Duration::from_millis(100);

/// With fewer worlds expanded than this there is nothing to extrapolate from.
const EXPANDED_MIN: u64 = 1_000;

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
        if progress.expanded == 0 {
            self.began = Instant::now();
        }
        if self.drawn.elapsed() < REDRAW {
            return;
        }
        self.drawn = Instant::now();
        if progress.resuming {
            bar.set_message(format!("resuming: {} worlds", grouped(progress.worlds)));
            return;
        }
        let rate = progress.expanded as f64 / self.began.elapsed().as_secs_f64().max(1e-9);
        let left = progress.remaining.filter(|_| progress.expanded >= EXPANDED_MIN);
        let left = left.map_or_else(String::new, |left| format!(", {}", rest(left, rate)));
        bar.set_message(format!(
            "{} worlds, {} to expand, {} wasm executions, {} violating, {} worlds/s{left}",
            grouped(progress.worlds),
            grouped(progress.worlds - progress.expanded),
            grouped(progress.executions),
            grouped(progress.violations),
            grouped(rate as u64),
        ));
    }

    /// Shows how far sampling is.
    pub fn show_sampling(&mut self, progress: &SamplingProgress) {
        let Some(bar) = &self.bar else { return };
        if self.drawn.elapsed() < REDRAW {
            return;
        }
        self.drawn = Instant::now();
        bar.set_message(format!(
            "{} sampled schedules, {} wasm executions, {} invariants violated",
            grouped(progress.schedules),
            grouped(progress.executions),
            grouped(progress.violated),
        ));
    }

    /// Shows how far shrinking is.
    pub fn show_shrinking(&mut self, now: &Shrinking<'_>) {
        let Some(bar) = &self.bar else { return };
        let rank = now.size.rank;
        bar.set_message(format!(
            "{}: {} faults, {} calls, {} steps; {} schedules followed",
            if now.proving { "searching everything simpler" } else { "shrinking" },
            rank.faults,
            rank.calls,
            rank.steps,
            grouped(now.tried),
        ));
    }

    /// Shows how far scripts on a replica are.
    #[cfg(feature = "pocket-ic")]
    pub fn show_campaign(&mut self, progress: &canloom::campaign::CampaignProgress) {
        let Some(bar) = &self.bar else { return };
        bar.set_message(format!(
            "{} scripts on PocketIC, {} rounds, {} invariants violated",
            grouped(progress.scripts),
            grouped(progress.rounds),
            grouped(progress.violated),
        ));
    }

    /// Clears the line.
    pub fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// Worlds that are left and the time for them, rounded as an estimate should be.
fn rest(worlds: u64, rate: f64) -> String {
    let unit = 10u64.pow(worlds.max(1).ilog10().saturating_sub(1));
    let seconds = worlds as f64 / rate.max(1e-9);
    let time = match seconds {
        s if s < 1.0 => "less than 1 s".to_string(),
        s if s < 120.0 => format!("{s:.0} s"),
        s if s < 7200.0 => format!("{:.0} min", s / 60.0),
        s if s < 172_800.0 => format!("{:.0} h", s / 3600.0),
        s => format!("{:.0} days", s / 86_400.0),
    };
    format!("about {} left, ETA {time}", grouped(worlds.div_ceil(unit) * unit))
}
