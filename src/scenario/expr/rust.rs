//! An expression as Rust, for a test that stands alone.
//!
//! In: an expression, and of which type each observation is. Out: Rust over local variables named like the observations (an
//! `i128`, `bool`, `String` or `Principal`; `NAME_reply` where fields of it are followed) and over functions that the test has:
//! `int`, `truth`, `text`, `principal`, `is_null`, `at`, `has`, `list`, and `t.calls(id, state)`. What cannot be said so is
//! refused with the part that it is about.

use super::{CallList, Comparison, Expr, List, Node, Wanted};
use crate::scenario::path::Step;
use crate::scenario::value::Value;

/// Types of Rust that parts of an expression have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RustType {
    Int,
    Bool,
    Text,
    Principal,
}

impl RustType {
    /// The type of a value, if it has one.
    pub(crate) fn of(value: &Value) -> Option<RustType> {
        match value {
            Value::Int(_) => Some(RustType::Int),
            Value::Bool(_) => Some(RustType::Bool),
            Value::Text(_) => Some(RustType::Text),
            Value::Principal(_) => Some(RustType::Principal),
            _ => None,
        }
    }

    /// For messages.
    fn name(self) -> &'static str {
        match self {
            RustType::Int => "an integer",
            RustType::Bool => "a bool",
            RustType::Text => "a text",
            RustType::Principal => "a principal",
        }
    }

    /// The function of the test that reads it from a Candid value.
    pub(crate) fn reader(self) -> &'static str {
        match self {
            RustType::Int => "int",
            RustType::Bool => "truth",
            RustType::Text => "text",
            RustType::Principal => "principal",
        }
    }
}

/// An expression in Rust, and the variables that it needs.
#[derive(Clone, Debug, Default)]
pub(crate) struct RustExpr {
    pub(crate) text: String,
    /// Observations by index: `Some` as that type, `None` as the Candid value that was replied. In order of appearance.
    pub(crate) observations: Vec<(usize, Option<RustType>)>,
}

/// What is known of the scenario around it.
pub(crate) struct Surroundings<'a> {
    /// The type of an observation, by index; or why it cannot be used.
    pub(crate) observed: &'a [Result<RustType, String>],
    /// Names of actors, by index.
    pub(crate) actors: &'a [String],
    /// Faults that the test brings about; `None` if it cannot be told.
    pub(crate) faulted: Option<u32>,
    /// A text as a literal.
    pub(crate) literal: &'a dyn Fn(&str) -> String,
}

impl Expr {
    /// The expression as Rust.
    ///
    /// # Errors
    /// The part that has no counterpart, with the reason.
    pub(crate) fn to_rust(&self, around: &Surroundings<'_>) -> Result<RustExpr, String> {
        let mut writer = Writer { around, found: RustExpr::default() };
        let text = writer.part(&self.root, RustType::Bool)?;
        Ok(RustExpr { text, ..writer.found })
    }
}

struct Writer<'a> {
    around: &'a Surroundings<'a>,
    found: RustExpr,
}

impl Writer<'_> {
    /// A part of this type.
    fn part(&mut self, node: &Node, wanted: RustType) -> Result<String, String> {
        Ok(match node {
            Node::Constant(value) => self.constant(value)?,
            Node::Observation(index, name) => match &self.around.observed[*index] {
                Ok(ty) if *ty == wanted => self.observation(*index, name, Some(*ty)),
                Ok(ty) => return Err(format!("`{name}` is {} and used as {}", ty.name(), wanted.name())),
                Err(reason) => return Err(format!("`{name}` {reason}")),
            },
            Node::Item | Node::ItemReply | Node::ItemArgs | Node::Field(..) | Node::Index(..) => {
                format!("{}(&{})", wanted.reader(), self.place(node)?)
            }
            Node::ItemBy(_) => "t.id(it.by)".to_string(),
            // Where the test evaluates it, nothing is under way.
            Node::Quiet => "true".to_string(),
            Node::Faulted => {
                let faults = self.around.faulted.ok_or("`faulted` cannot be counted on a replica")?;
                faults.to_string()
            }
            Node::Now => "t.seconds()".to_string(),
            Node::Before(_) => return Err("`before` speaks of single messages, which a replica does not show".into()),
            Node::Has(base, step) => format!("has(&{}, {})", self.place(base)?, self.step(step)),
            Node::Not(inner) => format!("!{}", self.operand(inner, RustType::Bool)?),
            Node::Negate(inner) => format!("-{}", self.operand(inner, RustType::Int)?),
            Node::And(a, b) => self.both(a, "&&", b, RustType::Bool)?,
            Node::Or(a, b) => self.both(a, "||", b, RustType::Bool)?,
            Node::If(parts) => {
                let [condition, yes, no] = parts.as_ref();
                let condition = self.part(condition, RustType::Bool)?;
                format!("if {condition} {{ {} }} else {{ {} }}", self.part(yes, wanted)?, self.part(no, wanted)?)
            }
            Node::Arithmetic(operation, a, b) => self.both(a, operation.symbol(), b, RustType::Int)?,
            Node::Compare(comparison, a, b) => self.comparison(*comparison, a, b)?,
            Node::In(item, choices) => {
                let known = std::iter::once(item.as_ref()).chain(choices).find_map(|node| self.type_of(node));
                let ty = known.ok_or("the type of what stands before `in` is not known")?;
                let choices: Result<Vec<String>, String> = choices.iter().map(|node| self.operand(node, ty)).collect();
                let item = self.operand(item, ty)?;
                let equal: Vec<String> = choices?.iter().map(|choice| format!("{item} == {choice}")).collect();
                if equal.is_empty() { "false".to_string() } else { equal.join(" || ") }
            }
            Node::Count(List::Calls(calls)) => format!("{}.count() as i128", self.calls(calls)?),
            Node::Count(List::Value(value)) => format!("list(&{}).len() as i128", self.place(value)?),
            Node::Sum(List::Calls(calls), term) => {
                format!("{}.map(|it| {}).sum::<i128>()", self.calls(calls)?, self.part(term, RustType::Int)?)
            }
            Node::Sum(List::Value(value), term) => {
                let list = self.place(value)?;
                format!("list(&{list}).iter().map(|it| {}).sum::<i128>()", self.part(term, RustType::Int)?)
            }
        })
    }

    /// Likewise, between parentheses where an operator beside it would reach into it.
    fn operand(&mut self, node: &Node, wanted: RustType) -> Result<String, String> {
        let text = self.part(node, wanted)?;
        let binds = matches!(
            node,
            Node::And(..)
                | Node::Or(..)
                | Node::If(_)
                | Node::Arithmetic(..)
                | Node::Compare(..)
                | Node::In(..)
                | Node::Count(_)
                | Node::Negate(_)
        );
        let is_negative = matches!(node, Node::Constant(Value::Int(n)) if n.sign() == num_bigint::Sign::Minus);
        Ok(if binds || is_negative { format!("({text})") } else { text })
    }

    fn both(&mut self, a: &Node, operator: &str, b: &Node, ty: RustType) -> Result<String, String> {
        // Comparisons bind closer than logic, and people write no parentheses there.
        let is_loose = |node: &Node| ty == RustType::Bool && matches!(node, Node::Compare(..));
        let a = if is_loose(a) { self.part(a, ty)? } else { self.operand(a, ty)? };
        let b = if is_loose(b) { self.part(b, ty)? } else { self.operand(b, ty)? };
        Ok(format!("{a} {operator} {b}"))
    }

    fn comparison(&mut self, comparison: Comparison, a: &Node, b: &Node) -> Result<String, String> {
        let symbol = match comparison {
            Comparison::Equal => "==",
            Comparison::NotEqual => "!=",
            Comparison::Less => "<",
            Comparison::LessOrEqual => "<=",
            Comparison::Greater => ">",
            Comparison::GreaterOrEqual => ">=",
        };
        for (null, other) in [(a, b), (b, a)] {
            if matches!(null, Node::Constant(Value::Null)) {
                let not = if comparison == Comparison::NotEqual { "!" } else { "" };
                return Ok(format!("{not}is_null(&{})", self.place(other)?));
            }
        }
        let known = self.type_of(a).or_else(|| self.type_of(b));
        let ty = known.ok_or_else(|| format!("the type of what is compared by `{symbol}` is not known"))?;
        // A count ends in `as i128`, and `<` after that would begin type arguments.
        let side = |writer: &mut Self, node: &Node| match node {
            Node::Arithmetic(..) => writer.part(node, ty),
            _ => writer.operand(node, ty),
        };
        Ok(format!("{} {symbol} {}", side(self, a)?, side(self, b)?))
    }

    /// The type that a part has, if it shows.
    fn type_of(&self, node: &Node) -> Option<RustType> {
        match node {
            Node::Constant(value) => RustType::of(value),
            Node::Observation(index, _) => self.around.observed[*index].as_ref().ok().copied(),
            Node::ItemBy(_) => Some(RustType::Principal),
            Node::Faulted | Node::Now | Node::Negate(_) | Node::Arithmetic(..) | Node::Count(_) | Node::Sum(..) => {
                Some(RustType::Int)
            }
            Node::Quiet
            | Node::Has(..)
            | Node::Not(_)
            | Node::And(..)
            | Node::Or(..)
            | Node::Compare(..)
            | Node::In(..) => Some(RustType::Bool),
            Node::If(parts) => self.type_of(&parts[1]).or_else(|| self.type_of(&parts[2])),
            Node::Item | Node::ItemReply | Node::ItemArgs | Node::Field(..) | Node::Index(..) | Node::Before(_) => None,
        }
    }

    /// The Candid value that a path leads to.
    fn place(&mut self, node: &Node) -> Result<String, String> {
        Ok(match node {
            Node::Observation(index, name) => self.observation(*index, name, None),
            Node::Item => "it".to_string(),
            Node::ItemReply => "it.reply()".to_string(),
            Node::ItemArgs => "it.args()".to_string(),
            Node::Field(base, step) => format!("at(&{}, {})", self.place(base)?, self.step(step)),
            Node::Index(base, index) => match index.as_ref() {
                Node::Constant(Value::Int(position)) => {
                    let step = (self.around.literal)(&position.to_string());
                    format!("at(&{}, {step})", self.place(base)?)
                }
                _ => return Err("an item at a position that is computed".to_string()),
            },
            _ => return Err("fields are taken from observations and replies only".to_string()),
        })
    }

    fn step(&self, step: &Step) -> String {
        (self.around.literal)(step.name())
    }

    fn observation(&mut self, index: usize, name: &str, ty: Option<RustType>) -> String {
        if !self.found.observations.contains(&(index, ty)) {
            self.found.observations.push((index, ty));
        }
        variable(name, ty)
    }

    fn constant(&self, value: &Value) -> Result<String, String> {
        Ok(match value {
            Value::Int(number) => {
                let number = i128::try_from(number).map_err(|_| format!("{number} has more than 128 bits"))?;
                number.to_string()
            }
            Value::Bool(truth) => truth.to_string(),
            Value::Text(text) => (self.around.literal)(text),
            Value::Principal(id) => {
                format!("Principal::from_text({}).unwrap()", (self.around.literal)(&id.to_text()))
            }
            other => return Err(format!("{other} is {}", other.kind())),
        })
    }

    fn calls(&self, calls: &CallList) -> Result<String, String> {
        let state = match calls.state {
            Wanted::Open => "is_open",
            Wanted::Done => "is_done",
            Wanted::Ok => "is_ok",
            Wanted::Err => "is_err",
            Wanted::Refused => return Err(format!("`refused(\"{}\")`", calls.id)),
        };
        let literal = self.around.literal;
        let by = calls.actor.and_then(|actor| self.around.actors.get(actor));
        let by = by.map_or_else(String::new, |by| format!(".filter(|call| call.by == {})", literal(by)));
        Ok(format!("t.calls({}, Call::{state}){by}", literal(&calls.id)))
    }
}

/// Words that no variable of a test can have: Rust's, those of the functions that the test has, and those that stand in it.
const TAKEN: &str = "abstract as async at await become box break const continue crate do dyn else enum extern false final \
                     fn for gen has holds if impl in int invariant is_null it let list loop macro main match mod module \
                     move mut override principal priv pub ref return self Self static struct super t text trait true \
                     truth try type typeof union unsafe unsized use virtual where while yield";

/// The variable of an observation, whose name is a word.
pub(crate) fn variable(name: &str, ty: Option<RustType>) -> String {
    match ty {
        Some(_) if TAKEN.split(' ').any(|word| word == name) => format!("{name}_"),
        Some(_) => name.to_string(),
        None => format!("{name}_reply"),
    }
}
