//! Scenarios whose canisters have a `.did` file.

use super::*;

#[test]
fn a_did_file_types_the_arguments() {
    let folder = std::env::temp_dir().join(format!("canloom-did-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let did = "service : (nat64) -> { get : () -> (nat) query; put : (nat8, opt text) -> (variant { Ok : record { total : nat } }) }";
    std::fs::write(folder.join("a.did"), did).unwrap();
    let text = r#"format = 1
name = "typed"
[actor.alice]
[canister.a]
wasm = "a.wasm"
did = "a.did"
init = "(7)"
[observe.x]
from = "a"
query = "get"
[[call]]
id = "put"
to = "a"
method = "put"
by = "alice"
args = "(5)"
"#;
    let file = folder.join("s.toml");
    let load = |from: &str, to: &str| {
        std::fs::write(&file, text.replacen(from, to, 1)).unwrap();
        Scenario::load(&file).map_err(|error| error.to_string().replace(&folder.display().to_string(), ""))
    };
    let scenario = load("(5)", "(5)").unwrap();
    assert_eq!(text_of(&scenario.canisters[0].init), "(7 : nat64)");
    assert_eq!(text_of(&scenario.calls[0].args), "(5 : nat8, null)");
    let problem = |from, to| load(from, to).map(|_| ()).unwrap_err();
    assert_eq!(
        problem("(5)", "(300)"),
        "/s.toml:16:9: not Candid: method `put`: ParseIntError: number too large to fit in target type"
    );
    assert_eq!(problem("(5)", "(5, null, 6)"), "/s.toml:16:9: not Candid: method `put` takes 2 arguments, not 3");
    assert_eq!(
        problem("args = \"(5)\"", ""),
        "/s.toml:14:10: without `args` the call passes `()`: method `put`: Omitted values cannot be of type nat8"
    );
    assert_eq!(problem("(7)", "(true)"), "/s.toml:7:9: not Candid: init: type mismatch: true cannot be of type nat64");
    assert_eq!(
        problem("\"put\"\nby", "\"pt\"\nby"),
        "/s.toml:14:10: the canister's `did` has no method `pt`, did you mean `put`?"
    );
    assert_eq!(
        problem("query = \"get\"", "query = \"put\"\nargs = \"(1)\""),
        "/s.toml:10:1: `put` is not a query method; write `update = \"put\"`, which runs it on a copy of the state"
    );
    assert_eq!(
        problem("query = \"get\"", "update = \"get\""),
        "/s.toml:10:1: `get` is a query method; write `query = \"get\"`"
    );
    assert!(problem("a.did", "b.did").starts_with("/s.toml:6:7: cannot read /b.did: "));
    std::fs::write(folder.join("a.did"), "service : {\n get }").unwrap();
    assert!(problem("(5)", "(5)").starts_with("/s.toml:6:7: /a.did:2:6: unexpected token"));
    std::fs::remove_dir_all(&folder).unwrap();
}
