//! Places in a body: every block, every expression, and awaits. What operators share.

use syn::visit::Visit;
use syn::visit_mut::VisitMut;
use syn::{Block, Expr, ExprAwait, ExprClosure, Stmt};

use super::Change;

/// The body with one of its blocks changed, itself included, for every way in which `change` changes one.
pub fn each_block(body: &Block, change: impl Fn(&Block) -> Vec<(String, Block)>) -> Vec<Change> {
    struct Blocks<'a> {
        found: Vec<Block>,
        replace: Option<(usize, &'a Block)>,
        at: usize,
    }
    impl VisitMut for Blocks<'_> {
        fn visit_block_mut(&mut self, block: &mut Block) {
            let at = self.at;
            self.at += 1;
            match self.replace {
                None => self.found.push(block.clone()),
                Some((wanted, new)) if wanted == at => {
                    *block = new.clone();
                    return;
                }
                Some(_) => {}
            }
            syn::visit_mut::visit_block_mut(self, block);
        }
    }
    let mut all = Blocks { found: Vec::new(), replace: None, at: 0 };
    all.visit_block_mut(&mut body.clone());
    let mut changes = Vec::new();
    for (at, block) in all.found.iter().enumerate() {
        for (what, new) in change(block) {
            let mut body = body.clone();
            Blocks { found: Vec::new(), replace: Some((at, &new)), at: 0 }.visit_block_mut(&mut body);
            changes.push(Change { what, body });
        }
    }
    changes
}

/// The body with one of its expressions changed, for every way in which `change` changes one.
pub fn each_expr(body: &Block, change: impl Fn(&Expr) -> Vec<(String, Expr)>) -> Vec<Change> {
    struct Exprs<'a> {
        found: Vec<Expr>,
        replace: Option<(usize, &'a Expr)>,
        at: usize,
    }
    impl VisitMut for Exprs<'_> {
        fn visit_expr_mut(&mut self, expr: &mut Expr) {
            let at = self.at;
            self.at += 1;
            match self.replace {
                None => self.found.push(expr.clone()),
                Some((wanted, new)) if wanted == at => {
                    *expr = new.clone();
                    return;
                }
                Some(_) => {}
            }
            syn::visit_mut::visit_expr_mut(self, expr);
        }
    }
    let mut all = Exprs { found: Vec::new(), replace: None, at: 0 };
    all.visit_block_mut(&mut body.clone());
    let mut changes = Vec::new();
    for (at, expr) in all.found.iter().enumerate() {
        for (what, new) in change(expr) {
            let mut body = body.clone();
            Exprs { found: Vec::new(), replace: Some((at, &new)), at: 0 }.visit_block_mut(&mut body);
            changes.push(Change { what, body });
        }
    }
    changes
}

/// A block with one of its statements replaced by others.
pub fn with(block: &Block, at: usize, statements: impl IntoIterator<Item = Stmt>) -> Block {
    let mut block = block.clone();
    block.stmts.splice(at..=at, statements);
    block
}

/// Does the statement await, outside of closures?
pub fn awaits(statement: &Stmt) -> bool {
    struct Awaits(bool);
    impl<'a> Visit<'a> for Awaits {
        fn visit_expr_await(&mut self, _: &'a ExprAwait) {
            self.0 = true;
        }
        fn visit_expr_closure(&mut self, _: &'a ExprClosure) {}
    }
    let mut awaits = Awaits(false);
    awaits.visit_stmt(statement);
    awaits.0
}

/// The first `.await` of a statement that is executed whenever the statement is: not one in a block, an arm or a closure.
pub fn first_await(statement: &mut Stmt) -> Option<&mut Expr> {
    match statement {
        Stmt::Local(local) => in_expr(&mut local.init.as_mut()?.expr),
        Stmt::Expr(expr, _) => in_expr(expr),
        _ => None,
    }
}

fn in_expr(expr: &mut Expr) -> Option<&mut Expr> {
    // Looks before it lends the expression out, which would be lent out on every path otherwise.
    if matches!(expr, Expr::Await(_)) {
        return Some(expr);
    }
    match expr {
        Expr::Try(inner) => in_expr(&mut inner.expr),
        Expr::Match(inner) => in_expr(&mut inner.expr),
        Expr::MethodCall(inner) => in_expr(&mut inner.receiver),
        Expr::Call(inner) => inner.args.iter_mut().find_map(in_expr),
        Expr::Let(inner) => in_expr(&mut inner.expr),
        Expr::If(inner) => in_expr(&mut inner.cond),
        Expr::Unary(inner) => in_expr(&mut inner.expr),
        Expr::Assign(inner) => in_expr(&mut inner.right),
        _ => None,
    }
}

/// Code in one line, spaced as is usual, more or less.
pub fn text(code: &impl quote::ToTokens) -> String {
    let mut text = code.to_token_stream().to_string();
    let closed_up =
        [(" . ", "."), (" :: ", "::"), (" (", "("), ("( ", "("), (" )", ")"), (" ,", ","), (" ;", ";"), (" ?", "?")];
    for (apart, together) in closed_up.into_iter().chain([("& ", "&"), (" :", ":"), ("| * ", "| *"), (" !(", "!(")]) {
        text = text.replace(apart, together);
    }
    // The bars of a closure's parameters.
    text.replace("(| ", "(|").replace("(||", "(|| ").replace(" |", "|").replace("|||", "|| |")
}
