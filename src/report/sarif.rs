//! Reports as SARIF 2.1.0, which code review tools show at the line.
//!
//! In: findings, each with the place of its await. Out: a document with one result for each. Where a module has no debug
//! information, the result is at the invariant in the scenario file.

use serde_sarif::sarif::{
    ArtifactLocation, Location, Message, PhysicalLocation, Region, ReportingDescriptor, Result as SarifResult,
    ResultLevel, Run, Sarif, Tool, ToolComponent,
};

/// One finding.
#[derive(Clone, Debug)]
pub struct Finding {
    /// Name of the invariant.
    pub invariant: String,
    /// What happens, in sentences.
    pub text: String,
    /// Where.
    pub file: String,
    /// Line, from 1.
    pub line: u32,
    /// What stays the same from run to run: scenario, invariant and await point.
    pub key: String,
}

/// The document.
pub fn document(findings: &[Finding]) -> String {
    let rule = |name: &String| {
        let text = format!("the invariant \"{name}\" holds in every order of messages");
        let text = serde_sarif::sarif::MultiformatMessageString::builder().text(text).build();
        ReportingDescriptor::builder().id(name.clone()).short_description(text).build()
    };
    let mut names: Vec<String> = findings.iter().map(|finding| finding.invariant.clone()).collect();
    names.sort();
    names.dedup();
    let result = |finding: &Finding| {
        let place = PhysicalLocation::builder()
            .artifact_location(ArtifactLocation::builder().uri(uri(&finding.file)).build())
            .region(Region::builder().start_line(i64::from(finding.line.max(1))).build())
            .build();
        let key = std::collections::BTreeMap::from([("canloom/v1".to_string(), finding.key.clone())]);
        SarifResult::builder()
            .rule_id(finding.invariant.clone())
            .level(ResultLevel::Error)
            .message(Message::builder().text(finding.text.clone()).build())
            .locations(vec![Location::builder().physical_location(place).build()])
            .partial_fingerprints(key)
            .build()
    };
    let driver = ToolComponent::builder()
        .name("canloom")
        .semantic_version(env!("CARGO_PKG_VERSION"))
        .rules(names.iter().map(rule).collect::<Vec<_>>())
        .build();
    let run = Run::builder()
        .tool(Tool::builder().driver(driver).build())
        .results(findings.iter().map(result).collect::<Vec<_>>())
        .build();
    let document = Sarif::builder()
        .version(serde_json::json!("2.1.0"))
        .schema("https://json.schemastore.org/sarif-2.1.0.json")
        .runs(vec![run])
        .build();
    serde_json::to_string_pretty(&document).expect("bug in canloom: the report can be written as JSON") + "\n"
}

/// A path as a relative URI reference.
fn uri(path: &str) -> String {
    let mut out = String::new();
    for byte in path.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'_' | b'-' | b'~' => out.push(char::from(byte)),
            byte => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}
