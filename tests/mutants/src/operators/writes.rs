//! Writes: statements that change the state, and when they do.

use quote::quote;
use syn::visit::Visit;
use syn::{BinOp, Block, Expr, ExprBinary, ExprClosure, Stmt, parse_quote};

use super::Change;
use super::places::{awaits, each_block, each_expr, first_await, text, with};

/// A write moves over the await that follows it, past other writes: what was awaited is, and then comes the write.
pub fn after_await(body: &Block) -> Vec<Change> {
    each_block(body, |block| {
        let mut changes = Vec::new();
        for (at, write) in block.stmts.iter().enumerate().filter(|(_, statement)| is_write(statement)) {
            let is_next = |(_, statement): &(usize, &Stmt)| !is_write(statement);
            let Some((next_at, next)) = block.stmts.iter().enumerate().skip(at).find(is_next) else { continue };
            let mut next = next.clone();
            let Some(place) = first_await(&mut next) else { continue };
            let awaited = std::mem::replace(place, parse_quote!(awaited));
            let what = format!("`{}` after `{}`", text(write), text(&awaited));
            let mut changed = with(block, next_at, [parse_quote!(let awaited = #awaited;), write.clone(), next]);
            changed.stmts.remove(at);
            changes.push((what, changed));
        }
        changes
    })
}

/// A write is left out.
pub fn missing(body: &Block) -> Vec<Change> {
    each_block(body, |block| {
        let writes = block.stmts.iter().enumerate().filter(|(_, statement)| is_write(statement));
        writes.map(|(at, write)| (format!("no `{}`", text(write)), with(block, at, []))).collect()
    })
}

/// What is added or taken away is so twice.
pub fn doubled(body: &Block) -> Vec<Change> {
    each_expr(body, |expr| match expr {
        Expr::Binary(change) if is_change(change) => {
            vec![(format!("twice `{}`", text(change)), parse_quote!({ #change; #change; }))]
        }
        _ => Vec::new(),
    })
}

/// A sum or difference is that of the value before an earlier await: what others wrote meanwhile is lost.
///
/// It fits statements of the form `access(|state| place += amount)` in the block of an await or below it. The place is
/// read in front of the awaiting statement, by the same access.
pub fn stale(body: &Block) -> Vec<Change> {
    let mut changes = Vec::new();
    for (at, statement) in body.stmts.iter().enumerate() {
        if !awaits(statement) {
            continue;
        }
        // The write stands in the same statement, as in the arm of a match on what was awaited.
        let inner = parse_quote!({ #statement });
        for Change { what, body: changed } in each_expr(&inner, stale_access) {
            let Some((read, statement)) = split(changed) else { continue };
            changes.push(Change { what, body: with(body, at, [read, statement]) });
        }
    }
    changes
}

/// `access(|state| place += amount)` as a block whose first statement reads and whose second one writes.
fn stale_access(expr: &Expr) -> Vec<(String, Expr)> {
    let Expr::Call(access) = expr else { return Vec::new() };
    let (function, [Expr::Closure(closure)]) = (&access.func, &access.args.iter().cloned().collect::<Vec<_>>()[..])
    else {
        return Vec::new();
    };
    let (inputs, Expr::Binary(change)) = (&closure.inputs, &*closure.body) else { return Vec::new() };
    if !is_change(change) {
        return Vec::new();
    }
    let (place, amount) = (&change.left, &change.right);
    let sign: BinOp = if matches!(change.op, BinOp::AddAssign(_)) { parse_quote!(+) } else { parse_quote!(-) };
    let written = quote!(#place = stale #sign #amount);
    let what = format!("`{}` with a value read before the await", text(&written));
    vec![(what, parse_quote!({ let stale = #function(|#inputs| #place); #function(|#inputs| #written) }))]
}

/// Takes the reading out of a block made by [`stale_access`], which is somewhere in this one.
fn split(mut changed: Block) -> Option<(Stmt, Stmt)> {
    use syn::visit_mut::VisitMut;
    struct Take(Option<Stmt>);
    impl VisitMut for Take {
        fn visit_expr_mut(&mut self, expr: &mut Expr) {
            if let Expr::Block(block) = expr
                && let [read @ Stmt::Local(local), Stmt::Expr(write, None)] = &block.block.stmts[..]
                && text(&local.pat) == "stale"
            {
                self.0 = Some(read.clone());
                *expr = write.clone();
                return;
            }
            syn::visit_mut::visit_expr_mut(self, expr);
        }
    }
    let mut take = Take(None);
    take.visit_block_mut(&mut changed);
    Some((take.0?, changed.stmts.pop()?))
}

/// Is it a statement for its effect alone, which awaits nothing and does not leave the function?
fn is_write(statement: &Stmt) -> bool {
    struct Leaves(bool);
    impl<'a> Visit<'a> for Leaves {
        fn visit_expr_return(&mut self, _: &'a syn::ExprReturn) {
            self.0 = true;
        }
        fn visit_expr_break(&mut self, _: &'a syn::ExprBreak) {
            self.0 = true;
        }
        fn visit_expr_continue(&mut self, _: &'a syn::ExprContinue) {
            self.0 = true;
        }
        fn visit_expr_closure(&mut self, _: &'a ExprClosure) {}
    }
    let Stmt::Expr(expr, Some(_)) = statement else { return false };
    let mut leaves = Leaves(false);
    leaves.visit_expr(expr);
    !leaves.0 && !awaits(statement)
}

fn is_change(expr: &ExprBinary) -> bool {
    matches!(expr.op, BinOp::AddAssign(_) | BinOp::SubAssign(_))
}
