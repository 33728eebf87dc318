//! Environment variables of a canister.

use super::*;

fn with(env: &str) -> Result<super::super::Scenario, super::super::ScenarioError> {
    load(&format!(
        "format = 1\nname = \"e\"\n[actor.alice]\n[canister.b]\nwasm = \"b.wasm\"\n[canister.a]\nwasm = \"a.wasm\"\nenv = {env}\n\
         [[call]]\nid = \"c\"\nto = \"a\"\nmethod = \"m\"\nby = [\"alice\"]\n"
    ))
}

#[test]
fn names_of_canisters_and_actors_stand_for_their_principals() {
    let scenario = with("{ \"PUBLIC_CANISTER_ID:b\" = \"${b}\", WHO = \"\\\"${alice}\\\"!\", NONE = \"\" }").unwrap();
    let env: Vec<(&str, &str)> =
        scenario.canisters[1].env.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let who = format!("\"{}\"!", scenario.actors[0].id);
    assert_eq!(env, [("NONE", ""), ("PUBLIC_CANISTER_ID:b", "lxzze-o7777-77777-aaaaa-cai"), ("WHO", &who)]);
    assert!(scenario.canisters[0].env.is_empty());
}

#[test]
fn what_no_replica_would_take_is_refused() {
    let problem = |env: &str| with(env).map(|_| ()).expect_err(env).to_string();
    let long = "x".repeat(129);
    let many: Vec<String> = (0..21).map(|at| format!("v{at} = \"\"")).collect();
    for (env, expected) in [
        ("3".to_string(), "8:7: [env] must be a table, not an integer"),
        ("{ A = 3 }".to_string(), "8:13: `A` must be a text in quotes, not an integer"),
        ("{ A = [\"b\"] }".to_string(), "8:13: `A` must be a text in quotes, not a list"),
        ("{ A = \"${c}\" }".to_string(), "8:14: unknown actor or canister `c`, did you mean `b`?"),
        ("{ \"\" = \"a\" }".to_string(), "8:9: the name of an environment variable is empty; write one"),
        (
            format!("{{ {long} = \"a\" }}"),
            "8:9: the name of an environment variable has 129 bytes, at most 128 are possible; shorten it",
        ),
        (
            format!("{{ A = \"{long}\" }}"),
            "8:13: the value of an environment variable has 129 bytes, at most 128 are possible; shorten it",
        ),
        (format!("{{ {} }}", many.join(", ")), "8:1: 21 keys, at most 20 are possible"),
    ] {
        assert_eq!(problem(&env).strip_prefix("dir/s.toml:").unwrap_or_default(), expected, "{env}");
    }
    let text = "format = 1\nname = \"e\"\n[canister.a]\nbuiltin = \"stub\"\nenv = { A = \"1\" }\n";
    let error = load(text).map(|_| ()).expect_err("a stub reads none").to_string();
    assert_eq!(error, "dir/s.toml:5:1: a canister with `builtin` reads no environment variables; remove `env`");
}
