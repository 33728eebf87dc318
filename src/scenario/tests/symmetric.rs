//! What is said of actors that are promised to be interchangeable and are not.

use super::*;

const ALIKE: &str = r#"format = 1
name = "alike"
[explore]
symmetric = ["bob", "carol"]
[actor.alice]
[actor.bob]
[actor.carol]
[canister.a]
builtin = "stub"
replies = { t = "()" }
[[call]]
id = "t"
to = "a"
method = "t"
by = ["bob", "carol"]
max = 4
[[invariant]]
name = "i"
when = "always"
expr = "count(open('t', alice)) == 0"
"#;

fn refusal(from: &str, to: &str) -> String {
    assert!(ALIKE.contains(from), "{from}");
    let error = load(&ALIKE.replacen(from, to, 1)).map(|_| ()).expect_err(to).to_string();
    error.strip_prefix("dir/s.toml:").unwrap_or(&error).to_string()
}

#[test]
fn actors_are_symmetric_only_if_nothing_in_the_file_tells_them_apart() {
    assert_eq!(load(ALIKE).unwrap().symmetric, [1, 2]);
    let few = "4:1: `symmetric` lists at least two actors";
    assert_eq!(refusal("[\"bob\", \"carol\"]\n[actor.alice]", "[\"bob\"]\n[actor.alice]"), few);
    assert_eq!(refusal("\"carol\"]\n[actor", "\"bob\"]\n[actor"), "4:21: `bob` is listed twice; remove one");
    assert_eq!(
        refusal("\"carol\"]\n[actor", "\"a\"]\n[actor"),
        "4:21: unknown actor `a`; there is `alice`, `bob`, `carol`"
    );
    let calls = "`t` is called 1 times by `carol` and 2 times by `bob`; symmetric actors make the same calls";
    assert_eq!(refusal("max = 4", "max = 3"), format!("4:21: {calls}"));
    let apart = "so it is not interchangeable with the others";
    assert_eq!(
        refusal("'t', alice", "'t', carol"),
        format!("4:21: `carol` is named in the invariant in line 17, {apart}")
    );
    let ghost = "[ghost.g]\non = \"a -> a.t:effect\"\nwhen = \"it.args == bob\"\n[[call]]";
    assert_eq!(refusal("[[call]]", ghost), format!("4:14: `bob` is named in `[ghost.g]`, {apart}"));
    assert_eq!(
        refusal("builtin = \"stub\"\n", "builtin = \"stub\"\ncontrollers = [\"bob\"]\n"),
        format!("4:14: `bob` is a controller of `a`, {apart}")
    );
    let candid = "`carol` is listed as `symmetric` and cannot be named in Candid text";
    assert_eq!(refusal("max = 4", "args = '(principal \"${carol}\")'\nmax = 4"), format!("16:21: {candid}"));
}
