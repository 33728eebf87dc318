//! Fuzzing without libFuzzer: inputs, what they show, how they are changed, what becomes of violations.

use std::path::{Path, PathBuf};

use canloom::counterexample::{Counterexample, replay};
use canloom::fuzz::campaign::{Campaign, Found, Options};
use canloom::fuzz::feedback::COUNTERS;
use canloom::fuzz::input::Input;
use canloom::fuzz::{parsers, seeds};

use super::stage::{Stage, call, observe};
use super::wat_canister::{Wait, canister, forwarder, ledger};

/// Two withdrawals, and an invariant that one order of the ledger violates.
fn violated() -> Stage {
    let calls = [0, 1].map(|at| call(&format!("w{at}"), 0, "w", &format!("args = \"({at} : nat32)\""))).concat();
    let invariant = "[[invariant]]\nname = \"order is kept\"\nwhen = \"always\"\nexpr = \"total != 897\"\n";
    let rest = format!("{calls}{}{invariant}", observe(1, "total"));
    Stage::new(&[forwarder(&[1], Wait::Unbounded), ledger()], &rest)
}

/// A canister that adds its argument, with any argument.
fn adds(invariant: &str) -> Stage {
    let sum = canister(
        r#"(global $sum (mut i32) (i32.const 0))
           (func (export "canister_update a") (global.set $sum (i32.add (global.get $sum) (call $arg))) (call $reply))
           (func (export "canister_query paid") (call $number (global.get $sum)))"#,
    );
    let any = "args = \"(${n} : nat32)\"\ngen.n = { type = \"nat32\", count = 2 }\nmax = 2";
    Stage::new(&[sum], &format!("{}{}{invariant}", call("a", 0, "a", any), observe(0, "paid")))
}

fn options(stage: &Stage) -> Options {
    Options { scenario: stage.file("scenario.toml"), feedback: true, passes_known: false }
}

fn open(stage: &Stage) -> Campaign {
    Campaign::open(options(stage)).unwrap_or_else(|error| panic!("{error}"))
}

/// Changes and runs one input after the other, from nothing.
fn fuzz(campaign: &mut Campaign, runs: u32) -> Option<Found> {
    let (mut counters, mut data) = (vec![0; COUNTERS], vec![0; 4096]);
    (0..runs).find_map(|seed| {
        let size = campaign.mutate(&mut data, 0, 4096, seed).expect("there is room for a schedule");
        campaign.run(&data[..size], &mut counters)
    })
}

#[test]
fn a_violation_is_stored_beside_the_scenario_with_its_input_and_replays_on_the_modules_as_they_are() {
    let stage = violated();
    let found = fuzz(&mut open(&stage), 2_000).expect("one of two orders violates the invariant");
    let file = found.file.clone().expect("it was stored");
    assert_eq!(file.extension().unwrap(), "new");
    assert!(file.with_extension("").with_extension("input.new").exists());
    let read = Counterexample::read(&file).unwrap();
    assert_eq!(read, found.counterexample);
    // Start of both, then the ledger executes both: 0 after 1, or 1 after 0, with nothing else.
    assert_eq!(read.schedule.steps.len(), 4, "{}", read.schedule);
    let replayed = replay(&mut stage.open(), &read.schedule, Some(0)).unwrap();
    assert_eq!(replayed.violated, Some((4, None)));
    let shown = found.to_string();
    assert!(shown.starts_with("canloom: `order is kept` is violated in 4 steps: "), "{shown}");
}

#[test]
fn what_is_known_is_passed_over_if_that_is_asked_for() {
    let stage = violated();
    fuzz(&mut open(&stage), 2_000).expect("it is found first");
    let passes = Options { passes_known: true, ..options(&stage) };
    assert_eq!(fuzz(&mut Campaign::open(passes).unwrap(), 2_000), None);
}

#[test]
fn a_finding_that_cannot_be_stored_is_shown_whole() {
    let stage = violated();
    let mut campaign = open(&stage);
    // Scenario and modules go while the campaign runs, and with them the place for what it finds.
    std::fs::remove_dir_all(stage.folder()).unwrap();
    let found = fuzz(&mut campaign, 2_000).expect("it goes on with what it has read");
    let why = found.file.clone().expect_err("there is no such folder");
    assert!(why.ends_with(" is not there; make it, or name another file"), "{why}");
    let shown = found.to_string();
    assert!(shown.contains(", so here it is:\ncanloom counterexample 1\n"), "{shown}");
    assert!(shown.ends_with(&format!("\n\n{}", found.counterexample.schedule)), "{shown}");
}

#[test]
fn an_argument_of_64_bits_is_found_by_what_it_is_compared_with() {
    let wasm = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/canisters/puzzles/magic.wasm");
    let wasm = std::fs::read(&wasm).unwrap_or_else(|error| panic!("{}: {error}: run `make canisters`", wasm.display()));
    let any = "args = \"(${code} : nat64)\"\ngen.code = { type = \"nat64\", count = 2 }\nmax = 2";
    let safe = "[[invariant]]\nname = \"closed\"\nwhen = \"always\"\nexpr = 'count(err(\"open\")) == 0'\n";
    let stage = Stage::of_modules(&[wasm], &format!("{}{safe}", call("open", 0, "open", any)));
    for feedback in [true, false] {
        let options = Options { scenario: stage.file("scenario.toml"), feedback, passes_known: false };
        let found = fuzz(&mut Campaign::open(options).unwrap(), 5_000);
        let code = found.map(|found| found.counterexample.schedule.steps[0].to_string());
        assert_eq!(code, feedback.then(|| format!("0{{code={}}}", 0x9d3b_7c02_51ee_4af6_u64)));
    }
}

#[test]
fn a_step_may_have_any_value_of_its_type_and_no_other() {
    let stage = adds("");
    let mut engine = stage.open();
    let start = engine.start().clone();
    for (step, possible) in [
        ("0{n=0}", true),
        ("0{n=77}", true),
        ("0{n=4294967295}", true),
        ("0{n=4294967296}", false),
        ("0{n=077}", false),
        ("0{n=7_7}", false),
        ("0{n=-1}", false),
        ("0{m=77}", false),
        ("0", false),
    ] {
        let found = engine.kernel.find(&start, &step.parse().unwrap());
        assert_eq!(found.is_ok(), possible, "{step}");
        if let Ok(choice) = found {
            assert_eq!(engine.kernel.name(&start, &choice).to_string(), step);
        }
    }
    // The search tries what the scenario says, as before: nothing, one call with 0 or 1, two of them in any combination.
    assert_eq!(stage.explore().worlds, 1 + 2 + 3);
}

#[test]
fn what_was_not_worked_out_is_no_violation() {
    let stage = adds(
        "[check]\nserializable = true\nprobe = true\n[[invariant]]\nname = \"x\"\nwhen = \"always\"\nexpr = \"true\"\n",
    );
    let mut campaign = open(&stage);
    let mut counters = vec![0; COUNTERS];
    // One after the other calls add 0 or 1; that they may add 77 nobody has worked out.
    assert_eq!(campaign.run(b"0{n=77}\n1{n=1000}\n", &mut counters), None);
    assert_eq!(fuzz(&mut campaign, 500), None);
}

#[test]
fn an_input_shows_the_same_whatever_ran_before() {
    let input = b"0\n1\n1.1\n0.1\n0.1r\n1.1r\n";
    let stage = violated();
    let shown = |before: &[&[u8]]| {
        let mut campaign = open(&stage);
        for bytes in before {
            campaign.run(bytes, &mut vec![0; COUNTERS]);
        }
        let mut counters = vec![0; COUNTERS];
        campaign.run(input, &mut counters);
        counters
    };
    let first = shown(&[]);
    assert!(first.iter().filter(|count| **count > 0).count() > 5);
    assert!(
        first == shown(&[b"1\n1.1\nrest\n", b"\x05\x06\x07", input]),
        "remembered steps show what they showed first"
    );
    let off = Options { feedback: false, ..options(&stage) };
    let mut counters = vec![0; COUNTERS];
    Campaign::open(off).unwrap().run(input, &mut counters);
    assert!(counters.iter().all(|count| *count == 0));
}

#[test]
fn any_bytes_are_an_input_and_become_a_schedule_when_they_are_changed() {
    let stage = adds("");
    let mut campaign = open(&stage);
    let mut counters = vec![0; COUNTERS];
    let huge = [vec![0xff; 100_000], b"0\n".repeat(50_000)];
    let tiny: [&[u8]; 7] = [b"", b"\n", b"\0", b"rest\n", b"0{n=", b"\xff\xfe0\n", b"99{n=5}\n"];
    for bytes in tiny.into_iter().chain(huge.iter().map(Vec::as_slice)) {
        assert_eq!(campaign.run(bytes, &mut counters), None);
        let mut data = bytes.to_vec();
        data.resize(bytes.len().max(200), 0);
        let longest = data.len();
        let seeds = if bytes.len() < 20 { 100 } else { 1 };
        for seed in 0..seeds {
            data[..bytes.len()].copy_from_slice(bytes);
            let size = campaign.mutate(&mut data, bytes.len(), longest, seed).expect("there is room");
            assert!(size == 0 || Input::parse(&data[..size]).is_some(), "{:?}", String::from_utf8_lossy(&data[..size]));
        }
        let size = campaign.cross(bytes, b"0{n=5}\n1{n=6}\n", &mut data, 2);
        assert!(size == 0 || Input::parse(&data[..size]).is_some());
    }
    assert_eq!(campaign.mutate(&mut [0; 10], 0, 10, 1), None, "ten bytes hold no schedule");
}

#[test]
fn seeds_lead_to_every_pair_that_the_search_sees() {
    let stage = violated();
    let mut engine = stage.open();
    let seeds = seeds::seeds(&mut engine, 10_000).unwrap();
    for seed in &seeds {
        let mut world = engine.start().clone();
        for step in &seed.steps {
            let choice = engine.kernel.find(&world, step).expect("each step is possible");
            world = engine.kernel.apply(&world, &choice).unwrap().0;
        }
    }
    // While one withdrawal waits the other one starts: a pair for each of them. The table of coverage has names of methods,
    // and both have the same.
    assert_eq!((seeds.len(), stage.explore().coverage.pairs().0), (2, 1));
    assert_eq!(seeds[0].text(100), "0\n1\n");
}

#[test]
fn what_is_wrong_with_a_campaign_is_said_in_a_line() {
    let stage = violated();
    std::fs::write(stage.file("scenario.toml"), "format = 1\nname = 5\n").unwrap();
    let error = Campaign::open(options(&stage)).err().expect("it cannot begin");
    assert!(error.contains("scenario.toml:2:8: ") && !error.contains('\n'), "{error}");
    let nowhere = Options { scenario: PathBuf::from("nowhere.toml"), ..options(&stage) };
    assert!(Campaign::open(nowhere).err().unwrap().starts_with("cannot read nowhere.toml: it is not there; "));
}

/// Files of a folder with this ending, in order.
fn files(folder: &str, ending: &str) -> Vec<Vec<u8>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut paths: Vec<PathBuf> = Vec::new();
    let mut folders = vec![root];
    while let Some(folder) = folders.pop() {
        for entry in
            std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())).flatten()
        {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.to_string_lossy().ends_with(ending) {
                paths.push(path);
            }
        }
    }
    paths.sort();
    paths.iter().map(|path| std::fs::read(path).unwrap()).collect()
}

#[test]
fn readers_take_every_committed_input() {
    let mut taken = 0;
    for (folder, ending, target) in [
        ("corpus", ".toml", parsers::scenario_toml as fn(&[u8])),
        ("fuzz/seeds/scenario_toml", "", parsers::scenario_toml),
        ("corpus", ".cx", parsers::cx),
        ("fuzz/seeds/cx", "", parsers::cx),
        ("fuzz/seeds/wasm_module", "", parsers::wasm_module),
        ("fuzz/seeds/candid_args", "", parsers::candid_args),
    ] {
        let inputs = files(folder, ending);
        assert!(!inputs.is_empty(), "{folder}");
        for input in inputs {
            target(&input);
            taken += 1;
        }
    }
    assert!(taken > 100, "{taken}");
}
