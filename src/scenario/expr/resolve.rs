//! Resolves what an expression names: observations, actors, fields, items, and lists of calls.
//!
//! Also decides what a report shows of an expression, which is what it names.

use cel::common::ast::{self, IdedExpr, LiteralValue, operators};

use super::compile::{Compiler, Item, Type, Typed};
use super::words::INTEGER;
use super::{CallList, ExprError, List, Node, Wanted};
use crate::scenario::path::Step;
use crate::scenario::suggest::hint;
use crate::scenario::value::Value;

/// The functions that are lists of calls.
pub(super) const CALL_LISTS: [(&str, Wanted); 5] = [
    ("open", Wanted::Open),
    ("done", Wanted::Done),
    ("ok", Wanted::Ok),
    ("err", Wanted::Err),
    ("refused", Wanted::Refused),
];

impl Compiler<'_> {
    pub(super) fn name(&mut self, id: u64, name: &str) -> Result<Typed, ExprError> {
        if let Some(number) = self.integer(name) {
            return Ok((number, Type::Int));
        }
        let is_observation = self.names.observations.iter().any(|observation| observation == name);
        if self.is_of_message() && (is_observation || ["quiet", "faulted", "now"].contains(&name)) {
            let text = format!("a ghost sees `it.args`, `it.reply` and `it.by`, and not `{name}`");
            return self.error(id, text);
        }
        if let Some(index) = self.names.observations.iter().position(|observation| observation == name) {
            return Ok((Node::Observation(index, name.to_string()), Type::Any));
        }
        match name {
            "quiet" => return Ok((Node::Quiet, Type::Bool)),
            "faulted" => return Ok((Node::Faulted, Type::Int)),
            "now" => return Ok((Node::Now, Type::Int)),
            "it" => match self.item {
                Item::Value => return Ok((Node::Item, Type::Any)),
                Item::Call => {
                    return self.error(id, "`it` is a call here; use `it.args`, `it.reply` or `it.by`");
                }
                Item::Message => {
                    return self.error(id, "`it` is a message here; use `it.args`, `it.reply` or `it.by`");
                }
                Item::None => {
                    return self.error(id, "`it` stands only in the second argument of `sum` or `count`");
                }
            },
            _ => {}
        }
        if let Ok(principal) = self.names.principal(name) {
            self.named.push(name.to_string());
            return Ok((Node::Constant(Value::Principal(principal)), Type::Principal));
        }
        if CALL_LISTS.iter().any(|(list, _)| *list == name) || name == "count" || name == "sum" {
            return self.error(id, format!("`{name}` is a function; write `{name}(...)`"));
        }
        let people = self.names.actors.iter().chain(&self.names.canisters).map(|(name, _)| name.as_str());
        let known = self.names.observations.iter().map(String::as_str).chain(["quiet", "faulted", "now"]).chain(people);
        self.error(id, format!("unknown name `{name}`{}", hint(name, known)))
    }

    fn integer(&self, name: &str) -> Option<Node> {
        let index: usize = name.strip_prefix(INTEGER)?.parse().ok()?;
        self.rewritten.integers.get(index).cloned().map(Node::from)
    }

    /// A name, or a field or item of one.
    pub(super) fn path(&mut self, tree: &IdedExpr) -> Result<Node, ExprError> {
        match &tree.expr {
            ast::Expr::Ident(name) => self.name(tree.id, name).map(|(node, _)| node),
            ast::Expr::Select(select) => {
                let field = select.field.as_str();
                let is_it = matches!(&select.operand.expr, ast::Expr::Ident(name) if name == "it");
                if is_it && matches!(self.item, Item::Call | Item::Message) {
                    let what = if self.item == Item::Call { "call" } else { "message" };
                    return match field {
                        "args" => Ok(Node::ItemArgs),
                        "reply" => Ok(Node::ItemReply),
                        "by" => Ok(self.item_by()),
                        _ => {
                            let text = format!("a {what} has no `{field}`; use `it.args`, `it.reply` or `it.by`");
                            self.error(tree.id, text)
                        }
                    };
                }
                let base = self.path(&select.operand)?;
                self.fields.push(field.to_string());
                let step = Step::new(field);
                Ok(if select.test { Node::Has(Box::new(base), step) } else { Node::Field(Box::new(base), step) })
            }
            ast::Expr::Call(call) if call.func_name == operators::INDEX && call.args.len() == 2 => {
                let base = self.path(&call.args[0])?;
                if let ast::Expr::Literal(LiteralValue::String(field)) = &call.args[1].expr {
                    self.fields.push(field.inner().to_string());
                    return Ok(Node::Field(Box::new(base), Step::new(field.inner())));
                }
                let index = self.typed(&call.args[1], Type::Int, "`[ ]`")?;
                Ok(Node::Index(Box::new(base), Box::new(index)))
            }
            _ => self.error(tree.id, "fields are taken from observations and replies only, as in `pool.assets`"),
        }
    }

    fn item_by(&self) -> Node {
        Node::ItemBy(self.names.actors.iter().map(|(_, id)| Value::Principal(*id)).collect())
    }

    pub(super) fn list(&mut self, tree: &IdedExpr) -> Result<List, ExprError> {
        let ast::Expr::Call(call) = &tree.expr else {
            return self.path(tree).map(|node| List::Value(Box::new(node)));
        };
        let Some((name, state)) = CALL_LISTS.iter().find(|(list, _)| *list == call.func_name) else {
            return self.path(tree).map(|node| List::Value(Box::new(node)));
        };
        if self.is_of_message() {
            return self
                .error(tree.id, format!("a ghost sees `it.args`, `it.reply` and `it.by`, and not `{name}(...)`"));
        }
        let (id, actor) = match call.args.as_slice() {
            [id] => (id, None),
            [id, actor] => (id, Some(actor)),
            _ => {
                return self.error(
                    tree.id,
                    format!("`{name}` takes the id of a call, as in `{name}(\"foo\")`, and perhaps an actor"),
                );
            }
        };
        let ast::Expr::Literal(LiteralValue::String(text)) = &id.expr else {
            return self.error(id.id, format!("`{name}` takes the id of a call in quotes, as in `{name}(\"foo\")`"));
        };
        let entry = self.names.call(text.inner()).or_else(|problem| self.error(id.id, problem))?;
        let actor = actor.map(|actor| self.actor(actor)).transpose()?;
        let refusals = self.names.refusals.get(entry).map_or(&[][..], |texts| texts).into();
        Ok(List::Calls(CallList { state: *state, entry, actor, id: text.inner().to_string(), refusals }))
    }

    fn actor(&mut self, tree: &IdedExpr) -> Result<usize, ExprError> {
        let name = match &tree.expr {
            ast::Expr::Ident(name) => name.as_str(),
            ast::Expr::Literal(LiteralValue::String(name)) => name.inner(),
            _ => return self.error(tree.id, "an actor's name is needed here"),
        };
        self.named.push(name.to_string());
        self.names.actor(name).or_else(|problem| self.error(tree.id, problem))
    }

    /// The user's text of a function call, whose node is placed at its opening bracket.
    pub(super) fn source(&self, id: u64) -> String {
        let open = self.offset(id).min(self.text.len());
        let start =
            self.text[..open].trim_end().rfind(|c: char| !c.is_ascii_alphanumeric() && c != '_').map_or(0, |at| at + 1);
        let (mut depth, mut quote) = (0, None);
        for (at, c) in self.text[open..].char_indices() {
            match (quote, c) {
                (Some(open), c) if c == open => quote = None,
                (Some(_), _) => {}
                (None, '"' | '\'') => quote = Some(c),
                (None, '(' | '[') => depth += 1,
                (None, ')' | ']') => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                return self.text[start..=open + at].to_string();
            }
        }
        self.text[start..].to_string()
    }

    /// Shows observations, and counters that are not constant; once each.
    pub(super) fn show(&mut self, node: &Node) {
        let Some(name) = path_text(node) else { return };
        self.show_as(name, node);
    }

    pub(super) fn show_as(&mut self, name: String, node: &Node) {
        if self.item == Item::None && self.shown.iter().all(|(shown, _)| *shown != name) {
            self.shown.push((name, node.clone()));
        }
    }
}

/// How a report names what a path leads to; nothing for constants.
fn path_text(node: &Node) -> Option<String> {
    Some(match node {
        Node::Observation(_, name) => name.clone(),
        Node::Quiet => "quiet".to_string(),
        Node::Faulted => "faulted".to_string(),
        Node::Now => "now".to_string(),
        Node::Field(base, step) => format!("{}.{}", path_text(base)?, step.name()),
        Node::Has(base, step) => format!("has({}.{})", path_text(base)?, step.name()),
        Node::Index(base, index) => match index.as_ref() {
            Node::Constant(position) => format!("{}.{position}", path_text(base)?),
            _ => path_text(base)?,
        },
        _ => return None,
    })
}
