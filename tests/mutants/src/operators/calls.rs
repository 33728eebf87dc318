//! Checks before a call, calls, and what makes a call recognisable.

use syn::{Block, Expr, Stmt, parse_quote};

use super::Change;
use super::places::{each_block, each_expr, first_await, text, with};

/// An `if` that only returns, or goes on with the next one, is left out.
pub fn check_missing(body: &Block) -> Vec<Change> {
    each_block(body, |block| {
        let mut changes = Vec::new();
        for (at, statement) in block.stmts.iter().enumerate() {
            let Stmt::Expr(Expr::If(check), _) = statement else { continue };
            let leaves = match check.then_branch.stmts.last() {
                Some(Stmt::Expr(last, _)) => matches!(last, Expr::Return(_) | Expr::Continue(_)),
                _ => false,
            };
            if leaves && check.else_branch.is_none() {
                changes.push((format!("no `if {}`", text(&check.cond)), with(block, at, [])));
            }
        }
        changes
    })
}

/// What is awaited is sent once before, and nobody looks at what came of it: a retry without a look.
pub fn sent_twice(body: &Block) -> Vec<Change> {
    each_block(body, |block| {
        let mut changes = Vec::new();
        for (at, statement) in block.stmts.iter().enumerate() {
            let Some(awaited) = first_await(&mut statement.clone()).cloned() else { continue };
            let first: Stmt = parse_quote!(let _ = #awaited;);
            changes.push((format!("`{}` twice", text(&awaited)), with(block, at, [first, statement.clone()])));
        }
        changes
    })
}

/// A field of a value is `None` in place of `Some`: a request without its deduplication key.
pub fn option_dropped(body: &Block) -> Vec<Change> {
    each_expr(body, |expr| {
        let Expr::Struct(value) = expr else { return Vec::new() };
        let mut changes = Vec::new();
        for (at, field) in value.fields.iter().enumerate() {
            let is_some = matches!(&field.expr, Expr::Call(call) if text(&call.func) == "Some");
            let is_mapped = matches!(&field.expr, Expr::MethodCall(call) if call.method == "map");
            if is_some || is_mapped {
                let mut changed = value.clone();
                changed.fields[at].expr = parse_quote!(None);
                changes.push((format!("`{}: None`", text(&field.member)), Expr::Struct(changed)));
            }
        }
        changes
    })
}
