//! Reports of counterexamples and of checks.

use super::super::super::stage::{Stage, call};
use super::super::super::wat_canister::canister;
use super::super::{assert_one_error, canloom, files, found};
use super::accepted;

#[test]
fn reports_for_ci_are_written_where_they_are_asked_for() {
    let (stage, _) = found();
    let files = ["--html", "r.html", "--junit", "r.xml", "--sarif", "r.sarif"];
    let ran = canloom(stage.folder(), &[&["explore", "--quiet", "scenario.toml"][..], &files].concat());
    assert_eq!((ran.exit, ran.error.as_str(), ran.out.as_str()), (3, "", "test: violated\n"));
    let read = |name: &str| std::fs::read_to_string(stage.file(name)).expect("it was written");
    assert!(read("r.html").starts_with("<!DOCTYPE html>") || read("r.html").starts_with("<!doctype html>"));
    let junit = read("r.xml");
    assert!(junit.contains("tests=\"2\" failures=\"1\"") && junit.contains("name=\"order is kept\""), "{junit}");
    let sarif: serde_json::Value = serde_json::from_str(&read("r.sarif")).expect("JSON");
    let result = &sarif["runs"][0]["results"][0];
    assert_eq!(result["ruleId"], "order is kept");
    let place = &result["locations"][0]["physicalLocation"];
    assert_eq!(place["artifactLocation"]["uri"], "scenario.toml", "the modules have no debug information");
    assert!(place["region"]["startLine"].as_u64().is_some_and(|line| line > 1));
}

#[test]
fn names_cannot_leave_the_page_or_the_diagram() {
    let name = "</script><script>window.__pwned=1</script>";
    let stage = Stage::new(
        &[canister("(func (export \"canister_update w\") (call $reply))")],
        &format!(
            "{}[[invariant]]\nname = '{name}'\nwhen = \"always\"\nexpr = \"count(done(\\\"w\\\")) == 0\"\n",
            call("w", 0, "w", "")
        ),
    );
    let ran = canloom(stage.folder(), &["explore", "--quiet", "scenario.toml", "--html", "r.html"]);
    assert_eq!(ran.exit, 3, "{}", ran.error);
    let page = std::fs::read_to_string(stage.file("r.html")).expect("it was written");
    assert!(!page.contains(name) && page.matches("<script").count() == 2, "the page's own, and its data");
    let file = files(stage.folder()).into_keys().find(|name| name.ends_with(".cx.new")).expect("it was saved");
    let ran = canloom(stage.folder(), &["report", &file, "--mermaid", "-"]);
    assert_eq!((ran.exit, ran.error.as_str()), (0, ""));
    assert!(ran.out.starts_with("sequenceDiagram\n") && !ran.out.contains('<'), "{}", ran.out);
    let ran = canloom(stage.folder(), &["report", &file, "--json", "-"]);
    let story: serde_json::Value = serde_json::from_str(&ran.out).expect("JSON");
    assert_eq!((&story["invariant"], story["steps"].as_array().map(Vec::len)), (&name.into(), Some(1)));
    assert_one_error(&canloom(stage.folder(), &["corpus", "check", "scenario.toml"]), 2, &["not a counterexample"]);
}

#[test]
fn a_report_overwrites_no_source() {
    let (stage, name) = found();
    let before = files(stage.folder());
    for place in [name.as_str(), "scenario.toml", "c0.wasm"] {
        assert_one_error(&canloom(stage.folder(), &["report", &name, "--html", place]), 2, &["overwrite a source"]);
        let ran = canloom(stage.folder(), &["explore", "scenario.toml", "--junit", place]);
        assert_one_error(&ran, 2, &["overwrite a source"]);
        let ran = canloom(stage.folder(), &["explore", "scenario.toml", "--json", place]);
        assert_one_error(&ran, 2, &["overwrite a source"]);
    }
    let both = canloom(stage.folder(), &["report", &name, "--html", "-", "--mermaid", "-"]);
    assert_one_error(&both, 2, &["only one of"]);
    assert_eq!(files(stage.folder()), before);
}

#[test]
fn a_shard_has_no_reports_of_the_whole() {
    let (stage, _) = found();
    for option in [["--html", "r.html"], ["--junit", "r.xml"], ["--sarif", "r.sarif"], ["--fail-on", "new"]] {
        let ran = canloom(stage.folder(), &[&["explore", "scenario.toml", "--shard", "1/2"][..], &option].concat());
        assert_one_error(&ran, 2, &["a shard is a part of it"]);
    }
}

#[test]
fn check_writes_junit() {
    let (stage, name) = accepted();
    assert_eq!(canloom(stage.folder(), &["corpus", "check", ".", "--junit", "r.xml"]).exit, 0);
    let report = std::fs::read_to_string(stage.file("r.xml")).expect("it was written");
    assert!(report.contains("tests=\"1\" failures=\"0\"") && report.contains(&name), "{report}");
}
