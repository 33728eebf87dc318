//! Guards: values that are kept for what their drop does, in variables such as `_guard`.

use syn::visit_mut::VisitMut;
use syn::{Block, Ident, Pat, Stmt, parse_quote};

use super::Change;
use super::places::{awaits, each_block, text, with};

/// The variable becomes `_`: the guard is dropped as soon as it is made.
pub fn dropped(body: &Block) -> Vec<Change> {
    each_block(body, |block| {
        let guards = block.stmts.iter().enumerate().filter_map(|(at, statement)| Some((at, guard(statement)?.1)));
        guards.map(|(at, dropped)| (text(&dropped), with(block, at, [dropped.clone()]))).collect()
    })
}

/// The guard is dropped before a later statement that awaits.
pub fn early(body: &Block) -> Vec<Change> {
    each_block(body, |block| {
        let mut changes = Vec::new();
        for (made, statement) in block.stmts.iter().enumerate() {
            let Some((name, _)) = guard(statement) else { continue };
            let later = block.stmts.iter().enumerate().skip(made + 1);
            for (at, statement) in later.filter(|(_, statement)| awaits(statement)) {
                let drop: Stmt = parse_quote!(drop(#name););
                let what = format!("{} before `{}`", text(&drop), first_line(statement));
                changes.push((what, with(block, at, [drop, statement.clone()])));
            }
        }
        changes
    })
}

/// A `drop` does nothing: what its value stands for is never given back.
pub fn not_reset(body: &Block) -> Vec<Change> {
    let is_empty = body.stmts.is_empty();
    let change = || Change { what: "does nothing".to_string(), body: parse_quote!({}) };
    (!is_empty).then(change).into_iter().collect()
}

/// The variable of a guard that this statement makes, and the statement without it.
fn guard(statement: &Stmt) -> Option<(Ident, Stmt)> {
    struct Forget(Option<Ident>);
    impl VisitMut for Forget {
        fn visit_pat_mut(&mut self, pattern: &mut Pat) {
            match pattern {
                Pat::Ident(variable) if variable.ident.to_string().starts_with('_') => {
                    self.0 = Some(variable.ident.clone());
                    *pattern = parse_quote!(_);
                }
                _ => syn::visit_mut::visit_pat_mut(self, pattern),
            }
        }
    }
    let mut statement = statement.clone();
    let Stmt::Local(local) = &mut statement else { return None };
    let mut forget = Forget(None);
    forget.visit_pat_mut(&mut local.pat);
    Some((forget.0?, statement))
}

/// What a statement begins with, up to a block.
fn first_line(statement: &Stmt) -> String {
    let text = text(statement);
    text.split(" {").next().unwrap_or_default().trim_end_matches(';').to_string()
}
