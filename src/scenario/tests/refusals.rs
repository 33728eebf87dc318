//! Every class of error of a scenario file, with its exact text and place.

use super::*;

#[test]
fn what_is_no_scenario_file_is_refused() {
    assert_eq!(
        problem("\nformat = 1", "\nformat = "),
        "2:10: not TOML: string values must be quoted, expected literal string"
    );
    assert_eq!(problem("max = 3", "max = 3\nmax = 4"), "44:1: not TOML: duplicate key");
    assert_eq!(problem("format = 1", ""), "1:1: a scenario needs `format`, for example `format = 1`");
    assert_eq!(
        problem("format = 1", "format = 2"),
        "2:1: format 2 is not known; this version of canloom reads `format = 1`"
    );
    assert_eq!(problem("format = 1", "format = \"1\""), "2:10: `format` must be an integer, not a text");
    let binary = load::from_bytes(Path::new("s.toml"), b"name = \"\xff\"", &BTreeMap::new()).unwrap_err();
    assert_eq!(binary.to_string(), "s.toml:1:9: not UTF-8 text; is this a scenario file?");
    let deep = load(&format!("format = 1\na = {}", "[".repeat(100_000))).unwrap_err();
    assert_eq!(deep.to_string(), "dir/s.toml:2:85: not TOML: cannot recurse further; max recursion depth met");
    let missing = Scenario::load(Path::new("/no/such.toml")).unwrap_err().to_string();
    assert!(missing.starts_with("cannot read /no/such.toml: "), "{missing}");
}

#[test]
fn a_file_that_is_too_large_is_not_read_to_its_end() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("large.toml");
    // A file that says it has no end, as far as any reader can wait for it.
    std::fs::File::create(&file).unwrap().set_len(1 << 40).unwrap();
    let error = Scenario::load(&file).unwrap_err().to_string();
    assert!(error.ends_with("/large.toml: larger than 1024 KiB; is this a scenario file?"), "{error}");
}

#[test]
fn unknown_keys_come_with_the_nearest_one_and_later_keys_are_named() {
    assert_eq!(
        problem("[[invariant]]", "[[invariants]]"),
        "56:3: unknown key `invariants` in a scenario, did you mean `invariant`?"
    );
    assert_eq!(problem("max = 3", "mx = 3"), "43:1: unknown key `mx` in [[call]], did you mean `max`?");
    assert_eq!(
        problem("wasm = \"b.wasm\"", "wasm = \"b.wasm\"\nmode = \"x\""),
        "15:1: `mode` in [canister.b] is not offered yet; remove it"
    );
    assert_eq!(problem("depth = 60", "runs = 6"), "11:1: `runs` in [explore] is not offered yet; remove it");
    assert_eq!(
        problem("principal = \"anonymous\"", "zzz = 1"),
        "22:1: unknown key `zzz` in [actor.bob]; there is `principal`"
    );
}

#[test]
fn a_canister_is_either_wasm_or_built_in() {
    let wasm = "wasm = \"b.wasm\"";
    assert_eq!(problem(wasm, "builtin = \"stup\""), "14:11: there is no built-in `stup`, did you mean `stub`?");
    assert_eq!(
        problem(wasm, "builtin = \"stub\"\nwasm = \"b.wasm\""),
        "15:8: a canister has either `wasm` or `builtin`; remove one"
    );
    assert_eq!(
        problem(wasm, "wasm = \"b.wasm\"\nreplies = { bar = \"()\" }"),
        "15:1: `replies` belong to a canister with `builtin = \"stub\"`"
    );
    assert_eq!(
        problem(wasm, "builtin = \"icrc1-ledger\"\nreplies = { bar = \"()\" }"),
        "15:1: only a stub has `replies`; remove them"
    );
    let stub = load(&GOOD.replacen(wasm, "builtin = \"stub\"\nreplies = { bar = \"(0 : nat64)\" }", 1)).unwrap();
    let Code::Stub(replies) = &stub.canisters[0].code else { panic!("a stub") };
    let [StubAnswer::Reply(reply)] = &replies["bar"][..] else { panic!("one reply") };
    assert_eq!(text_of(reply), "(0 : nat64)");
}

#[test]
fn missing_keys_and_wrong_types_show_what_to_write() {
    assert_eq!(problem("name = \"counter\"", ""), "1:1: a scenario needs `name`, for example `name = \"my-scenario\"`");
    assert_eq!(problem("name = \"counter\"", "name = \" \""), "3:8: `name` is empty; give the scenario a short name");
    assert_eq!(problem("wasm = \"b.wasm\"", ""), "13:11: [canister.b] needs `wasm`, for example `wasm = \"b.wasm\"`");
    assert_eq!(problem("by = \"bob\"", ""), "46:1: [[call]] needs `by`, for example `by = [\"alice\"]`");
    assert_eq!(
        problem("by = \"bob\"", "by = []"),
        "50:1: `by` is empty; name who calls, for example `by = [\"alice\"]`"
    );
    assert_eq!(problem("by = \"bob\"", "by = [1]"), "50:7: `by` must be a text in quotes, not an integer");
    assert_eq!(problem("max = 3", "max = 1.5"), "43:7: `max` must be an integer, not a float");
    assert_eq!(problem("[actor.alice]", "[actor]\nalice = 1"), "25:9: [actor.alice] must be a table, not an integer");
    assert_eq!(problem("[[setup]]", "[setup]"), "26:1: `setup` must be `[[setup]]` with two brackets, not a table");
    assert_eq!(problem("[explore]", "[[explore]]"), "6:1: [explore] must be a table, not a list");
}

#[test]
fn numbers_have_limits() {
    assert_eq!(problem("max = 3", "max = 0"), "43:7: `max` is 0, must be between 1 and 64");
    assert_eq!(problem("max = 3", "max = -3"), "43:7: `max` is -3, must be between 1 and 64");
    assert_eq!(problem("max = 3", "max = 64"), "46:1: more than 64 calls in all; lower the `max` of some");
    assert_eq!(problem("calls = 3", "calls = 65"), "8:9: `calls` is 65, must be between 1 and 64");
    assert_eq!(problem("in_flight = 2", "in_flight = 0"), "9:13: `in_flight` is 0, must be between 1 and 64");
    assert_eq!(problem("faults = 1", "faults = 9"), "10:10: `faults` is 9, must be between 0 and 8");
    assert_eq!(problem("depth = 60", "switches = 65"), "11:12: `switches` is 65, must be between 0 and 64");
    let digits = "9".repeat(100);
    let huge = format!("11:9: `depth` is {}..., must be between 1 and 10000", "9".repeat(60));
    assert_eq!(problem("depth = 60", &format!("depth = {digits}")), huge);
    let many = "[[setup]]\n".repeat(300);
    assert_eq!(
        problem("[[setup]]", &format!("{many}[[setup]]")),
        "26:3: 301 tables `[[setup]]`, at most 256 are possible"
    );
    let actors: String = (0..70).map(|i| format!("[actor.a{i}]\n")).collect();
    assert_eq!(
        problem("[actor.alice]", &format!("{actors}[actor.alice]")),
        "21:2: 72 tables `[actor.*]`, at most 64 are possible"
    );
}

#[test]
fn strategies_other_than_exhaustive_wait() {
    assert_eq!(
        problem("\"exhaustive\"", "\"random\""),
        "7:12: the strategy `random` is chosen on the command line: `canloom explore --strategy random`"
    );
    assert_eq!(
        problem("\"exhaustive\"", "\"exhaust\""),
        "7:12: unknown strategy `exhaust`, did you mean `exhaustive`?"
    );
}

#[test]
fn the_cast_is_checked() {
    assert_eq!(
        problem("[canister.b]", "[canister.\"b c\"]"),
        "13:11: `b c` is not a name; use up to 64 letters, digits, `_` and `-`, a letter first"
    );
    assert_eq!(problem("[actor.alice]", "[actor.a]"), "24:8: `a` is a canister too; rename `[actor.a]`");
    assert_eq!(
        problem("\"anonymous\"", "\"anon\""),
        "22:13: `anon` is neither \"auto\", \"anonymous\", a canister nor a principal; there is `b`, `a`"
    );
    assert_eq!(
        problem("\"aaaaa-aa\"", "\"alcie\""),
        "19:25: `alcie` is neither an actor, a canister nor a principal, did you mean `alice`?"
    );
    assert_eq!(
        problem("wasm = \"b.wasm\"", "wasm = \"\""),
        "14:8: `wasm` is empty; write the path of the canister's module"
    );
    assert_eq!(
        problem("wasm = \"b.wasm\"", "wasm = \"b.wasm\"\nid = \"lqy7q\""),
        "15:6: `lqy7q` is not a canister id: Text is too short; write one as `rrkah-fqaaa-aaaaa-aaaaq-cai`, or remove `id`"
    );
    assert_eq!(
        problem("wasm = \"b.wasm\"", "wasm = \"b.wasm\"\nid = \"aaaaa-aa\""),
        "15:6: `aaaaa-aa` cannot be the id of a canister; remove `id` for an automatic one"
    );
    let twice = "the canisters `b` and `a` have one id, lxzze-o7777-77777-aaaaa-cai; give one of them another `id`";
    assert_eq!(
        problem("wasm = \"b.wasm\"", "wasm = \"b.wasm\"\nid = \"lxzze-o7777-77777-aaaaa-cai\""),
        format!("17:11: {twice}")
    );
    let none = load("format = 1\nname = \"x\"").unwrap_err().to_string();
    assert_eq!(
        none,
        "dir/s.toml:1:1: a scenario needs a canister, for example `[canister.vault]` with `wasm = \"vault.wasm\"`"
    );
}

#[test]
fn unknown_references_come_with_the_nearest_name() {
    assert_eq!(problem("by = \"bob\"", "by = \"bbo\""), "50:6: unknown actor `bbo`, did you mean `bob`?");
    assert_eq!(problem("to = \"a\"", "to = \"c\""), "27:6: unknown canister `c`, did you mean `b`?");
    assert_eq!(problem("after = \"inc\"", "after = \"icn\""), "44:9: unknown call `icn`, did you mean `inc`?");
    assert_eq!(
        problem("by = \"b\"\n", "by = \"alise\"\n"),
        "29:6: unknown actor or canister `alise`, did you mean `alice`?"
    );
    assert_eq!(problem("x == 2", "y == 2"), "59:9: unknown name `y`, did you mean `x`?");
    assert_eq!(problem("done(\\\"inc\\\")", "done(\\\"icn\\\")"), "59:52: unknown call `icn`, did you mean `inc`?");
}

#[test]
fn calls_are_checked_together() {
    assert_eq!(
        problem("id = \"inc\"", "id = \"foo\""),
        "47:6: there is another call `foo`; give one of them another `id`"
    );
    assert_eq!(
        problem("by = \"bob\"", "by = \"bob\"\nafter = \"foo\""),
        "44:1: `after` goes in a circle: foo after inc after foo; remove one of them"
    );
    assert_eq!(
        problem("after = \"inc\"", "after = \"foo\""),
        "44:1: `after` goes in a circle: foo after foo; remove one of them"
    );
    let silent = format!("{}[[invariant]]", GOOD.split("[[call]]").next().unwrap());
    let error = load(&silent).unwrap_err().to_string();
    assert_eq!(error, "dir/s.toml:1:1: nothing to explore: add a `[[call]]` with `id`, `to`, `method` and `by`");
    assert_eq!(problem("method = \"foo\"", "method = \"\""), "40:10: a method name has 1 to 200 bytes");
}

#[test]
fn texts_of_expected_errors_are_not_empty() {
    let text = "every error contains the empty text; write a part of the errors that are expected";
    assert_eq!(problem("max = 3", "expect_err = [\"a\", \"\"]"), format!("43:20: {text}"));
}

#[test]
fn observations_are_identifiers_with_a_path() {
    assert_eq!(
        problem("[observe.x]", "[observe.quiet]"),
        "32:10: `quiet` has another meaning in expressions; choose another name"
    );
    assert_eq!(
        problem("[observe.x]", "[observe.alice]"),
        "32:10: `alice` is also an actor or a canister; rename `[observe.alice]`"
    );
    assert_eq!(
        problem("query = \"get_x\"", "query = \"get_x\"\nupdate = \"x\""),
        "35:10: an observation has either `query` or `update`; remove one"
    );
    let path = "is not a name; write a path such as `.total_assets`, `.Ok` or `.0`";
    assert_eq!(problem("\".Ok.total\"", "\".Ok..total\""), format!("35:13: `` {path}"));
}

#[test]
fn candid_is_placed_in_the_file() {
    assert_eq!(problem("\"(1 : nat)\"", "\"(1 : nut)\""), "30:14: not Candid: unbound type identifier nut");
    assert_eq!(
        problem("'(principal \"${b}\")'", "'(principal \"${bb}\")'"),
        "42:21: unknown actor or canister `bb`, did you mean `bob`?"
    );
    assert_eq!(problem("5 : nat64)", "5 : nat64"), "18:59: not Candid: unexpected EOF, expects one of \")\", \",\"");
    assert_eq!(problem("\"(1 : nat)\"", "\"\"\"\n(1,\n \\\"a)\"\"\""), "32:2: not Candid: unclosed string");
}

#[test]
fn faults_are_checked() {
    assert_eq!(problem("a -> b.bar", "a b.bar"), "53:8: `a b.bar` is not an edge; write `caller -> callee.method`");
    assert_eq!(problem("a -> b.bar", "a -> bar"), "53:8: `a -> bar` is not an edge; write `caller -> callee.method`");
    assert_eq!(problem("a -> b.bar", "a -> _.bar"), "53:14: unknown canister `_`, did you mean `b`?");
    assert_eq!(problem("a -> b.bar", "a -> b."), "53:8: a method name has 1 to 200 bytes");
    assert_eq!(
        problem("\"clean_reject\"", "\"clean_rejects\""),
        "54:10: unknown fault `clean_rejects`, did you mean `clean_reject`?"
    );
    assert_eq!(problem("\"clean_reject\"", "\"reenter\""), "54:10: the fault `reenter` is not offered yet; remove it");
    assert_eq!(
        problem("\"clean_reject\"", "\"trap\""),
        "54:10: the fault `trap` belongs to another place, as in `at = \"vault.callback\"`"
    );
    assert_eq!(
        problem("edge = \"a -> b.bar\"", "at = \"a.back\""),
        "53:6: unknown place `back`; write `canister.callback` or `canister.upgrade`"
    );
    let twice = "[\"lie\"]\nlie = \"(1 : nat)\"\n[[fault]]\nedge = \"a -> b.bar\"\nkinds = [\"lie\"]\nlie = \"(2 : nat)\"\nbudget = 1\n#";
    assert_eq!(
        problem("[\"clean_reject\"", &format!("{twice}[\"clean_reject\"")),
        "59:1: the fault in line 52 strikes at the same place with another `lie`, and only one of them would be tried; write a \
         scenario for each"
    );
    let all = "[\"clean_reject\", \"clean_reject_3\", \"unknown_dropped\", \"sys_unknown\"]";
    assert_eq!(problem(all, "[]"), "54:1: `kinds` is empty; for example `kinds = [\"clean_reject\"]`");
    assert_eq!(problem(all, "[\"reenter\"]\nbudget = 0"), "54:10: the fault `reenter` is not offered yet; remove it");
    assert_eq!(problem(all, "[\"sys_unknown\"]\nbudget = 9"), "55:10: `budget` is 9, must be between 1 and 8");
}

#[test]
fn invariants_are_checked() {
    assert_eq!(
        problem("x == 2", "before(x) == 2"),
        "59:15: `before` stands only in an invariant with `when = \"step\"`"
    );
    assert_eq!(
        problem("\"quiescent\"", "\"quiet\""),
        "58:8: `when` cannot be `quiet`; there is `always`, `step`, `quiescent`, `final`, `sometimes`"
    );
    assert_eq!(problem("\"violated\"", "\"violate\""), "60:10: `expect` cannot be `violate`, did you mean `violated`?");
    assert_eq!(
        problem("\"quiescent\"", "\"sometimes\""),
        "60:10: what is never seen is `when = \"always\"` with `not (...)`; remove `expect`"
    );
    assert_eq!(problem("name = \"counted\"", "name = \"\""), "57:8: `name` is empty; say what should hold");
    let again = "[[invariant]]\nname = \"counted\"\nwhen = \"always\"\nexpr = \"quiet\"\n\n[[invariant]]";
    assert_eq!(
        problem("[[invariant]]", again),
        "62:8: there is another invariant `counted`; give one of them another `name`"
    );
    assert_eq!(problem("x == 2 *", "x == 2 * *"), "59:18: cannot go on at `*`");
}
