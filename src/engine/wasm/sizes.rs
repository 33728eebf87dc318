//! Sizes of a module beyond which the IC rejects it (interface specification, "Canister module format").
//!
//! In: a valid module. Out: nothing, or which limit it exceeds. These limits also bound what compiling a module takes.

use wasmparser::{ExternalKind, Operator, Parser, Payload};

use super::module::ModuleError;

const FUNCTIONS_MAX: u32 = 50_000;
const GLOBALS_MAX: u32 = 1_000;
const METHODS_MAX: usize = 1_000;
const METHOD_NAMES_MAX: usize = 20_000;
const CUSTOM_SECTIONS_MAX: usize = 16;
const CUSTOM_BYTES_MAX: usize = 1 << 20;
/// Bytes of the code section (resource limits of the IC).
const CODE_MAX: u32 = 11 << 20;
/// Instructions of one function: the replica's bound on a function's complexity counts nearly the same.
const FUNCTION_MAX: usize = 1_000_000;
const TABLES_MAX: u32 = 1;
/// Elements that a table begins with.
const TABLE_MAX: u64 = 1_000_000;

/// Checks a module that has been validated.
pub(super) fn check(wasm: &[u8]) -> Result<(), ModuleError> {
    let invalid = |error: wasmparser::BinaryReaderError| ModuleError::Invalid(error.to_string());
    let (mut methods, mut names, mut sections, mut custom) = (0, 0, 0, 0);
    for payload in Parser::new(0).parse_all(wasm) {
        match payload.map_err(invalid)? {
            Payload::FunctionSection(reader) => limit("functions", reader.count(), FUNCTIONS_MAX)?,
            Payload::GlobalSection(reader) => limit("globals", reader.count(), GLOBALS_MAX)?,
            Payload::TableSection(reader) => {
                limit("tables", reader.count(), TABLES_MAX)?;
                for table in reader {
                    limit("table elements", table.map_err(invalid)?.ty.initial, TABLE_MAX)?;
                }
            }
            Payload::ExportSection(reader) => {
                for export in reader {
                    let export = export.map_err(invalid)?;
                    let kinds = ["canister_update ", "canister_query ", "canister_composite_query "];
                    let name = kinds.iter().find_map(|kind| export.name.strip_prefix(kind));
                    if let Some(name) = name.filter(|_| export.kind == ExternalKind::Func) {
                        methods += 1;
                        names += name.len();
                    }
                }
            }
            Payload::CustomSection(section) => {
                let name = section.name();
                let known = name.strip_prefix("icp:public ").or_else(|| name.strip_prefix("icp:private "));
                if let Some(name) = known {
                    sections += 1;
                    custom += name.len() + section.data().len();
                }
            }
            Payload::CodeSectionStart { size, .. } => limit("bytes of code", size, CODE_MAX)?,
            Payload::CodeSectionEntry(body) => {
                let mut instructions = 0;
                for operator in body.get_operators_reader().map_err(invalid)? {
                    let operator: Operator<'_> = operator.map_err(invalid)?;
                    // A table of targets is code too, as long as it likes.
                    let targets =
                        if let Operator::BrTable { targets } = &operator { targets.len() as usize } else { 0 };
                    instructions += 1 + targets;
                }
                limit("instructions in one function", instructions, FUNCTION_MAX)?;
            }
            _ => {}
        }
    }
    limit("methods", methods, METHODS_MAX)?;
    limit("bytes in names of methods", names, METHOD_NAMES_MAX)?;
    limit("custom sections `icp:`", sections, CUSTOM_SECTIONS_MAX)?;
    limit("bytes in custom sections `icp:`", custom, CUSTOM_BYTES_MAX)
}

fn limit<N: PartialOrd + std::fmt::Display>(what: &str, found: N, most: N) -> Result<(), ModuleError> {
    if found <= most {
        return Ok(());
    }
    Err(ModuleError::Unsupported(format!("the module has {found} {what}, and the IC accepts at most {most}")))
}
