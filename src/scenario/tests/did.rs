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

#[test]
fn a_did_file_types_what_is_generated() {
    let folder = tempfile::tempdir().unwrap();
    let did =
        "type Side = variant { buy; sell : nat8 };\nservice : { put : (nat8, Side) -> (); get : () -> (nat) query }";
    std::fs::write(folder.path().join("a.did"), did).unwrap();
    let head = "format = 1\nname = \"typed\"\n[actor.alice]\n[canister.a]\nwasm = \"a.wasm\"\ndid = \"a.did\"\n";
    let file = folder.path().join("s.toml");
    let load = |method: &str, lines: &str| {
        let call = format!("[[call]]\nid = \"c\"\nto = \"a\"\nmethod = \"{method}\"\nby = \"alice\"\n{lines}\n");
        std::fs::write(&file, format!("{head}{call}")).unwrap();
        let scenario = Scenario::load(&file);
        let template =
            scenario.map(|scenario| scenario.calls[0].template.clone().expect("there is something to choose"));
        template.map_err(|error| error.to_string().replace(&format!("{}:", file.display()), ""))
    };
    let labels = |lines: &str| {
        let variants = load("put", lines).unwrap().variants(&Captured::new()).unwrap().into_iter();
        variants.map(|(mut values, bytes)| (values.remove(0).1, text_of(&bytes))).collect::<Vec<_>>()
    };
    let pairs = |pairs: &[(&str, &str)]| pairs.iter().map(|(a, b)| (a.to_string(), b.to_string())).collect::<Vec<_>>();
    let whole = labels("gen.args = { count = 2 }");
    let names: Vec<&str> = whole.iter().map(|(label, _)| label.as_str()).collect();
    assert_eq!(names, ["(0, variant { buy })", "(1, variant { sell = 0 })"]);
    let sides = labels("args = \"(7, ${side})\"\ngen.side = { type = \"Side\", count = 3 }");
    let sides: Vec<&str> = sides.iter().map(|(label, _)| label.as_str()).collect();
    assert_eq!(sides, ["variant { buy }", "variant { sell = 0 }", "variant { sell = 1 }"]);
    let typed = labels("args = \"(${n}, variant { buy })\"\ngen.n = { pick = [7] }");
    assert_eq!(typed, pairs(&[("7", "(7 : nat8, variant { 4_899_654 })")]));
    let problem = |method: &str, lines: &str| load(method, lines).unwrap_err();
    assert_eq!(problem("get", "gen.args = { count = 2 }"), "12:5: method `get` takes no arguments; remove `gen.args`");
    assert_eq!(
        problem("put", "args = \"(${n}, variant { buy })\"\ngen.n = { pick = [300] }"),
        "12:9: with `n = 300`: not Candid: method `put`: ParseIntError: number too large to fit in target type"
    );
}
