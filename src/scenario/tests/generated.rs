//! Generators and captures of a scenario file, and what is said of bad ones.

use super::*;

/// The call `inc` with these lines.
fn inc(lines: &str) -> String {
    GOOD.replacen("by = \"bob\"\n\n[[fault]]", &format!("by = \"bob\"\n{lines}\n\n[[fault]]"), 1)
}

fn problem_of(text: &str) -> String {
    let error = load(text).map(|_| ()).expect_err(text).to_string();
    error.strip_prefix("dir/s.toml:").unwrap_or(&error).to_string()
}

fn problem_in_call(lines: &str) -> String {
    problem_of(&inc(lines))
}

/// Values and arguments of the call `inc`.
fn variants(lines: &str) -> Vec<(String, String)> {
    let scenario = load(&inc(lines)).unwrap();
    let template = scenario.calls[1].template.as_ref().expect("there is something to choose");
    let variants = template.variants(&Captured::new()).unwrap().into_iter();
    variants.map(|(values, bytes)| (crate::schedule::Values::new(values).to_string(), text_of(&bytes))).collect()
}

fn texts(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(values, args)| (values.to_string(), args.to_string())).collect()
}

#[test]
fn picked_values_are_candid_text_and_names_are_principals() {
    assert_eq!(
        variants("args = \"(${n} : nat64, ${x})\"\ngen.n = { pick = [30, 0x20] }\ngen.x = { pick = [true] }"),
        texts(&[("{n=30,x=true}", "(30 : nat64, true)"), ("{n=32,x=true}", "(32 : nat64, true)")])
    );
    assert_eq!(
        variants("args = '(${who}, principal \"${who}\", \"to ${who}\")'\ngen.who = { pick = [\"b\"] }"),
        texts(&[(
            "{who=b}",
            "(principal \"lxzze-o7777-77777-aaaaa-cai\", principal \"lxzze-o7777-77777-aaaaa-cai\", \"to \
             lxzze-o7777-77777-aaaaa-cai\")"
        )])
    );
    assert_eq!(
        variants("args = '(${x})'\ngen.x = { pick = ['opt (5 : nat)', 'null'] }"),
        texts(&[("{x=\"opt (5 : nat)\"}", "(opt (5 : nat))"), ("{x=null}", "(null : null)")])
    );
}

#[test]
fn values_by_type_have_that_type_without_a_did() {
    assert_eq!(
        variants("args = '(${n})'\ngen.n = { type = \"nat8\", count = 3 }"),
        texts(&[("{n=0}", "(0 : nat8)"), ("{n=1}", "(1 : nat8)"), ("{n=255}", "(255 : nat8)")])
    );
    // Of two actors and two outsiders the anonymous one comes twice.
    let values: Vec<String> =
        variants("args = '(${n})'\ngen.n = { type = \"principal\" }").into_iter().map(|v| v.0).collect();
    assert_eq!(values, ["{n=bob}", "{n=alice}", "{n=aaaaa-aa}"]);
    assert_eq!(variants("args = '(${n})'\ngen.n = { type = \"opt bool\" }").len(), 3);
}

#[test]
fn all_combinations_of_several_generators_are_arguments() {
    let two = "args = '(${p} : nat8, ${q} : nat8)'\ngen.p = { pick = [1, 2] }\ngen.q = { pick = [3, 4] }";
    let values: Vec<String> = variants(two).into_iter().map(|(values, _)| values).collect();
    assert_eq!(values, ["{p=1,q=3}", "{p=1,q=4}", "{p=2,q=3}", "{p=2,q=4}"]);
}

#[test]
fn bad_generators_are_refused_at_their_place() {
    let args = "args = \"(${amt} : nat64)\"\n";
    for (lines, text) in [
        (
            format!("{args}gen.amt = {{ pick = [] }}"),
            "52:13: `pick` is empty; write the values to try, as in `pick = [30, 50]`",
        ),
        (format!("{args}gen.amt = {{ pick = [1, 1] }}"), "52:24: `1` stands twice in `pick`; remove one"),
        (
            format!("{args}gen.amt = {{ pick = [1.5] }}"),
            "52:21: `pick` must be a list of texts, integers and booleans, not a float",
        ),
        (format!("{args}gen.amt = {{ pick = 1 }}"), "52:20: `pick` must be a list, as in `[30, 50]`, not an integer"),
        (
            format!("{args}gen.amt = {{ }}"),
            "52:5: `gen.amt` has either `pick`, as in `{ pick = [30, 50] }`, or `type`, as in `{ type = \"nat64\" }`",
        ),
        (format!("{args}gen.amt = {{ pick = [1], count = 2 }}"), "52:25: `count` belongs to `type`; remove it"),
        (
            format!("{args}gen.amt = {{ range = 2 }}"),
            "52:13: unknown key `range` in [gen.amt]; there is `pick`, `type`, `count`",
        ),
        (format!("{args}gen.amt = {{ type = \"nat65\" }}"), "52:20: not a Candid type: Unbound type identifier nat65"),
        (
            format!("{args}gen.amt = {{ type = \"empty\" }}"),
            "52:20: no value of type `empty` can be generated; write a `pick`",
        ),
        (
            format!("{args}gen.amt = {{ type = \"nat64\", count = 65 }}"),
            "52:37: `count` is 65, must be between 1 and 64",
        ),
        (
            format!("{args}gen.amt = {{ pick = [-1] }}"),
            "51:10: with `amt = -1`: not Candid: parseIntError: invalid digit found in string",
        ),
        (format!("{args}gen.amt = {{ pick = [\"x\"] }}"), "51:10: with `amt = x`: not Candid: unexpected token"),
        (
            format!("{args}gen.amnt = {{ pick = [1] }}"),
            "52:1: `gen.amnt` is not used; write `${amnt}` in `args`, or remove it",
        ),
        (
            format!("{args}gen.alice = {{ pick = [1] }}"),
            "52:5: `alice` is also an actor or a canister; rename `gen.alice`",
        ),
        (
            format!("{args}gen.\"a b\" = {{ pick = [1] }}"),
            "52:5: `a b` is not a name; use up to 64 letters, digits, `_` and `-`, a letter first",
        ),
        (format!("{args}gen = 5"), "52:7: `gen` must be tables such as `[gen.name]`, not an integer"),
        (
            "gen.amt = { pick = [1] }".to_string(),
            "51:5: `gen.amt` needs `args` that use it; only `gen.args = { count = 4 }` makes them itself",
        ),
        (
            "gen.args = { count = 3 }".to_string(),
            "51:5: `gen.args` needs the types of the arguments; add `did` to `[canister.a]`, or write `args`",
        ),
    ] {
        let problem = problem_in_call(&lines);
        assert_eq!(problem, text, "{lines}");
    }
}

#[test]
fn unknown_names_are_compared_with_generators_and_captured_values() {
    assert_eq!(
        problem_in_call("args = \"(${amnt} : nat64, ${amt} : nat64)\"\ngen.amt = { pick = [1] }"),
        "51:10: with `amt = 1`: unknown value, actor or canister `amnt`, did you mean `amt`?"
    );
    let text = inc("args = \"(${depp}, ${dep})\"").replacen("by = \"b\"\n", "by = \"b\"\ncapture.dep = \".Ok\"\n", 1);
    assert_eq!(problem_of(&text), "52:10: unknown value, actor or canister `depp`, did you mean `dep`?");
}

#[test]
fn more_than_64_arguments_of_one_call_are_too_many() {
    let nine = "gen.p = { pick = [1, 2, 3, 4, 5, 6, 7, 8, 9] }\ngen.q = { pick = [1, 2, 3, 4, 5, 6, 7, 8] }";
    assert_eq!(
        problem_in_call(&format!("args = \"(${{p}}, ${{q}})\"\n{nine}")),
        "52:1: 72 arguments of one call, at most 64 are possible; try fewer values"
    );
    let many: Vec<String> = (0..65).map(|n| n.to_string()).collect();
    assert_eq!(
        problem_in_call(&format!("args = \"(${{p}})\"\ngen.p = {{ pick = [{}] }}", many.join(", "))),
        "52:11: `pick` has 65 items, at most 64 are possible"
    );
}

#[test]
fn captures_are_read_with_their_paths() {
    let text = GOOD.replacen("by = \"b\"\n", "by = \"b\"\ncapture.dep = \".Ok\"\n", 1);
    let scenario = load(&text.replacen("max = 3\n", "max = 3\ncapture.swap = \".\"\n", 1)).unwrap();
    assert_eq!(scenario.setup[0].captures[0].name, "dep");
    assert_eq!(scenario.setup[0].captures[0].path, Some(ValuePath::parse(".Ok").unwrap()));
    assert_eq!(scenario.calls[0].captures, [Capture { name: "swap".to_string(), path: None }]);
    assert_eq!(scenario.calls[0].template, None);
}

#[test]
fn bad_captures_are_refused_at_their_place() {
    assert_eq!(problem_in_call("capture.swap = \"Ok\""), "51:17: a path starts with a dot, as in `.Ok`");
    assert_eq!(problem_in_call("capture.swap = [\".Ok\"]"), "51:9: `capture.swap` is a path, such as `\".Ok\"`");
    assert_eq!(
        problem_in_call("capture.alice = \".Ok\""),
        "51:9: `alice` is also an actor or a canister; rename `capture.alice`"
    );
    assert_eq!(
        problem_in_call("capture.n = \".\"\nargs = \"(${n})\"\ngen.n = { pick = [1] }"),
        "53:1: `n` is also captured; rename `gen.n`"
    );
    assert_eq!(problem_in_call("capture = 5"), "51:11: [capture] must be a table, not an integer");
}

#[test]
fn a_call_that_needs_what_only_itself_captures_never_starts() {
    assert_eq!(
        problem_in_call("args = \"(${n})\"\ncapture.n = \".\""),
        "51:1: the call never starts: `n` is captured only by calls that need it first"
    );
    let from_setup = GOOD.replacen("by = \"b\"\n", "by = \"b\"\ncapture.n = \".\"\n", 1);
    assert!(load(&from_setup.replacen("max = 3\n", "max = 3\ncapture.n = \".\"\n", 1)).is_ok());
}

#[test]
fn setup_calls_and_observations_need_one_value_that_is_known() {
    let setup = |first: &str, second: &str| {
        let one = "[[setup]]\nto = \"a\"\nmethod = \"deposit\"\nby = \"b\"\n";
        GOOD.replacen("[observe.x]", &format!("{one}{first}\n{one}{second}\n\n[observe.x]"), 1)
    };
    assert!(load(&setup("capture.dep = \".\"", "args = \"(${dep})\"")).is_ok());
    assert_eq!(
        problem_of(&setup("args = \"(${dep})\"", "capture.dep = \".\"")),
        "36:10: unknown actor or canister `dep`; there is `bob`, `alice`, `b`, `a`"
    );
    let twice = setup("capture.dep = \".\"", "capture.dep = \".\"");
    assert_eq!(
        problem_of(&twice.replacen("path = \".Ok.total\"", "args = \"(${dep})\"", 1)),
        "46:8: `dep` is captured more than once, and one value is needed here; rename one of them"
    );
    let by_call = inc("capture.swap = \".\"");
    assert_eq!(
        problem_of(&by_call.replacen("args = \"(1 : nat)\"", "args = \"(${swap})\"", 1)),
        "30:8: `swap` is captured by a call; only calls can use it"
    );
    assert_eq!(
        problem_of(&GOOD.replacen("by = \"b\"\n", "by = \"b\"\ngen.n = { pick = [1] }\n", 1)),
        "30:1: unknown key `gen` in [[setup]]; there is `to`, `method`, `by`, `args`, `capture`"
    );
}
