//! Runs CEL's parser on the rewritten text, and puts its complaints into our words and the user's columns.
//!
//! What the parser accepts goes to `compile`; both run on a thread with a stack of known size.

use super::compile;
use super::words::{self, Rewritten};
use super::{Expr, ExprError, Purpose};
use crate::scenario::names::Names;

/// Stack of the thread that parses: CEL's parser takes about 50 KiB per level of brackets in a debug build.
const STACK_BYTES: usize = 64 << 20;

/// [`Expr::parse_for`].
pub(super) fn parse(text: &str, names: &Names, purpose: Purpose) -> Result<Expr, ExprError> {
    let rewritten = words::rewrite(text)?;
    let run = || -> Result<Expr, ExprError> {
        let (tree, info) = cel::parser::Parser::new()
            .parse_with_source_info(&rewritten.text)
            .map_err(|errors| syntax_error(text, &rewritten, &errors))?;
        compile::compile(text, names, purpose, &rewritten, &tree, &info)
    };
    // A thread of its own, so that the caller's stack does not decide what can be parsed.
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(STACK_BYTES).spawn_scoped(scope, run);
        let result = thread
            .map_err(|error| {
                format!("cannot start a thread to parse it: {error}; raise the limit of processes (ulimit -u)")
            })
            .and_then(|thread| thread.join().map_err(|_| "the CEL parser failed on it".to_string()));
        result.unwrap_or_else(|problem| Err(ExprError::new(text, 0, problem)))
    })
}

/// CEL's first error about syntax, in our words and at the user's column.
fn syntax_error(text: &str, rewritten: &Rewritten, errors: &cel::ParseErrors) -> ExprError {
    let syntax = errors.errors.iter().find(|error| error.msg.starts_with("Syntax error"));
    let Some(error) = syntax.or(errors.errors.first()) else {
        return ExprError::new(text, 0, "not an expression");
    };
    // The rewritten text is one line of ASCII, so CEL's column is a byte.
    let place = usize::try_from(error.pos.1 - 1).unwrap_or(0);
    let offset = if place >= rewritten.text.len() { text.len() } else { rewritten.map.original(place) };
    let token: String =
        text[offset.min(text.len())..].split_whitespace().next().unwrap_or("").chars().take(20).collect();
    let problem = if syntax.is_none() {
        let message = error.msg.strip_prefix("ERROR: ").unwrap_or(&error.msg);
        format!("not an expression: {}", message.lines().next().unwrap_or(""))
    } else if let Some(missing) = error.msg.strip_prefix("Syntax error: missing '") {
        format!("`{}` is missing", missing.split('\'').next().unwrap_or(""))
    } else if token.is_empty() {
        "the expression ends too early; a value belongs here, as in `x == 2`".to_string()
    } else {
        format!("cannot go on at `{token}`")
    };
    ExprError::new(text, offset, problem)
}
