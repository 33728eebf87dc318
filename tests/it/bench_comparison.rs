//! What the benchmark says of a run beside a saved one.
//!
//! In: the benchmark's own rows, bars, comparison and table, and runs made by hand.

#[path = "../../benches/worlds/bars.rs"]
mod bars;
#[path = "../../benches/worlds/compare.rs"]
mod compare;
#[path = "../../benches/worlds/rows.rs"]
mod rows;
#[path = "../../benches/worlds/table.rs"]
mod table;

use std::path::Path;

use bars::{BARS, Bar, Met};
use compare::{Change, change, missing};
use rows::{Row, Run, median};

fn run(rows: Vec<Row>) -> Run {
    let modules = [("plain_vault".to_string(), "00ff".to_string())].into();
    Run { machine: "a processor".to_string(), commit: "abc1234".to_string(), load: Some(0.1), modules, rows }
}

fn only(row: Row) -> Run {
    run(vec![row])
}

/// What becomes of a row that had this value.
fn became(name: &str, unit: &str, then: f64, now: f64) -> Change {
    let (then, now) = (only(Row::new(name, then, unit)), only(Row::new(name, now, unit)));
    change(&now.rows[0], &now, &then)
}

fn ratio(name: &str, ratio: f64) -> Run {
    only(Row::new(name, 1.0, "us").with_ratio("something else", ratio))
}

fn ratio_became(name: &str, then: f64, now: f64) -> Change {
    let (then, now) = (ratio(name, then), ratio(name, now));
    change(&now.rows[0], &now, &then)
}

#[test]
fn counts_are_the_same_or_differ() {
    for unit in ["interleavings", "worlds", "executions", "instructions"] {
        assert_eq!(became("plain, 4 distinct: count", unit, 61_800.0, 61_800.0), Change::Same);
        let differs = became("plain, 4 distinct: count", unit, 100.0, 101.0);
        assert_eq!(differs, Change::Differs(1.01));
    }
}

#[test]
fn other_modules_excuse_other_worlds_and_no_other_interleavings() {
    for (unit, expected) in [
        ("interleavings", Change::Differs(2.0)),
        ("worlds", Change::Factor(2.0)),
        ("executions", Change::Factor(2.0)),
        ("instructions", Change::Factor(2.0)),
    ] {
        let then = only(Row::new("row", 50.0, unit));
        let mut now = only(Row::new("row", 100.0, unit));
        now.modules.insert("plain_vault".to_string(), "ff00".to_string());
        assert_eq!(change(&now.rows[0], &now, &then), expected, "{unit}");
    }
}

#[test]
fn seconds_rates_and_memory_are_shown_and_not_judged() {
    for unit in ["s", "us", "MB", "schedules/s"] {
        for (now, factor) in [(1.0, 0.01), (10_000.0, 100.0)] {
            let change = became("row", unit, 100.0, now);
            assert_eq!(change, Change::Factor(factor));
        }
    }
}

#[test]
fn a_ratio_is_worse_beyond_the_noise_in_the_direction_that_its_bar_says() {
    let (cost, speedup) = ("ledger.icrc1_transfer: new execution", "withdraw_sound, 4 distinct: loom");
    assert_eq!(ratio_became(cost, 2.0, 3.0), Change::Factor(1.5));
    assert_eq!(ratio_became(cost, 2.0, 3.5), Change::Worse(1.75));
    assert_eq!(ratio_became(cost, 2.0, 0.5), Change::Factor(0.25));
    assert_eq!(ratio_became(speedup, 10.0, 7.0), Change::Factor(0.7));
    assert_eq!(ratio_became(speedup, 10.0, 5.0), Change::Worse(0.5));
    assert_eq!(ratio_became(speedup, 10.0, 50.0), Change::Factor(5.0));
    assert_eq!(ratio_became("a ratio without a bar", 10.0, 5.0), Change::Worse(0.5));
}

#[test]
fn rows_of_only_one_run_are_new_or_missing() {
    let now = run(vec![Row::new("a", 1.0, "s"), Row::new("b", 1.0, "s")]);
    let then = run(vec![Row::new("b", 1.0, "s"), Row::new("c", 1.0, "s")]);
    assert_eq!(change(&now.rows[0], &now, &then), Change::New);
    assert_eq!(missing(&now, &then).collect::<Vec<_>>(), ["c"]);
    assert_eq!(table::alarms(&now, &then), Vec::<String>::new());
}

#[test]
fn a_ratio_that_is_new_or_to_something_else_compares_by_value() {
    let now = ratio("a", 1.0);
    let without = Row::new("a", 2.0, "us");
    let to_another = without.clone().with_ratio("another thing", 100.0);
    for then in [without, to_another] {
        assert_eq!(change(&now.rows[0], &now, &only(then)), Change::Factor(0.5));
    }
}

#[test]
fn bars_hold_at_their_limit_and_not_beyond() {
    let met = |name: &str, row: Row| Bar::of(name).expect("it has a bar").met(&only(row));
    let search = "plain, 4 distinct: search";
    assert_eq!(met(search, Row::new(search, 0.2, "s")), Met::Yes);
    assert_eq!(met(search, Row::new(search, 0.21, "s")), Met::No);
    let loom = "withdraw_sound, 4 distinct: loom";
    assert_eq!(met(loom, Row::new(loom, 4.0, "s").with_ratio("embedded", 10.0)), Met::Yes);
    assert_eq!(met(loom, Row::new(loom, 4.0, "s").with_ratio("embedded", 9.9)), Met::No);
    assert_eq!(met(loom, Row::new(loom, 4.0, "s")), Met::NotMeasured);
    assert_eq!(met(loom, Row::new(search, 4.0, "s")), Met::NotMeasured);
}

#[test]
fn the_table_shows_changes_bars_and_what_was_not_measured() {
    let search = |seconds: f64, worlds: f64| {
        run(vec![
            Row::new("plain, 4 distinct: interleavings", 61_800.0, "interleavings"),
            Row::new("plain, 4 distinct: worlds", worlds, "worlds"),
            Row::new("plain, 4 distinct: executions", 7_188.0, "executions"),
            Row::new("plain, 4 distinct: search", seconds, "s"),
            Row::new("plain, 4 distinct: peak memory", 60.0, "MB"),
            Row::new("plain_ledger.transfer: new execution", 10.0, "us").with_ratio("bare call", 5.0),
        ])
    };
    let (now, mut then) = (search(0.25, 10_514.0), search(0.5, 10_513.0));
    then.machine = "another processor".to_string();
    then.load = Some(2.5);
    let text = table::text(&now, Some(&then));
    let squeezed = text.split_whitespace().collect::<Vec<_>>().join(" ");
    for expected in [
        "machine a processor commit abc1234 baseline abc1234, loaded: 2.5 other programs ran on average, on another processor another machine:",
        "plain, 4 distinct 61,800 10,514 7,188 0.2500 60 <= 0.2 s NO worlds DIFFERS 1.0001, s 0.50, MB 1.00",
        "plain_ledger.transfer: new execution 10.00 us 5.00 bare call <= 4 times NO 1.00",
        "plain, 7 equal: search <= 15 s not measured",
    ] {
        assert!(squeezed.contains(expected), "{expected}\n{text}");
    }
    assert_eq!(table::alarms(&now, &then), ["plain, 4 distinct: worlds: 10,514 now, 10,513 in the baseline"]);
    let without = table::text(&now, None);
    assert!(without.contains("baseline  none"), "{without}");
}

#[test]
fn the_median_is_the_middle_one_and_the_larger_of_two() {
    assert_eq!(median(vec![3.0, 1.0, 2.0]), 2.0);
    assert_eq!(median(vec![3.0, 1.0]), 3.0);
    assert_eq!(median(vec![5.0]), 5.0);
}

#[test]
fn a_run_is_read_as_it_was_written_and_a_row_is_put_in_place_of_its_older_self() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let file = folder.path().join("bench.json");
    let mut run = Run::here(folder.path());
    assert_eq!(run.commit, "unknown", "the folder is no repository");
    run.put(Row::new("a", 1.5, "s").with_ratio("b", 2.0));
    run.put(Row::new("b", 1.0, "s"));
    run.put(Row::new("a", 2.5, "s"));
    run.save(&file).expect("the folder can be written");
    let loaded = Run::load(&file).expect("what was saved loads");
    assert_eq!(loaded, run);
    assert_eq!(loaded.rows, [Row::new("a", 2.5, "s"), Row::new("b", 1.0, "s")]);
}

#[test]
fn the_committed_baseline_has_the_counts_that_are_known_and_a_row_for_each_bar_that_can_be_measured() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/baseline.json");
    let baseline = Run::load(&file).unwrap_or_else(|error| panic!("{error}"));
    let known = [(2, "14"), (3, "636"), (4, "61800"), (5, "10511400"), (6, "2782108800"), (7, "1060695568800")];
    for (calls, interleavings) in known {
        let name = format!("plain, {calls} equal: interleavings");
        let row = baseline.row(&name).unwrap_or_else(|| panic!("{name} is missing"));
        assert_eq!(row.value.to_string(), interleavings, "{name}");
    }
    let unmeasured: Vec<&str> = BARS.iter().map(|bar| bar.row).filter(|row| baseline.row(row).is_none()).collect();
    assert_eq!(unmeasured, [""; 0]);
}
