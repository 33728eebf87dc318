//! What is said of ghosts that are wrong, and what a message adds to a right one.

use super::*;

const GHOST: &str = "[ghost.paid]\non = \"a -> b.bar:effect\"\nwhen = \"it.by == a\"\nadd = \"it.args\"\n";

/// The message for the good scenario with a ghost of which one piece is replaced, with the line counted from the ghost's own.
fn refusal(from: &str, to: &str) -> String {
    let message = problem("[[call]]\nid = \"foo\"", &format!("{}[[call]]\nid = \"foo\"", GHOST.replacen(from, to, 1)));
    let (line, rest) = message.split_once(':').expect("a line");
    format!("{}:{rest}", line.parse::<usize>().expect("a number") - 36)
}

#[test]
fn ghosts_are_checked() {
    assert_eq!(
        refusal("on = \"a -> b.bar:effect\"\n", ""),
        "1:8: [ghost.paid] needs `on`, for example `on = \"vault -> ledger.icrc1_transfer:effect\"`"
    );
    let ends = "`on` ends with `:effect` or `:reply`, for example `on = \"vault -> ledger.icrc1_transfer:effect\"`";
    assert_eq!(refusal(":effect", ""), format!("2:6: {ends}"));
    assert_eq!(refusal(":effect", ":efect"), "2:6: `on` cannot end with `:efect`, did you mean `effect`?");
    assert_eq!(refusal("a -> b.bar", "b.bar"), "2:6: `b.bar` is not an edge; write `caller -> callee.method`");
    assert_eq!(refusal("a -> b.bar", "a -> c.bar"), "2:12: unknown canister `c`, did you mean `b`?");
    assert_eq!(refusal("a -> b.bar", "alice -> b.bar"), "2:7: unknown canister `alice`; there is `b`, `a`");
    let late = "`stop_canister` is answered when the canister has stopped; count it with `:reply`";
    assert_eq!(refusal("b.bar", "management.stop_canister"), format!("2:6: {late}"));
    assert_eq!(refusal("add =", "sum ="), "4:1: unknown key `sum` in [ghost.paid]; there is `on`, `when`, `add`");
    assert_eq!(refusal("it.by == a", "x == a"), "3:9: a ghost sees `it.args`, `it.reply` and `it.by`, and not `x`");
    assert_eq!(refusal("it.args", "it.args == 1"), "4:8: `add` must be an integer, this is a bool");
    assert_eq!(refusal("ghost.paid", "ghost.x"), "1:8: `x` is also an observation; rename `[ghost.x]`");
    assert_eq!(refusal("ghost.paid", "ghost.bob"), "1:8: `bob` is also an actor or a canister; rename `[ghost.bob]`");
    assert_eq!(
        refusal("ghost.paid", "ghost.now"),
        "1:8: `now` has another meaning in expressions; choose another name"
    );
}

#[test]
fn a_message_adds_to_a_sum_unless_its_reply_is_an_error_or_the_condition_says_no() {
    let scenario = load(&GOOD.replace("[[invariant]]", &format!("{GHOST}[[invariant]]"))).unwrap();
    assert_eq!(scenario.observed_names(), ["x", "paid"]);
    let (ghost, labels) = (&scenario.ghosts[0], &scenario.labels);
    let (a, b) = (scenario.canisters[1].id, scenario.canisters[0].id);
    let bytes = |text: &str| candid_parser::parse_idl_args(text).unwrap().to_bytes().unwrap();
    let after = |sum: Value, arg: &str, reply: &[u8], by| ghost.after(&sum, &bytes(arg), reply, by, labels);
    let int = |n: i64| Value::Int(n.into());
    assert_eq!(after(int(2), "(5 : nat)", &bytes("()"), a), Some(int(7)));
    assert_eq!(after(int(2), "(-5 : int)", b"no Candid", a), Some(int(-3)));
    assert_eq!(after(int(2), "(5 : nat)", &bytes("(variant { Err = 1 : nat })"), a), None);
    assert_eq!(after(int(2), "(5 : nat)", &bytes("(variant { err })"), a), None);
    assert_eq!(after(int(2), "(5 : nat)", &bytes("()"), b), None);
    let failed = Value::Failed("`add` of the ghost failed: `add` needs integers, not [1, 2] (a list)".to_string());
    assert_eq!(after(int(2), "(1 : nat, 2 : nat)", &bytes("()"), a), Some(failed.clone()));
    assert_eq!(after(failed, "(5 : nat)", &bytes("()"), a), None, "it stays failed");
}
