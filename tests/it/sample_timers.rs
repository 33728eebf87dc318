//! Timers as canisters have them, by ic-cdk-timers, which shares the one timer of the system among many.
//!
//! In: the sample canister `payroll`, under the scenario of the corpus with another passage of time. Left out: what
//! overlapping payments lead to; that is for `corpus.rs`.

use std::path::Path;
use std::sync::Arc;

use canloom::engine::embedded::Embedded;
use canloom::scenario::Scenario;

use super::play::Play;

/// An execution of `corpus/timer-fixed` in which time passes so, and whose call is of this method.
fn play(time: &str, call: &str, starts: bool) -> Play {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let file = root.join("corpus/timer-fixed/scenario.toml");
    let mut text = std::fs::read_to_string(file).expect("the corpus can be read");
    let setup = "[[setup]]\nto = \"payroll\"\nmethod = \"start\"\nby = \"manager\"\n";
    let changes = [
        ("../..", root.to_str().expect("a path in UTF-8")),
        ("advance = \"2d\"", time),
        ("method = \"run_now\"", &format!("method = \"{call}\"")),
        (setup, if starts { setup } else { "" }),
    ];
    for (old, new) in changes {
        assert!(text.contains(old), "{old}");
        text = text.replace(old, new);
    }
    let folder = tempfile::tempdir().expect("a folder can be made");
    let file = folder.path().join("scenario.toml");
    std::fs::write(&file, text).expect("the folder can be written");
    let scenario = Scenario::load(&file).unwrap_or_else(|error| panic!("{error}"));
    let engine = Embedded::open(Arc::new(scenario)).unwrap_or_else(|error| panic!("{error}"));
    let world = engine.start().clone();
    Play { engine, world }
}

/// Steps without those that faults make.
fn possible(play: &mut Play) -> String {
    let possible = play.possible();
    possible.split(' ').filter(|step| !step.ends_with('j')).collect::<Vec<_>>().join(" ")
}

#[test]
fn interval_timer_fires_on_each_of_two_days_and_pays_each() {
    let mut play = play("advance = \"1d\"\nmax = 2", "run_now", true);
    assert_eq!(possible(&mut play), "0 @1", "nothing is due on the first day");
    for (day, paid) in [(1, "30"), (2, "60")] {
        play.steps("@1");
        play.steps(&["", ".1", ".1.1", ".1.1r", ".1r"].map(|step| format!("payroll.t{day}{step}")).join(" "));
        assert_eq!((play.observe("paid"), play.observe("owed")), (paid.to_string(), "0".to_string()));
        assert!(play.is_quiet());
    }
    assert_eq!(possible(&mut play), "0");
}

#[test]
fn interval_of_a_day_after_seven_days_fires_once_with_five_bodies_and_skips_the_rest() {
    let mut play = play("advance = \"7d\"", "run_now", true);
    let delivery = play.steps("@1 payroll.t1").expect("a delivery");
    assert_eq!(delivery.effects.sent.len(), 5, "ic-cdk-timers runs at most five bodies of one timer at a time");
    assert_eq!(possible(&mut play), "0 payroll.t1.1", "bodies are calls to itself, in their order");
    play.steps("payroll.t1.1 payroll.t1.2 payroll.t1.3 payroll.t1.4 payroll.t1.5");
    assert_eq!(play.observe("earned"), "150");
    play.steps("payroll.t1.1.1 payroll.t1.1.1r payroll.t1.1r payroll.t1.2r payroll.t1.3r payroll.t1.4r payroll.t1.5r");
    assert_eq!((play.observe("paid"), play.observe("locked")), ("30".to_string(), "false".to_string()));
    assert_eq!(possible(&mut play), "0", "the next firing is due on the eighth day");
}

#[test]
fn one_shot_timer_fires_once() {
    let mut play = play("advance = \"1d\"\nmax = 2", "pay_tomorrow", false);
    play.steps("@1");
    assert_eq!(possible(&mut play), "0 @1", "no timer is set");
    play.steps("0");
    assert_eq!(possible(&mut play), "@1");
    play.steps("@1 payroll.t1 payroll.t1.1 payroll.t1.1r");
    assert!(play.is_quiet());
    assert_eq!(possible(&mut play), "");
}

#[test]
fn body_that_waits_past_its_deadline_of_300_s_doubles_its_interval() {
    let mut play = play("advance = \"1d\"\nmax = 2", "run_now", true);
    play.steps("@1 payroll.t1 @1");
    assert_eq!(possible(&mut play), "0 payroll.t2 payroll.t1.1 payroll.t1.1x");
    let delivery = play.steps("payroll.t1.1x payroll.t1.1r payroll.t2").expect("a delivery");
    // Without the delay it would be 1. ic-cdk-timers 1.0 schedules the next firing when a body is sent, and the same
    // firing again when the answer is SYS_UNKNOWN: the first day's, and after it the second day's for the second time.
    assert_eq!(delivery.effects.sent.len(), 3);
}
