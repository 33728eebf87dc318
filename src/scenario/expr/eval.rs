//! Evaluates a checked expression on a view: borrowed values, exact integers, errors as text.

use std::cmp::Ordering;

use num_bigint::BigInt;

use super::number::Number;
use super::{CallList, CallState, CallView, Comparison, List, MessageView, Node, Reply, View, Wanted};
use crate::scenario::value::Value;

/// The value of a part of an expression; `Value` is none of the other two kinds.
#[derive(Clone, Debug)]
enum Part<'a> {
    Bool(bool),
    Number(Number<'a>),
    Value(&'a Value),
}

/// What `it` stands for.
#[derive(Clone, Copy)]
enum Item<'a> {
    Nothing,
    Call(&'a CallView, &'a str),
    Value(&'a Value),
    Message(&'a MessageView<'a>),
}

#[derive(Clone, Copy)]
struct Scope<'a> {
    view: &'a View<'a>,
    /// The world before the step.
    before: Option<&'a View<'a>>,
    item: Item<'a>,
}

/// Whether the expression holds.
pub(super) fn truth(node: &Node, view: &View<'_>, before: Option<&View<'_>>) -> Result<bool, String> {
    boolean(node, &Scope { view, before, item: Item::Nothing }, "an invariant")
}

/// What a ghost sees of the world.
const NOTHING: View<'_> = View { observations: &[], calls: &[], quiet: false, faulted: 0, now_s: 0 };

/// Whether the expression holds of a message.
pub(super) fn truth_of_message(node: &Node, message: &MessageView<'_>) -> Result<bool, String> {
    boolean(node, &Scope { view: &NOTHING, before: None, item: Item::Message(message) }, "`when`")
}

/// The integer that the expression is for a message.
pub(super) fn number_of_message(node: &Node, message: &MessageView<'_>) -> Result<BigInt, String> {
    let scope = Scope { view: &NOTHING, before: None, item: Item::Message(message) };
    number(node, &scope, "add").map(Number::into_big)
}

/// The value of a part of an expression, copied.
pub(super) fn value(node: &Node, view: &View<'_>, before: Option<&View<'_>>) -> Result<Value, String> {
    Ok(match part(node, &Scope { view, before, item: Item::Nothing })? {
        Part::Bool(b) => Value::Bool(b),
        Part::Number(n) => Value::Int(n.into_big()),
        Part::Value(value) => value.clone(),
    })
}

impl<'a> Scope<'a> {
    /// The world before the step.
    fn before(&self) -> Result<Scope<'a>, String> {
        let view = self.before.ok_or_else(|| "nothing was before the start".to_string())?;
        Ok(Scope { view, before: None, item: Item::Nothing })
    }
}

impl<'a> Part<'a> {
    fn of(value: &'a Value) -> Result<Part<'a>, String> {
        match value {
            Value::Bool(b) => Ok(Part::Bool(*b)),
            Value::Int(n) => Ok(Part::Number(Number::of(n))),
            Value::Failed(reason) => Err(reason.clone()),
            other => Ok(Part::Value(other)),
        }
    }

    /// For messages: `"a" (a text)`.
    fn describe(&self) -> String {
        match self {
            Part::Bool(b) => format!("{b} (a bool)"),
            Part::Number(n) => format!("{} (an integer)", n.clone().into_big()),
            Part::Value(value) => format!("{value} ({})", value.kind()),
        }
    }
}

fn part<'a>(node: &'a Node, scope: &Scope<'a>) -> Result<Part<'a>, String> {
    Ok(match node {
        Node::Constant(_)
        | Node::Observation(..)
        | Node::Item
        | Node::ItemReply
        | Node::ItemArgs
        | Node::ItemBy(_)
        | Node::Field(..)
        | Node::Index(..) => return place(node, scope).and_then(Part::of),
        Node::Before(inner) => return part(inner, &scope.before()?),
        Node::Quiet => Part::Bool(scope.view.quiet),
        Node::Faulted => Part::Number(u64::from(scope.view.faulted).into()),
        Node::Now => Part::Number(scope.view.now_s.into()),
        Node::Has(base, step) => Part::Bool(step.follow(place(base, scope)?).is_ok()),
        Node::Not(inner) => Part::Bool(!boolean(inner, scope, "`not`")?),
        Node::And(a, b) => Part::Bool(boolean(a, scope, "`and`")? && boolean(b, scope, "`and`")?),
        Node::Or(a, b) => Part::Bool(boolean(a, scope, "`or`")? || boolean(b, scope, "`or`")?),
        Node::If(parts) => {
            let [condition, yes, no] = parts.as_ref();
            return part(if boolean(condition, scope, "`? :`")? { yes } else { no }, scope);
        }
        Node::Negate(inner) => {
            Part::Number(super::Arithmetic::Subtract.apply(&Number::Small(0), &number(inner, scope, "-")?)?)
        }
        Node::Arithmetic(operation, a, b) => {
            let symbol = operation.symbol();
            let (a, b) = (number(a, scope, symbol)?, number(b, scope, symbol)?);
            Part::Number(operation.apply(&a, &b)?)
        }
        Node::Compare(comparison, a, b) => Part::Bool(compare(*comparison, &part(a, scope)?, &part(b, scope)?)?),
        Node::In(item, choices) => {
            let item = part(item, scope)?;
            for choice in choices {
                if compare(Comparison::Equal, &item, &part(choice, scope)?)? {
                    return Ok(Part::Bool(true));
                }
            }
            Part::Bool(false)
        }
        Node::Count(List::Calls(calls)) => Part::Number((select(calls, scope).count() as u64).into()),
        Node::Count(List::Value(list)) => Part::Number((items(list, scope)?.len() as u64).into()),
        Node::Sum(List::Calls(calls), term) => {
            let items = select(calls, scope).map(|call| Item::Call(call, &calls.id));
            Part::Number(sum(items, term, scope)?)
        }
        Node::Sum(List::Value(list), term) => {
            let items = items(list, scope)?.iter().map(Item::Value);
            Part::Number(sum(items, term, scope)?)
        }
    })
}

/// The value that a name, or a path that starts at one, stands for.
fn place<'a>(node: &'a Node, scope: &Scope<'a>) -> Result<&'a Value, String> {
    match node {
        Node::Constant(value) => Ok(value),
        Node::Observation(index, name) => match scope.view.observations.get(*index).map(AsRef::as_ref) {
            Some(Value::Failed(reason)) => Err(format!("`{name}` cannot be observed: {reason}")),
            Some(value) => Ok(value),
            None => Err(format!("`{name}` has no value")),
        },
        Node::Item => match scope.item {
            Item::Value(value) => Ok(value),
            _ => Err("`it` has no value here".to_string()),
        },
        Node::ItemReply => match scope.item {
            Item::Call(call, id) => reply(call, id),
            Item::Message(message) => Ok(message.reply),
            _ => Err("`it` is not a call here".to_string()),
        },
        Node::ItemArgs => match scope.item {
            Item::Call(call, _) => Ok(&call.given),
            Item::Message(message) => Ok(message.args),
            _ => Err("`it` is not a call here".to_string()),
        },
        Node::ItemBy(principals) => match scope.item {
            Item::Message(message) => Ok(message.by),
            Item::Call(call, _) => principals.get(call.actor).ok_or_else(|| "`it.by` has no value".to_string()),
            _ => Err("`it` is not a call here".to_string()),
        },
        Node::Field(base, step) => step.follow(place(base, scope)?),
        Node::Index(base, index) => {
            let value = place(base, scope)?;
            let position = number(index, scope, "[ ]")?.into_big();
            match value {
                Value::List(items) => {
                    let item = usize::try_from(&position).ok().and_then(|position| items.get(position));
                    item.ok_or_else(|| format!("no item {position} in a list of {}", items.len()))
                }
                Value::Record(fields) => {
                    fields.get(&position.to_string()).ok_or_else(|| format!("no field `{position}` in {value}"))
                }
                other => Err(format!("no item {position} in {} ({other})", other.kind())),
            }
        }
        _ => Err("fields are taken from observations and replies only".to_string()),
    }
}

fn reply<'a>(call: &'a CallView, id: &str) -> Result<&'a Value, String> {
    match &call.state {
        CallState::Done(reply) => match reply.as_ref() {
            Reply::Replied(value, _) => Ok(value),
            Reply::Rejected { code, text } => Err(format!(
                "a call `{id}` has no reply, it was rejected with code {code}: {text}; sum over `ok(\"{id}\")`"
            )),
        },
        _ => Err(format!("a call `{id}` has no reply yet; sum over `ok(\"{id}\")`")),
    }
}

fn boolean<'a>(node: &'a Node, scope: &Scope<'a>, what: &str) -> Result<bool, String> {
    match part(node, scope)? {
        Part::Bool(b) => Ok(b),
        other => Err(format!("{what} needs true or false, not {}", other.describe())),
    }
}

fn number<'a>(node: &'a Node, scope: &Scope<'a>, symbol: &str) -> Result<Number<'a>, String> {
    match part(node, scope)? {
        Part::Number(n) => Ok(n),
        other => Err(format!("`{symbol}` needs integers, not {}", other.describe())),
    }
}

fn items<'a>(node: &'a Node, scope: &Scope<'a>) -> Result<&'a [Value], String> {
    match place(node, scope)? {
        Value::List(items) => Ok(items),
        other => Err(format!("a list is needed, not {other} ({})", other.kind())),
    }
}

fn select<'a>(calls: &'a CallList, scope: &Scope<'a>) -> impl Iterator<Item = &'a CallView> {
    scope.view.calls.iter().filter(|call| {
        call.entry == calls.entry && calls.actor.is_none_or(|actor| actor == call.actor) && is_in(calls, &call.state)
    })
}

fn is_in(calls: &CallList, state: &CallState) -> bool {
    match state {
        CallState::NotStarted => false,
        CallState::Open => calls.state == Wanted::Open,
        CallState::Done(reply) => match calls.state {
            Wanted::Open => false,
            Wanted::Done => true,
            Wanted::Ok => !reply.is_error(),
            Wanted::Err => reply.is_error(),
            Wanted::Refused => reply.is_refusal(&calls.refusals),
        },
    }
}

fn sum<'a>(items: impl Iterator<Item = Item<'a>>, term: &'a Node, scope: &Scope<'a>) -> Result<Number<'a>, String> {
    let mut total = Number::Small(0);
    for item in items {
        let term = number(term, &Scope { item, ..*scope }, "sum")?;
        total = super::Arithmetic::Add.apply(&total, &term)?;
    }
    Ok(total)
}

fn compare(comparison: Comparison, a: &Part<'_>, b: &Part<'_>) -> Result<bool, String> {
    if matches!(comparison, Comparison::Equal | Comparison::NotEqual) {
        return Ok(equal(a, b)? == (comparison == Comparison::Equal));
    }
    let order = match (a, b) {
        (Part::Number(a), Part::Number(b)) => Some(a.cmp(b)),
        (Part::Value(Value::Text(a)), Part::Value(Value::Text(b))) => Some(a.cmp(b)),
        (Part::Value(Value::Float(a)), Part::Value(Value::Float(b))) => {
            f64::from_bits(*a).partial_cmp(&f64::from_bits(*b))
        }
        _ => {
            return Err(format!("cannot compare {} with {}", a.describe(), b.describe()));
        }
    };
    Ok(match comparison {
        Comparison::Less => order == Some(Ordering::Less),
        Comparison::LessOrEqual => matches!(order, Some(Ordering::Less | Ordering::Equal)),
        Comparison::Greater => order == Some(Ordering::Greater),
        _ => matches!(order, Some(Ordering::Greater | Ordering::Equal)),
    })
}

/// Values of different kinds are an error, not unequal, except that anything may be compared with null.
fn equal(a: &Part<'_>, b: &Part<'_>) -> Result<bool, String> {
    match (a, b) {
        (Part::Bool(a), Part::Bool(b)) => Ok(a == b),
        (Part::Number(a), Part::Number(b)) => Ok(a == b),
        (Part::Value(Value::Null), other) | (other, Part::Value(Value::Null)) => {
            Ok(matches!(other, Part::Value(Value::Null)))
        }
        (Part::Value(Value::Float(a)), Part::Value(Value::Float(b))) => Ok(f64::from_bits(*a) == f64::from_bits(*b)),
        (Part::Value(a), Part::Value(b)) if a.kind() == b.kind() => Ok(a == b),
        _ => Err(format!("cannot compare {} with {}", a.describe(), b.describe())),
    }
}
