//! Expressions as a user meets them: what they evaluate to; `refusals` has what is said of wrong ones.

mod refusals;

use super::*;
use crate::scenario::names::{automatic_actor_id, automatic_canister_id};
use proptest::prelude::*;

fn names() -> Names {
    Names {
        canisters: vec![("vault".into(), automatic_canister_id(0))],
        actors: vec![("alice".into(), automatic_actor_id("alice")), ("bob".into(), automatic_actor_id("bob"))],
        observations: ["x", "y", "pool", "flag", "broken", "word"].map(String::from).to_vec(),
        calls: vec!["foo".into(), "inc".into()],
        refusals: vec![vec!["busy".into(), "later".into()], Vec::new()],
    }
}

fn candid(text: &str) -> Value {
    Value::decode(&candid_parser::parse_idl_args(text).unwrap().to_bytes().unwrap()).unwrap()
}

fn done(entry: usize, actor: usize, reply: &str) -> CallView {
    CallView {
        entry,
        actor,
        state: CallState::Done(Arc::new(Reply::Replied(candid(reply), Vec::new()))),
        args: Arc::from([]),
        given: Arc::new(Value::Int(30.into())),
    }
}

/// x = 2, y = 2^70, flag = true; foo: one ok, one rejected, one Err; inc: one open, one not started.
fn with_world<T>(look: impl FnOnce(&View<'_>) -> T) -> T {
    let pool = r#"(record { assets = 7 : nat; list = vec { record { 1; 10 }; record { 2; 20 } }; last = variant { Ok = 3 } })"#;
    let observations = [
        Value::Int(2.into()),
        Value::Int(BigInt::from(1u128 << 70)),
        candid(pool),
        Value::Bool(true),
        Value::Failed("trapped: no book".into()),
        Value::Text("a".into()),
    ];
    let observations = observations.map(Arc::new);
    let rejected = Reply::Rejected { code: 2, text: "busy".into() };
    let calls = [
        done(0, 0, "(variant { Ok = 30 : nat })"),
        CallView {
            entry: 0,
            actor: 1,
            state: CallState::Done(Arc::new(rejected)),
            args: Arc::from([]),
            given: Arc::new(candid("(record { amount = 4 : nat; to = principal \"aaaaa-aa\" })")),
        },
        done(0, 1, "(variant { err = \"no\" })"),
        CallView {
            entry: 1,
            actor: 1,
            state: CallState::Open,
            args: Arc::from([]),
            given: Arc::new(Value::List(vec![Value::Int(1.into()), Value::Bool(true)])),
        },
        CallView {
            entry: 1,
            actor: 0,
            state: CallState::NotStarted,
            args: Arc::from([]),
            given: Arc::new(Value::List(vec![Value::Int(1.into()), Value::Bool(true)])),
        },
    ];
    look(&View { observations: &observations, calls: &calls, quiet: false, faulted: 1, now_s: 604_800 })
}

fn eval(text: &str) -> Result<bool, String> {
    let expr = Expr::parse(text, &names()).unwrap_or_else(|error| panic!("{text}: {error}"));
    with_world(|view| expr.eval(view))
}

#[test]
fn integers_are_exact_however_large() {
    for text in [
        "x == 2",
        "y == 1180591620717411303424",
        "y * y / y == y and y - y + x == 2",
        "y % 1_000 == 424",
        "-7 / 2 == -3 and -7 % 2 == -1",
        "9223372036854775807 + 1 == 9223372036854775808",
        "0x10 == 16",
        "x < y and not (y <= x) and y >= y and x != y",
    ] {
        assert_eq!(eval(text), Ok(true), "{text}");
    }
}

#[test]
fn words_bind_as_they_read() {
    for text in [
        "not x == 3",
        "flag => x == 2",
        "quiet => x / 0 == 1",
        "flag or x / 0 == 1",
        "not flag and x / 0 == 1 or true",
        "flag => quiet => x == 9",
        "(x == 2 ? 1 : 5) == 1",
        "x in [1, 2] and not (x in [])",
        "not quiet && !(false || quiet)",
        "word == \"a\" and 'b' > word",
    ] {
        assert_eq!(eval(text), Ok(true), "{text}");
    }
}

#[test]
fn calls_are_counted_by_how_far_they_are() {
    for text in [
        "count(done(\"foo\")) == 3 and count(ok(\"foo\")) == 1 and count(err(\"foo\")) == 2",
        "count(open('inc')) == 1 and count(open('inc', alice)) == 0 and count(done('foo', \"bob\")) == 2",
        "sum(ok(\"foo\"), it.reply.Ok * 2) == 60",
        "sum(ok(\"foo\"), it.by == alice ? 1 : 0) == 1",
        "sum(done(\"inc\"), it.reply) == 0",
        "faulted == 1 and now / 604800 == 1",
    ] {
        assert_eq!(eval(text), Ok(true), "{text}");
    }
    let rejected = "a call `foo` has no reply, it was rejected with code 2: busy; sum over `ok(\"foo\")`";
    assert_eq!(eval("sum(done(\"foo\"), has(it.reply.Ok) ? 1 : 0) == 1").unwrap_err(), rejected);
    assert_eq!(
        eval("sum(open(\"inc\"), it.reply) == 0").unwrap_err(),
        "a call `inc` has no reply yet; sum over `ok(\"inc\")`"
    );
}

#[test]
fn fields_and_items_are_reached() {
    for text in [
        "pool.assets == 7 and pool[\"assets\"] == 7",
        "pool.list.1.1 == 20 and pool.list[0][1] == 10",
        "sum(pool.list, it.1) == 30 and count(pool.list) == 2",
        "has(pool.last.Ok) and not has(pool.last.Err) and pool.last.Ok == 3",
        "alice != bob and alice == alice and vault != alice",
        "pool.list != null",
    ] {
        assert_eq!(eval(text), Ok(true), "{text}");
    }
}

#[test]
fn what_cannot_be_evaluated_says_why() {
    let error = |text| eval(text).unwrap_err();
    assert_eq!(error("x / 0 == 1"), "division by zero");
    assert_eq!(error("x % (x - 2) == 1"), "division by zero");
    assert_eq!(error("broken == 1"), "`broken` cannot be observed: trapped: no book");
    assert_eq!(error("x"), "an invariant needs true or false, not 2 (an integer)");
    assert_eq!(error("not x"), "`not` needs true or false, not 2 (an integer)");
    assert_eq!(error("word + 1 == 2"), "`+` needs integers, not \"a\" (a text)");
    assert_eq!(error("word == 1"), "cannot compare \"a\" (a text) with 1 (an integer)");
    assert_eq!(error("flag < 1"), "cannot compare true (a bool) with 1 (an integer)");
    assert_eq!(error("x.a == 1"), "no field `a` in an integer (2)");
    assert_eq!(error("pool.last.Err == 1"), "the variant is Ok(3), not `Err`");
    assert_eq!(error("pool.list[2] == null"), "no item 2 in a list of 2");
    assert_eq!(error("count(x) == 1"), "a list is needed, not 2 (an integer)");
    let blind = View { observations: &[], calls: &[], quiet: true, faulted: 0, now_s: 0 };
    assert_eq!(Expr::parse("x == 1", &names()).unwrap().eval(&blind).unwrap_err(), "`x` has no value");
}

#[test]
fn values_for_the_report_are_those_that_occur() {
    let expr = Expr::parse(
        "x == 2 * count(done( \"foo\" )) and not (pool.last.Ok == x or broken) and faulted == sum(pool.list, it.0)",
        &names(),
    );
    let shown = with_world(|view| expr.unwrap().values(view));
    let shown: Vec<String> = shown.iter().map(|(name, value)| format!("{name} = {value}")).collect();
    assert_eq!(
        shown,
        [
            "x = 2",
            "count(done( \"foo\" )) = 3",
            "pool.last.Ok = 3",
            "broken = failed: `broken` cannot be observed: trapped: no book",
            "faulted = 1",
            "sum(pool.list, it.0) = 3",
        ]
    );
}

#[test]
fn the_largest_expressions_neither_crash_nor_take_long() {
    let deep = format!("{}x == 2{}", "(".repeat(32), ")".repeat(32));
    assert_eq!(eval(&deep), Ok(true));
    let long = format!("{}x == 600", "x + ".repeat(149).replace(' ', ""));
    assert_eq!(eval(&long), Ok(false));
    assert_eq!(eval(&format!("{}true", "true=>".repeat(100))), Ok(true));
}

/// An expression over x and y, with its value; divisions by zero have none.
fn arithmetic() -> impl Strategy<Value = (String, Option<BigInt>)> {
    let big = BigInt::from(1u128 << 70);
    let leaf = prop_oneof![
        Just(("x".to_string(), Some(BigInt::from(2)))),
        Just(("y".to_string(), Some(big))),
        any::<i128>().prop_map(|n| (format!("({n})"), Some(n.into()))),
        (-3i8..4).prop_map(|n| (format!("({n})"), Some(n.into()))),
    ];
    leaf.prop_recursive(4, 16, 2, |inner| {
        (inner.clone(), inner, proptest::sample::select(vec!['+', '-', '*', '/', '%'])).prop_map(
            |((a, x), (b, y), operator)| {
                let text = format!("({a} {operator} {b})");
                let (Some(x), Some(y)) = (x, y) else {
                    return (text, None);
                };
                let by_zero = y == BigInt::from(0);
                let value = match operator {
                    '+' => Some(x + y),
                    '-' => Some(x - y),
                    '*' => Some(x * y),
                    _ if by_zero => None,
                    '/' => Some(x / y),
                    _ => Some(x % y),
                };
                (text, value)
            },
        )
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn evaluation_agrees_with_big_integers((text, value) in arithmetic()) {
        match value {
            Some(value) => prop_assert_eq!(eval(&format!("{text} == {value}")), Ok(true)),
            None => prop_assert_eq!(eval(&format!("{text} == 0")), Err("division by zero".to_string())),
        }
    }

    #[test]
    fn random_expressions_never_panic(words in proptest::collection::vec(proptest::sample::select(vec![
        "x", "y", "pool", "flag", "and", "or", "not", "=>", "==", "(", ")", "[", "]", ",", ".", "0", "1.5", "\"foo\"", "'é'",
        "count", "sum", "done", "it", "reply", "?", ":", "-", "+", "/", "in", "has", "null", "true", "all", "//", "\n", "!", "&&",
    ]), 0..16)) {
        if let Ok(expr) = Expr::parse(&words.join(" "), &names()) {
            let _ = with_world(|view| (expr.eval(view), expr.values(view)));
        }
    }

    #[test]
    fn random_text_never_panics(text in ".{0,40}") {
        let _ = Expr::parse(&text, &names());
    }
}

#[test]
fn calls_have_arguments() {
    for text in [
        "sum(ok('foo'), it.args) == 30",
        "count(err('foo', bob)) == 2",
        "sum(open('inc'), it.args[0]) == 1",
        "count(open('inc'), it.args.1) == 1",
        "count(pool.list, it.1 > 15) == 1",
        "count(done('foo'), it.by == alice and it.args == 30) == 1",
    ] {
        assert_eq!(eval(text), Ok(true), "{text}");
    }
    assert_eq!(eval("sum(ok('foo'), it.args.amount) == 1"), Err("no field `amount` in an integer (30)".to_string()));
}

#[test]
fn errors_that_are_expected_are_refusals_and_still_errors() {
    assert_eq!(eval("count(refused('foo')) == 1 and count(err('foo')) == 2"), Ok(true));
    assert_eq!(eval("count(refused('foo', alice)) == 0 and count(refused('foo', bob)) == 1"), Ok(true));
    assert_eq!(eval("count(refused('inc')) == 0"), Ok(true));
    let is_refusal =
        |reply: &str, text: &str| Reply::Replied(candid(reply), Vec::new()).is_refusal(&[text.to_string()]);
    assert!(is_refusal("(variant { Err = \"try \\\"later\\\"\" })", "try \"later\""));
    assert!(is_refusal("(variant { err = variant { Err = 5 : nat } })", "5"));
    assert!(!is_refusal("(variant { Ok = \"later\" })", "later"));
    assert!(!is_refusal("(\"later\")", "later"));
}

#[test]
fn before_reads_the_world_before_the_step() {
    let holds = |text: &str| {
        let expr = Expr::parse_for(text, &names(), Purpose::Step).unwrap_or_else(|error| panic!("{text}: {error}"));
        let mut before: Vec<Arc<Value>> =
            ["x", "y", "pool", "flag", "broken", "word"].map(|name| Arc::new(Value::Text(name.to_string()))).to_vec();
        before[0] = Arc::new(Value::Int(1.into()));
        let before = View { observations: &before, calls: &[], quiet: true, faulted: 0, now_s: 0 };
        with_world(|view| (expr.eval_step(&before, view), expr.values_of_step(&before, view)))
    };
    for text in [
        "before(x) == 1 and x == 2",
        "x == before(x + 0) + 1",
        "before(quiet) and not quiet",
        "count(done('foo')) == before(count(done('foo'))) + 3",
        "faulted - before(faulted) == 1",
    ] {
        assert_eq!(holds(text).0, Ok(true), "{text}");
    }
    assert_eq!(holds("before(y) + 1 == 0").0, Err("`+` needs integers, not \"y\" (a text)".to_string()));
    let shown: Vec<String> = holds("before(x) > x").1.iter().map(|(name, value)| format!("{name} = {value}")).collect();
    assert_eq!(shown, ["x = 2", "before(x) = 1"]);
}

#[test]
fn a_ghost_evaluates_a_message() {
    let (args, reply) = (candid("(record { amount = 5 : nat })"), candid("(variant { Ok = 2 : nat })"));
    let by = Value::Principal(automatic_canister_id(0));
    let message = MessageView { args: &args, reply: &reply, by: &by };
    let parse = |text: &str, purpose| Expr::parse_for(text, &names(), purpose).unwrap();
    let when = |text: &str| parse(text, Purpose::When).eval_message(&message);
    let add = |text: &str| parse(text, Purpose::Add).number_of_message(&message);
    assert_eq!(when("it.by == vault and it.args.amount > 4"), Ok(true));
    assert_eq!(when("it.by == alice"), Ok(false));
    assert_eq!(when("has(it.reply.Err)"), Ok(false));
    assert_eq!(add("it.args.amount * 2 - it.reply.Ok"), Ok(8.into()));
    assert_eq!(add("it.args"), Err("`add` needs integers, not {amount = 5} (a record)".to_string()));
}
