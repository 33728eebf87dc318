//! The JSON Schema for editors, docs/scenario.schema.json, knows the keys that are read, and accepts every scenario of the corpus.

use std::collections::BTreeSet;

use serde_json::Value as Json;
use toml::de::{DeTable, DeValue};

use super::*;

fn schema() -> Json {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/scenario.schema.json");
    serde_json::from_str(&std::fs::read_to_string(file).expect("the schema is there")).expect("it is JSON")
}

/// Keys that are refused by name because a later version may have them.
const LATER: [&str; 4] = ["runs", "mode", "preemptions", "reenter"];

/// The keys that the reader of a table knows: it lists them when another one stands there.
fn known(text: &str) -> BTreeSet<String> {
    let error = load(text).map(|_| ()).expect_err("an unknown key is refused").to_string();
    let (_, list) = error.split_once("; there is ").unwrap_or_else(|| panic!("{error}"));
    let keys = list.split(", ").map(|key| key.trim_matches('`').to_string());
    keys.filter(|key| !LATER.contains(&key.as_str())).collect()
}

fn properties(schema: &Json) -> BTreeSet<String> {
    let properties = schema["properties"].as_object().unwrap_or_else(|| panic!("{schema}"));
    properties.keys().filter(|key| !LATER.contains(&key.as_str())).cloned().collect()
}

#[test]
fn the_schema_has_exactly_the_keys_that_are_read() {
    const UNKNOWN: &str = "qqqqqqqqqqqqqqqq = 1";
    let schema = schema();
    let all = &schema["properties"];
    assert_eq!(properties(&schema), known(&format!("{UNKNOWN}\n{GOOD}")));
    for (header, table) in [
        ("[explore]", &all["explore"]),
        ("[canister.b]", &all["canister"]["additionalProperties"]),
        ("[actor.alice]", &all["actor"]["additionalProperties"]),
        ("[[setup]]", &all["setup"]["items"]),
        ("[observe.x]", &all["observe"]["additionalProperties"]),
        ("[[call]]", &all["call"]["items"]),
        ("[[fault]]", &all["fault"]["items"]),
        ("[[invariant]]", &all["invariant"]["items"]),
    ] {
        assert!(GOOD.contains(header), "{header}");
        let text = GOOD.replacen(header, &format!("{header}\n{UNKNOWN}"), 1);
        assert_eq!(properties(table), known(&text), "{header}");
    }
    for (tables, table) in [
        ("[[time]]\n?", &all["time"]["items"]),
        ("[[outcall]]\n?", &all["outcall"]["items"]),
        ("[ghost.g]\n?", &all["ghost"]["additionalProperties"]),
        ("[check]\n?", &all["check"]),
        ("[check.serializable]\n?", &all["check"]["properties"]["serializable"]["oneOf"][1]),
        ("[check.err_is_noop]\n?", &all["check"]["properties"]["err_is_noop"]["oneOf"][1]),
        ("[check.probe]\n?", &all["check"]["properties"]["probe"]["oneOf"][1]),
        ("[check.conserve]\n?", &all["check"]["properties"]["conserve"]["oneOf"][1]),
        ("[canister.c]\nbuiltin = \"stub\"\n[canister.c.replies.m]\n?", &schema["$defs"]["answer"]),
    ] {
        let text = format!("{GOOD}\n{}", tables.replace('?', UNKNOWN));
        assert_eq!(properties(table), known(&text), "{tables}");
    }
    let kinds: BTreeSet<&str> = super::super::fault::KINDS.iter().map(|(name, ..)| *name).collect();
    let listed = all["fault"]["items"]["properties"]["kinds"]["oneOf"][0]["enum"].as_array().expect("a list");
    assert_eq!(listed.iter().filter_map(Json::as_str).collect::<BTreeSet<_>>(), kinds);
}

fn json(value: &DeValue<'_>) -> Json {
    match value {
        DeValue::String(text) => Json::from(text.as_ref()),
        DeValue::Integer(integer) => integer.as_str().replace('_', "").parse::<i64>().map_or(Json::Null, Json::from),
        DeValue::Boolean(boolean) => Json::from(*boolean),
        DeValue::Array(items) => items.iter().map(|item| json(item.get_ref())).collect(),
        DeValue::Table(table) => table_json(table),
        DeValue::Float(_) | DeValue::Datetime(_) => Json::Null,
    }
}

fn table_json(table: &DeTable<'_>) -> Json {
    table.iter().map(|(key, value)| (key.get_ref().to_string(), json(value.get_ref()))).collect()
}

/// Why a value does not fit, as far as the schema's words are used: enough of JSON Schema for this one.
fn misfit(root: &Json, schema: &Json, value: &Json, at: &str) -> Option<String> {
    if let Some(name) = schema["$ref"].as_str().and_then(|path| path.strip_prefix("#/$defs/")) {
        return misfit(root, &root["$defs"][name], value, at);
    }
    if let Some(choices) = schema["oneOf"].as_array() {
        let fitting = choices.iter().filter(|choice| misfit(root, choice, value, at).is_none()).count();
        return (fitting != 1).then(|| format!("{at}: {value} fits {fitting} of {} alternatives", choices.len()));
    }
    if let Some(constant) = schema.get("const") {
        return (constant != value).then(|| format!("{at}: {value} is not {constant}"));
    }
    if let Some(values) = schema["enum"].as_array() {
        return (!values.contains(value)).then(|| format!("{at}: {value} is none of {values:?}"));
    }
    let is_right = match schema["type"].as_str() {
        Some("string") => {
            value.is_string() && value.as_str().map(str::len) >= schema["minLength"].as_u64().map(|n| n as usize)
        }
        Some("integer") => value.as_i64().is_some_and(|n| {
            n >= schema["minimum"].as_i64().unwrap_or(i64::MIN) && n <= schema["maximum"].as_i64().unwrap_or(i64::MAX)
        }),
        Some("boolean") => value.is_boolean(),
        Some("array") => {
            value.as_array().is_some_and(|items| items.len() as u64 >= schema["minItems"].as_u64().unwrap_or(0))
        }
        Some("object") => value.is_object(),
        other => panic!("{at}: type {other:?}"),
    };
    if !is_right {
        return Some(format!("{at}: {value} is not {}", schema["type"]));
    }
    let items = value.as_array().into_iter().flatten();
    if let Some(wrong) = items.filter_map(|item| misfit(root, &schema["items"], item, at)).next() {
        return Some(wrong);
    }
    let object = value.as_object()?;
    let required = schema["required"].as_array().into_iter().flatten().filter_map(Json::as_str);
    if let Some(missing) = required.into_iter().find(|key| !object.contains_key(*key)) {
        return Some(format!("{at}: {missing} is missing"));
    }
    object.iter().find_map(|(key, value)| {
        let at = format!("{at}.{key}");
        match (schema["properties"].get(key), &schema["additionalProperties"]) {
            (Some(schema), _) => misfit(root, schema, value, &at),
            (None, Json::Object(_)) => misfit(root, &schema["additionalProperties"], value, &at),
            (None, _) => Some(format!("{at}: there is no such key")),
        }
    })
}

fn misfit_of(text: &str) -> Option<String> {
    let document = DeTable::parse(text).expect("it is TOML");
    let schema = schema();
    misfit(&schema, &schema, &table_json(document.get_ref()), "")
}

#[test]
fn the_schema_accepts_every_scenario_of_the_corpus() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    let mut accepted = 0;
    for folder in std::fs::read_dir(corpus).expect("there is a corpus") {
        for file in std::fs::read_dir(folder.expect("readable").path()).expect("a folder") {
            let file = file.expect("readable").path();
            if file.extension().is_some_and(|end| end == "toml") {
                let text = std::fs::read_to_string(&file).expect("readable");
                assert_eq!(misfit_of(&text), None, "{}", file.display());
                accepted += 1;
            }
        }
    }
    assert!(accepted >= 50, "{accepted} scenarios");
    assert_eq!(misfit_of(GOOD), None);
}

#[test]
fn the_schema_refuses_what_the_reader_refuses() {
    for (from, to) in [
        ("format = 1", "format = 2"),
        ("max = 3", "max = 0"),
        ("max = 3", "mx = 3"),
        ("max = 3", "max = \"3\""),
        ("when = \"quiescent\"", "when = \"sometime\""),
        ("kinds = [\"clean_reject\"", "kinds = [\"clean\""),
        ("name = \"counted\"", ""),
        ("depth = 60", "depth = 0"),
    ] {
        assert!(GOOD.contains(from), "{from}");
        let text = GOOD.replacen(from, to, 1);
        assert!(misfit_of(&text).is_some() && load(&text).is_err(), "{to}");
    }
}
