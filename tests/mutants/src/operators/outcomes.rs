//! Outcomes: the arms of a `match`, on what was awaited above all.

use syn::{Block, Expr, ExprMatch, Stmt, parse_quote};

use super::Change;
use super::places::{awaits, each_expr, text};

/// An arm does what the arm before it does: an unknown outcome is a failure, a refusal a success.
pub fn as_previous(body: &Block) -> Vec<Change> {
    each_arm(body, |the_match, at| {
        let previous = &the_match.arms[at.checked_sub(1)?];
        let mut changed = the_match.clone();
        changed.arms[at].body = previous.body.clone();
        Some((format!("`{}` as `{}`", text(&the_match.arms[at].pat), text(&previous.pat)), changed))
    })
}

/// The condition of an arm is left out: `Err(e) if e.is_clean_reject()` becomes every error.
pub fn condition_dropped(body: &Block) -> Vec<Change> {
    each_arm(body, |the_match, at| {
        let mut changed = the_match.clone();
        let (_, condition) = changed.arms[at].guard.take()?;
        Some((format!("`{}` without `if {}`", text(&changed.arms[at].pat), text(&condition)), changed))
    })
}

/// An arm keeps its value and loses its effects: an error after a debit, without a refund.
pub fn without_effect(body: &Block) -> Vec<Change> {
    each_arm(body, |the_match, at| {
        let mut changed = the_match.clone();
        let arm = &mut changed.arms[at];
        *arm.body = match &*arm.body {
            Expr::Block(block) if block.block.stmts.len() > 1 => match block.block.stmts.last()? {
                Stmt::Expr(value, None) => value.clone(),
                Stmt::Expr(leave @ Expr::Return(_), _) => leave.clone(),
                _ => parse_quote!({}),
            },
            Expr::Block(block) if block.block.stmts.is_empty() => return None,
            Expr::Block(_) | Expr::Call(_) | Expr::MethodCall(_) => parse_quote!({}),
            _ => return None,
        };
        Some((format!("`{}` without effect", text(&the_match.arms[at].pat)), changed))
    })
}

/// Where the outcome of an await is told apart, an arm other than the first traps, as code does that does not expect it.
pub fn traps(body: &Block) -> Vec<Change> {
    each_arm(body, |the_match, at| {
        let is_awaited = awaits(&Stmt::Expr((*the_match.expr).clone(), None));
        let mut changed = the_match.clone();
        changed.arms[at.checked_sub(1).filter(|_| is_awaited)? + 1].body = parse_quote!(ic_cdk::trap("unexpected"));
        Some((format!("`{}` traps", text(&the_match.arms[at].pat)), changed))
    })
}

fn each_arm(body: &Block, change: impl Fn(&ExprMatch, usize) -> Option<(String, ExprMatch)>) -> Vec<Change> {
    each_expr(body, |expr| {
        let Expr::Match(the_match) = expr else { return Vec::new() };
        let changes = (0..the_match.arms.len()).filter_map(|at| change(the_match, at));
        changes.map(|(what, changed)| (what, Expr::Match(changed))).collect()
    })
}
