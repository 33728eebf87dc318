//! Sampling from the command line: options, exit codes, what is printed.

use std::path::Path;
use std::process::Command;

fn canloom(arguments: &[&str]) -> (i32, String, String) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let output = Command::new(env!("CARGO_BIN_EXE_canloom")).current_dir(root).args(arguments).output();
    let output = output.expect("canloom runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    (output.status.code().expect("no signal"), text(output.stdout), text(output.stderr))
}

#[test]
fn the_seed_is_honoured_and_printed() {
    let explore =
        ["explore", "corpus/vault-stale/scenario.toml", "--strategy", "pct", "--seed", "17", "--schedules", "200"];
    let (exit, out, error) = canloom(&explore);
    assert_eq!(exit, 3, "{error}");
    assert!(out.contains("uncounted interleavings"), "{out}");
    assert!(out.contains("exhaustive: no, sampled"), "{out}");
    assert!(out.contains("\npct, seed 17, 200 schedules, "), "{out}");
    assert!(out.contains("counterexample to \"book equals ledger when quiet\""), "{out}");
    let json = |seed: &str| {
        let (_, out, _) = canloom(&[&explore[..5], &[seed, "--schedules", "200", "--json", "-"]].concat());
        let mut json: serde_json::Value = serde_json::from_str(&out).expect("JSON");
        json.as_object_mut().expect("an object").remove("elapsed_s");
        json
    };
    let report = json("17");
    assert_eq!((&report["strategy"], &report["seed"]), (&"pct".into(), &17.into()));
    assert_eq!((&report["schedules"], &report["interleavings"]), (&200.into(), &serde_json::Value::Null));
    assert_eq!(report, json("17"));
    assert_ne!(report, json("18"));
}

#[test]
fn sampling_that_finds_nothing_exits_5() {
    let (exit, out, error) =
        canloom(&["explore", "corpus/vault-sound/scenario.toml", "--strategy", "random", "--schedules", "300"]);
    assert_eq!(exit, 5, "{error}");
    assert!(out.starts_with("vault-sound: inconclusive\n"), "{out}");
    assert!(out.contains("\nrandom, seed 0, 300 schedules, "), "{out}");
}

#[test]
fn options_that_make_no_sense_are_refused() {
    let scenario = "corpus/vault-stale/scenario.toml";
    for (options, says) in [
        (&["--strategy", "exhaustive", "--seed", "1"][..], "an exhaustive search samples none"),
        (&["--strategy", "exhaustive", "--schedules", "1"], "an exhaustive search samples none"),
        (&["--strategy", "pos", "--shard", "1/2"], "--shard divides an exhaustive search"),
        (&["--strategy", "pos", "--checkpoint", "none"], "--checkpoint saves an exhaustive search"),
        (&["--shard", "1/2", "--seed", "1"], "an exhaustive search samples none"),
        (&["--strategy", "fair"], "exhaustive, random, pos, pct, portfolio"),
        (&["--schedules", "0"], "--schedules"),
        (&["--seed", "-1"], "-1"),
        (&["--seed", "x"], "--seed"),
    ] {
        let (exit, out, error) = canloom(&[&["explore", scenario], options].concat());
        assert_eq!((exit, out.as_str()), (2, ""), "{options:?}: {error}");
        assert!(error.starts_with("error: ") && error.contains(says), "{options:?}: {error}");
    }
}
