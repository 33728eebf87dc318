//! From CEL's syntax tree to our own: names become indexes, types are checked as far as they are known.
//!
//! An observation's type is known only once it has a value, so it fits everywhere here and is checked at evaluation.

use num_bigint::BigInt;

use cel::common::ast::{self, CallExpr, IdedExpr, LiteralValue, SourceInfo, operators};

use super::resolve::CALL_LISTS;
use super::words::Rewritten;
use super::{Arithmetic, Comparison, Expr, ExprError, List, Node, Purpose};
use crate::scenario::names::Names;
use crate::scenario::suggest::hint;
use crate::scenario::value::Value;

/// What is known of the type of a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Type {
    Bool,
    Int,
    Float,
    Text,
    Principal,
    Null,
    Any,
}

impl Type {
    fn name(self) -> &'static str {
        match self {
            Type::Bool => "a bool",
            Type::Int => "an integer",
            Type::Float => "a float",
            Type::Text => "a text",
            Type::Principal => "a principal",
            Type::Null => "null",
            Type::Any => "a value",
        }
    }

    fn fits(self, wanted: Type) -> bool {
        self == wanted || self == Type::Any || wanted == Type::Any
    }
}

/// A node and what is known of its type.
pub(super) type Typed = (Node, Type);

/// The expression of a syntax tree; `info` has the places of its nodes in the rewritten text.
pub(super) fn compile(
    text: &str,
    names: &Names,
    purpose: Purpose,
    rewritten: &Rewritten,
    tree: &IdedExpr,
    info: &SourceInfo,
) -> Result<Expr, ExprError> {
    let is_of_message = matches!(purpose, Purpose::When | Purpose::Add);
    let item = if is_of_message { Item::Message } else { Item::None };
    let (is_before, shown, fields, named) = (false, Vec::new(), Vec::new(), Vec::new());
    let mut compiler = Compiler { text, names, purpose, rewritten, info, item, is_before, shown, fields, named };
    let (root, ty) = compiler.node(tree)?;
    let (wanted, problem) = match purpose {
        Purpose::World | Purpose::Step => (Type::Bool, "an invariant must be true or false"),
        Purpose::When => (Type::Bool, "`when` must be true or false"),
        Purpose::Add => (Type::Int, "`add` must be an integer"),
        Purpose::Amount => (Type::Int, "an amount must be an integer"),
    };
    if !ty.fits(wanted) {
        let remedy = if wanted == Type::Bool { "; compare it with something" } else { "" };
        return Err(ExprError::new(text, 0, format!("{problem}, this is {}{remedy}", ty.name())));
    }
    Ok(Expr { root, shown: compiler.shown, fields: compiler.fields, named: compiler.named })
}

/// What `it` means at the place being compiled.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Item {
    None,
    Call,
    Value,
    /// The message that a ghost counts.
    Message,
}

/// Walks one syntax tree.
pub(super) struct Compiler<'a> {
    pub(super) text: &'a str,
    pub(super) names: &'a Names,
    purpose: Purpose,
    pub(super) rewritten: &'a Rewritten,
    info: &'a SourceInfo,
    pub(super) item: Item,
    /// Whether what is compiled stands within `before`.
    is_before: bool,
    pub(super) shown: Vec<(String, Node)>,
    pub(super) fields: Vec<String>,
    pub(super) named: Vec<String>,
}

impl Compiler<'_> {
    /// The user's offset of a node; of an operation, that of its operator.
    pub(super) fn offset(&self, id: u64) -> usize {
        let start = self.info.offset_for(id).map_or(0, |(start, _)| start as usize);
        self.rewritten.map.original(start)
    }

    pub(super) fn error<T>(&self, id: u64, text: impl Into<String>) -> Result<T, ExprError> {
        Err(ExprError::new(self.text, self.offset(id), text))
    }

    fn node(&mut self, tree: &IdedExpr) -> Result<Typed, ExprError> {
        match &tree.expr {
            ast::Expr::Literal(literal) => self.literal(tree.id, literal),
            ast::Expr::Ident(name) => {
                let typed = self.name(tree.id, name)?;
                self.show(&typed.0);
                Ok(typed)
            }
            ast::Expr::Select(_) => {
                let path = self.path(tree)?;
                self.show(&path);
                Ok((path, Type::Any))
            }
            ast::Expr::Call(call) if call.func_name == operators::INDEX => {
                let path = self.path(tree)?;
                self.show(&path);
                Ok((path, Type::Any))
            }
            ast::Expr::Call(call) => self.call(tree.id, call),
            ast::Expr::Comprehension(_) => {
                self.error(tree.id, "there are no loops; use `count(list)` and `sum(list, expression of it)`")
            }
            ast::Expr::List(_) => self.error(tree.id, "a list stands only after `in`, as in `x in [1, 2]`"),
            _ => self.error(tree.id, "maps and messages are not part of the language"),
        }
    }

    fn literal(&self, id: u64, literal: &LiteralValue) -> Result<Typed, ExprError> {
        Ok(match literal {
            LiteralValue::Boolean(b) => (Node::Constant(Value::Bool(*b.inner())), Type::Bool),
            LiteralValue::Double(x) => (Node::Constant(Value::Float(x.inner().to_bits())), Type::Float),
            LiteralValue::Null => (Node::Constant(Value::Null), Type::Null),
            LiteralValue::String(text) => (Node::Constant(Value::Text(text.inner().to_string())), Type::Text),
            _ => return self.error(id, "this kind of literal is not part of the language"),
        })
    }

    /// A part that must have, or may turn out to have, the wanted type.
    pub(super) fn typed(&mut self, tree: &IdedExpr, wanted: Type, what: &str) -> Result<Node, ExprError> {
        let (node, ty) = self.node(tree)?;
        if ty.fits(wanted) {
            return Ok(node);
        }
        self.error(tree.id, format!("{what} needs {}, this is {}", wanted.name(), ty.name()))
    }

    fn call(&mut self, id: u64, call: &CallExpr) -> Result<Typed, ExprError> {
        if call.target.is_some() {
            let name = &call.func_name;
            return self.error(
                id,
                format!("`x.{name}(...)` is not part of the language; there are `count(list)` and `sum(list, e)`"),
            );
        }
        let boxed = |node| Box::new(node);
        match (call.func_name.as_str(), call.args.as_slice()) {
            (operators::LOGICAL_NOT, [a]) => Ok((Node::Not(boxed(self.typed(a, Type::Bool, "`not`")?)), Type::Bool)),
            (operators::NEGATE, [a]) => Ok((Node::Negate(boxed(self.typed(a, Type::Int, "`-`")?)), Type::Int)),
            (operators::LOGICAL_AND, [a, b]) => {
                let (a, b) = (self.typed(a, Type::Bool, "`and`")?, self.typed(b, Type::Bool, "`and`")?);
                Ok((Node::And(boxed(a), boxed(b)), Type::Bool))
            }
            (operators::LOGICAL_OR, [a, b]) => {
                let (a, b) = (self.typed(a, Type::Bool, "`or` or `=>`")?, self.typed(b, Type::Bool, "`or` or `=>`")?);
                Ok((Node::Or(boxed(a), boxed(b)), Type::Bool))
            }
            (operators::CONDITIONAL, [condition, yes, no]) => self.conditional(id, condition, yes, no),
            (operators::IN, [item, list]) => self.membership(id, item, list),
            (name, [a, b]) if comparison(name).is_some() || arithmetic(name).is_some() => self.binary(id, name, a, b),
            ("count", [list]) => {
                let node = Node::Count(self.list(list)?);
                self.show_as(self.source(id), &node);
                Ok((node, Type::Int))
            }
            ("sum", [list, term]) => self.sum(id, list, term, Type::Int),
            ("count", [list, filter]) => self.sum(id, list, filter, Type::Bool),
            ("count", _) => {
                self.error(id, "`count` takes a list, as in `count(done(\"foo\"))`, and perhaps a condition of `it`")
            }
            ("sum", _) => self.error(id, "`sum` takes a list and an expression, as in `sum(ok(\"foo\"), it.reply)`"),
            ("before", [of]) => self.before(id, of),
            ("before", _) => self.error(id, "`before` takes what is observed or counted, as in `before(x)`"),
            (name, _) if CALL_LISTS.iter().any(|(list, _)| *list == name) => {
                self.error(id, format!("`{name}(...)` is a list of calls; write `count({name}(...))`"))
            }
            (name, _) => {
                let known = ["count", "sum", "before"].into_iter().chain(CALL_LISTS.iter().map(|(list, _)| *list));
                self.error(id, format!("unknown function `{name}`{}", hint(name, known)))
            }
        }
    }

    fn conditional(
        &mut self,
        id: u64,
        condition: &IdedExpr,
        yes: &IdedExpr,
        no: &IdedExpr,
    ) -> Result<Typed, ExprError> {
        let condition = self.typed(condition, Type::Bool, "`? :`")?;
        let ((yes, a), (no, b)) = (self.node(yes)?, self.node(no)?);
        if !a.fits(b) {
            return self.error(id, format!("the two sides of `:` differ: {} and {}", a.name(), b.name()));
        }
        Ok((Node::If(Box::new([condition, yes, no])), if a == Type::Any { b } else { a }))
    }

    fn membership(&mut self, id: u64, item: &IdedExpr, list: &IdedExpr) -> Result<Typed, ExprError> {
        let ast::Expr::List(list) = &list.expr else {
            return self.error(id, "after `in` stands a list, as in `x in [1, 2]`");
        };
        let (item, ty) = self.node(item)?;
        let choices = list.elements.iter().map(|choice| self.typed(choice, ty, "`in`")).collect::<Result<_, _>>()?;
        Ok((Node::In(Box::new(item), choices), Type::Bool))
    }

    fn binary(&mut self, id: u64, name: &str, left: &IdedExpr, right: &IdedExpr) -> Result<Typed, ExprError> {
        let symbol = name.trim_matches('_');
        if let Some(operation) = arithmetic(name) {
            let what = format!("`{symbol}`");
            let (a, b) = (self.typed(left, Type::Int, &what)?, self.typed(right, Type::Int, &what)?);
            return Ok((Node::Arithmetic(operation, Box::new(a), Box::new(b)), Type::Int));
        }
        let comparison = comparison(name).unwrap_or(Comparison::Equal);
        let ((a, left), (b, right)) = (self.node(left)?, self.node(right)?);
        let equality = matches!(comparison, Comparison::Equal | Comparison::NotEqual);
        let has_order = |ty| matches!(ty, Type::Int | Type::Float | Type::Text | Type::Any);
        let null = equality && (left == Type::Null || right == Type::Null);
        let ordered = has_order(left) && has_order(right);
        if !(null || left.fits(right) && (equality || ordered)) {
            return self.error(id, format!("`{symbol}` cannot compare {} with {}", left.name(), right.name()));
        }
        Ok((Node::Compare(comparison, Box::new(a), Box::new(b)), Type::Bool))
    }

    fn before(&mut self, id: u64, of: &IdedExpr) -> Result<Typed, ExprError> {
        if self.purpose != Purpose::Step {
            return self.error(id, "`before` stands only in an invariant with `when = \"step\"`");
        }
        if self.is_before {
            return self.error(id, "`before` stands within another one; only one step is looked back");
        }
        let outer = std::mem::replace(&mut self.item, Item::None);
        self.is_before = true;
        let typed = self.node(of);
        self.is_before = false;
        self.item = outer;
        let (node, ty) = typed?;
        let node = Node::Before(Box::new(node));
        self.show_as(self.source(id), &node);
        Ok((node, ty))
    }

    /// Whether it is a ghost's, which sees a message and no world.
    pub(super) fn is_of_message(&self) -> bool {
        matches!(self.purpose, Purpose::When | Purpose::Add)
    }

    /// `sum(list, term)`, or `count(list, condition)` if the term is a bool, which counts as 1.
    fn sum(&mut self, id: u64, list: &IdedExpr, term: &IdedExpr, ty: Type) -> Result<Typed, ExprError> {
        let list = self.list(list)?;
        let outer = self.item;
        self.item = if matches!(list, List::Calls(_)) { Item::Call } else { Item::Value };
        let term = self.typed(term, ty, if ty == Type::Bool { "`count`" } else { "`sum`" });
        self.item = outer;
        let term = match ty {
            Type::Bool => Node::If(Box::new([term?, Node::from(BigInt::from(1)), Node::from(BigInt::from(0))])),
            _ => term?,
        };
        let node = Node::Sum(list, Box::new(term));
        self.show_as(self.source(id), &node);
        Ok((node, Type::Int))
    }
}

fn comparison(operator: &str) -> Option<Comparison> {
    Some(match operator {
        operators::EQUALS => Comparison::Equal,
        operators::NOT_EQUALS => Comparison::NotEqual,
        operators::LESS => Comparison::Less,
        operators::LESS_EQUALS => Comparison::LessOrEqual,
        operators::GREATER => Comparison::Greater,
        operators::GREATER_EQUALS => Comparison::GreaterOrEqual,
        _ => return None,
    })
}

fn arithmetic(operator: &str) -> Option<Arithmetic> {
    Some(match operator {
        operators::ADD => Arithmetic::Add,
        operators::SUBSTRACT => Arithmetic::Subtract,
        operators::MULTIPLY => Arithmetic::Multiply,
        operators::DIVIDE => Arithmetic::Divide,
        operators::MODULO => Arithmetic::Remainder,
        _ => return None,
    })
}
