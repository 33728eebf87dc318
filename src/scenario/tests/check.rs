//! `[check]`: which oracles a scenario has, and what is said of a bad table.

use super::*;

/// The good scenario with these lines in `[check]`, and with or without its invariant.
fn checked(lines: &str, has_invariant: bool) -> Result<Scenario, ScenarioError> {
    let own = if has_invariant { GOOD } else { GOOD.split("[[invariant]]").next().unwrap() };
    load(&format!("{own}\n[check]\n{lines}"))
}

fn names(scenario: &Scenario) -> Vec<&str> {
    scenario.invariants.iter().map(|invariant| invariant.name.as_str()).collect()
}

/// What is said of these lines, without the name of the file.
fn refused(lines: &str) -> String {
    let error = checked(lines, true).map(|_| ()).expect_err(lines).to_string();
    error.strip_prefix("dir/s.toml:").unwrap_or(&error).to_string()
}

const ALL: [&str; 11] = [
    "no-callback-trap: b",
    "no-callback-trap: a",
    "err-is-noop: a.foo",
    "err-is-noop: a.increment",
    "serializable",
    "stop-terminates: b",
    "stop-terminates: a",
    "all-calls-answered: a.foo",
    "all-calls-answered: a.increment",
    "probe: a.foo",
    "probe: a.increment",
];

#[test]
fn all_oracles_are_on_where_there_is_no_invariant_and_none_where_there_is_one() {
    assert_eq!(names(&load(GOOD).unwrap()), ["counted"]);
    let bare = load(GOOD.split("[[invariant]]").next().unwrap()).unwrap();
    assert_eq!(names(&bare), ALL);
    assert!(bare.invariants.iter().all(|invariant| invariant.is_generic));
}

#[test]
fn an_oracle_that_is_named_leaves_the_others_off_and_all_turns_them_on() {
    assert_eq!(names(&checked("serializable = true", false).unwrap()), ["serializable"]);
    assert_eq!(names(&checked("all = true", true).unwrap())[1..], ALL);
    let without = checked("all = true\nprobe = false", true).unwrap();
    assert_eq!(names(&without)[1..], ALL[..9]);
    assert_eq!(names(&checked("probe = false", false).unwrap()), ALL[..9]);
    assert_eq!(names(&checked("all = false", false).unwrap()), [""; 0]);
}

#[test]
fn one_method_has_one_oracle_however_many_calls_name_it() {
    let twice = GOOD.replace("method = \"increment\"", "method = \"foo\"");
    let scenario = load(&format!("{twice}\n[check]\nerr_is_noop = true")).unwrap();
    assert_eq!(names(&scenario), ["counted", "err-is-noop: a.foo"]);
    let oracle = scenario.invariants[1].oracle();
    assert_eq!(oracle, Some(&Oracle::ErrIsNoop { entries: vec![0, 1], ignore: Vec::new() }));
}

#[test]
fn conserve_compares_expressions_with_and_without_what_is_pending() {
    let text = |lines: &str| checked(lines, true).unwrap().invariants[1].text.clone();
    assert_eq!(text("conserve = { book = \"x\", real = \"2 * x\" }"), "x == (2 * x)");
    assert_eq!(text("conserve = { book = \"x\", real = \"5\", pending = \"x\" }"), "x <= 5 and 5 <= x + x");
    let two = "conserve = [{ book = \"x\", real = \"5\" }, { name = \"other\", book = \"5\", real = \"x\" }]";
    assert_eq!(names(&checked(two, true).unwrap()), ["counted", "conserve", "conserve: other"]);
}

#[test]
fn what_an_oracle_ignores_and_allows_is_kept() {
    let lines = "serializable = { ignore = [\"x\"], replies = false }\nprobe = { allow = [\"Pending\"] }";
    let scenario = checked(lines, true).unwrap();
    let oracle = |at: usize| scenario.invariants[at].oracle().unwrap().clone();
    assert_eq!(oracle(1), Oracle::Serializable { ignore: vec![0], replies: false });
    assert_eq!(oracle(2), Oracle::Probe { entries: vec![0], allow: vec!["Pending".to_string()] });
}

#[test]
fn a_bad_check_is_refused_with_its_place() {
    for (lines, said) in [
        ("serialisable = true", "63:1: unknown key `serialisable` in [check], did you mean `serializable`?"),
        (
            "serializable = 1",
            "63:1: `serializable` must be `true`, `false` or a table with `ignore`, `replies`, not an integer",
        ),
        ("stop_terminates = { ignore = [] }", "63:1: `stop_terminates` must be `true`, `false`, not a table"),
        ("all = \"yes\"", "63:7: `all` must be `true` or `false`, not a text"),
        ("probe = { ignore = [\"x\"] }", "63:11: unknown key `ignore` in [probe]; there is `allow`"),
        ("serializable = { ignore = [\"y\"] }", "63:28: unknown observation `y`, did you mean `x`?"),
        (
            "conserve = true",
            "63:1: `conserve` must say of what: { book = \"book\", real = \"real\" } with names of observations",
        ),
        ("conserve = { book = \"x\" }", "63:1: [conserve] needs `real`, for example `real = \"real\"`"),
        ("conserve = { book = \"x\", real = \"y\" }", "63:34: unknown name `y`, did you mean `x`?"),
        ("conserve = { book = \"x\", real = \"x == 1\" }", "63:34: an amount must be an integer, this is a bool"),
        (
            "conserve = [{ book = \"x\", real = \"x\" }, { book = \"x\", real = \"5\" }]",
            "63:41: two `conserve` have one name; give each a `name`",
        ),
    ] {
        assert_eq!(refused(lines), said, "{lines}");
    }
    let own = GOOD.replace("name = \"counted\"", "name = \"serializable\"");
    let error = load(&format!("{own}\n[check]\nserializable = true")).unwrap_err().to_string();
    let said = "dir/s.toml:56:1: the invariant \"serializable\" has the name of an oracle of `[check]`; give it another `name`";
    assert_eq!(error, said);
}
