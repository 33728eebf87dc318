//! Expressions of invariants and ghosts: text in, a typed tree out, evaluated on borrowed values with exact integers.
//!
//! 1. `words` and `literals` rewrite `and`, `or`, `not`, `=>` and integers, keeping track of columns.
//! 2. `parse` runs the parser of the `cel` crate on the result; its values and evaluation are not used.
//! 3. `compile` and `resolve` turn names into indexes and check types as far as they are known.
//! 4. `eval` walks the tree once per world, without copying values.
//!
//! `and` and `or` stop at the first operand that decides; an operand that is not reached cannot fail. Left out: loops,
//! maps and user functions; what does not fit belongs into Rust.

mod compile;
mod eval;
mod literals;
mod number;
mod parse;
mod resolve;
mod rust;
mod words;

use std::sync::Arc;

use num_bigint::BigInt;

use super::names::Names;
use super::path::Step;
use super::value::Value;
use number::Arithmetic;
pub(crate) use rust::{RustType, Surroundings, variable};

/// Where an expression stands; it decides what it can see and of which type it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// In an invariant of worlds: a bool.
    World,
    /// In an invariant of steps, which sees the world before: a bool.
    Step,
    /// `when` of a ghost, which sees one message: a bool.
    When,
    /// `add` of a ghost: an integer.
    Add,
    /// An amount of `[check]`: an integer of a world.
    Amount,
}

/// A checked expression: of type bool, but for what a ghost adds.
#[derive(Clone, Debug)]
pub struct Expr {
    root: Node,
    /// What a report shows of it: name and value of everything observed or counted, in order of appearance.
    shown: Vec<(String, Node)>,
    /// Names of fields that occur, for the labels of decoded values.
    fields: Vec<String>,
    /// Actors and canisters that are named.
    named: Vec<String>,
}

/// Why a text is not an expression.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("column {column}: {text}")]
pub struct ExprError {
    /// Byte offset of the problem in the text.
    pub offset: usize,
    /// Column of the problem in characters, from 1; lines are not counted.
    pub column: usize,
    /// The problem and its remedy.
    pub text: String,
}

impl ExprError {
    fn new(source: &str, offset: usize, text: impl Into<String>) -> ExprError {
        let offset = offset.min(source.len());
        let column = source.char_indices().take_while(|(at, _)| *at < offset).count() + 1;
        ExprError { offset, column, text: text.into() }
    }
}

/// What an expression can see of a world. Borrowed, cheap to build.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// One value per observation of the scenario, in its order, then one per ghost.
    pub observations: &'a [Arc<Value>],
    /// Every call instance, in any order.
    pub calls: &'a [CallView],
    /// Whether nothing is pending.
    pub quiet: bool,
    /// Faults injected so far.
    pub faulted: u32,
    /// Seconds since the start of the exploration.
    pub now_s: u64,
}

/// One call instance as an expression sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallView {
    /// Index into `Scenario::calls`.
    pub entry: usize,
    /// Index into `Scenario::actors`.
    pub actor: usize,
    /// How far it is.
    pub state: CallState,
    /// Candid bytes of its arguments; empty while they are still to be chosen.
    pub args: Arc<[u8]>,
    /// What they say: the first value if there is exactly one, else the list of them.
    pub given: Arc<Value>,
}

/// A message between two canisters, as the expressions of a ghost see it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MessageView<'a> {
    /// Its arguments, as in [`CallView::given`].
    pub(crate) args: &'a Value,
    /// The first value of the reply to it.
    pub(crate) reply: &'a Value,
    /// The principal of the caller.
    pub(crate) by: &'a Value,
}

/// How far a call instance is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallState {
    /// Not sent yet; in none of the lists.
    NotStarted,
    /// Sent, not answered: in `open`.
    Open,
    /// Answered: in `done`, and in either `ok` or `err`.
    Done(Arc<Reply>),
}

/// The answer to a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// A reply: its first value decoded, and its bytes.
    Replied(Value, Vec<u8>),
    /// A reject with its code and text.
    Rejected {
        /// Reject code of the IC, 1 to 6.
        code: u32,
        /// Reject message.
        text: String,
    },
}

impl Expr {
    /// Parses an expression and resolves its names.
    ///
    /// # Errors
    /// Syntax, unknown names (with the nearest known one) and types that cannot fit, each with its column.
    pub fn parse(text: &str, names: &Names) -> Result<Expr, ExprError> {
        parse::parse(text, names, Purpose::World)
    }

    /// Likewise, of an expression that stands elsewhere.
    pub(crate) fn parse_for(text: &str, names: &Names, purpose: Purpose) -> Result<Expr, ExprError> {
        parse::parse(text, names, purpose)
    }

    /// Whether the expression holds.
    ///
    /// # Errors
    /// Why it cannot be evaluated: a failed observation, a missing field, a type that does not fit, a division by zero.
    pub fn eval(&self, view: &View<'_>) -> Result<bool, String> {
        eval::truth(&self.root, view, None)
    }

    /// Whether it holds of a step from the world `before` to the world of `view`.
    ///
    /// # Errors
    /// As [`Expr::eval`].
    pub fn eval_step(&self, before: &View<'_>, view: &View<'_>) -> Result<bool, String> {
        eval::truth(&self.root, view, Some(before))
    }

    /// Whether it holds of a message.
    ///
    /// # Errors
    /// As [`Expr::eval`].
    pub(crate) fn eval_message(&self, message: &MessageView<'_>) -> Result<bool, String> {
        eval::truth_of_message(&self.root, message)
    }

    /// The integer that it is for a message.
    ///
    /// # Errors
    /// As [`Expr::eval`].
    pub(crate) fn number_of_message(&self, message: &MessageView<'_>) -> Result<BigInt, String> {
        eval::number_of_message(&self.root, message)
    }

    /// What the expression reads, with the values, for a report; what cannot be evaluated is [`Value::Failed`].
    pub fn values(&self, view: &View<'_>) -> Vec<(String, Value)> {
        self.values_with(None, view)
    }

    /// Likewise, of a step from the world `before`.
    pub fn values_of_step(&self, before: &View<'_>, view: &View<'_>) -> Vec<(String, Value)> {
        self.values_with(Some(before), view)
    }

    fn values_with(&self, before: Option<&View<'_>>, view: &View<'_>) -> Vec<(String, Value)> {
        let value = |node| eval::value(node, view, before).unwrap_or_else(Value::Failed);
        self.shown.iter().map(|(name, node)| (name.clone(), value(node))).collect()
    }

    /// Whether it names this actor.
    pub(crate) fn names_actor(&self, name: &str) -> bool {
        self.named.iter().any(|named| named == name)
    }

    /// Names of fields that the expression follows.
    pub(crate) fn fields(&self) -> impl Iterator<Item = &str> {
        self.fields.iter().map(String::as_str)
    }
}

/// An expression with its names resolved.
#[derive(Clone, Debug)]
enum Node {
    Constant(Value),
    /// An observation by index, with its name for messages.
    Observation(usize, String),
    Quiet,
    Faulted,
    Now,
    /// The item of the innermost `sum` over a list of values.
    Item,
    /// The reply of the call of the innermost `sum` over calls, or of a ghost's message.
    ItemReply,
    /// Its arguments.
    ItemArgs,
    /// The principal of that call's actor, one constant per actor; or who sends a ghost's message.
    ItemBy(Arc<[Value]>),
    /// What something was before the step.
    Before(Box<Node>),
    Field(Box<Node>, Step),
    /// Whether the field is there.
    Has(Box<Node>, Step),
    Index(Box<Node>, Box<Node>),
    Not(Box<Node>),
    Negate(Box<Node>),
    And(Box<Node>, Box<Node>),
    Or(Box<Node>, Box<Node>),
    If(Box<[Node; 3]>),
    Compare(Comparison, Box<Node>, Box<Node>),
    Arithmetic(Arithmetic, Box<Node>, Box<Node>),
    /// `x in [a, b]`.
    In(Box<Node>, Vec<Node>),
    Count(List),
    Sum(List, Box<Node>),
}

impl Reply {
    /// Whether it is an error whose text, or the text of whose value, contains one of these.
    pub fn is_refusal(&self, texts: &[String]) -> bool {
        let contains = |error: &str| texts.iter().any(|text| error.contains(text.as_str()));
        match self {
            Reply::Rejected { text, .. } => contains(text),
            Reply::Replied(Value::Variant(_, error), _) if self.is_error() => match error.as_ref() {
                Value::Text(text) => contains(text),
                error => contains(&error.to_string()),
            },
            Reply::Replied(..) => false,
        }
    }
}

/// What `count` and `sum` run over.
#[derive(Clone, Debug)]
enum List {
    Calls(CallList),
    /// A value that must turn out to be a list.
    Value(Box<Node>),
}

/// `open("id")`, `done("id", actor)` and the like.
#[derive(Clone, Debug)]
struct CallList {
    state: Wanted,
    entry: usize,
    actor: Option<usize>,
    /// For messages.
    id: String,
    /// Texts that make an error of these calls a refusal.
    refusals: Arc<[String]>,
}

/// Which calls a list has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wanted {
    Open,
    Done,
    Ok,
    Err,
    Refused,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl From<BigInt> for Node {
    fn from(number: BigInt) -> Node {
        Node::Constant(Value::Int(number))
    }
}

#[cfg(test)]
mod tests;
