//! Operators: what each does to a function of a correct canister. In: the syntax tree of a source. Out: mutants.
//!
//! An operator knows Rust and awaits and nothing of any canister; it is tried at every place of every function. What comes
//! out may not compile, or be no change at all: that is found out later, by the compiler.

mod calls;
mod guards;
mod outcomes;
mod places;
mod writes;

use syn::{Attribute, Block, File, ImplItem, Item, ItemImpl, Type};

/// One change of a function: what was changed, in words, and the body after it.
pub struct Change {
    /// What differs, as code or in a few words; one line.
    pub what: String,
    /// The changed body.
    pub body: Block,
}

/// A name, how the names of functions end that it is for, and all changes that it can make to a body.
type Operator = (&'static str, &'static str, fn(&Block) -> Vec<Change>);

const OPERATORS: [Operator; 14] = [
    ("guard_dropped", "", guards::dropped),
    ("guard_early", "", guards::early),
    ("flag_not_reset", "::drop", guards::not_reset),
    ("write_after_await", "", writes::after_await),
    ("write_missing", "", writes::missing),
    ("write_doubled", "", writes::doubled),
    ("write_stale", "", writes::stale),
    ("arm_as_previous", "", outcomes::as_previous),
    ("arm_condition_dropped", "", outcomes::condition_dropped),
    ("arm_without_effect", "", outcomes::without_effect),
    ("arm_traps", "", outcomes::traps),
    ("check_missing", "", calls::check_missing),
    ("call_sent_twice", "", calls::sent_twice),
    ("option_dropped", "", calls::option_dropped),
];

/// Names of all operators, in order.
pub fn names() -> impl Iterator<Item = &'static str> {
    OPERATORS.into_iter().map(|(name, ..)| name)
}

/// A source with one change.
pub struct Mutant {
    /// Which operator made it.
    pub operator: &'static str,
    /// The function that it changed; `Guard::drop` for a function of an `impl`.
    pub function: String,
    /// The how many-th change of that operator to that function, from 1.
    pub number: usize,
    /// What differs.
    pub what: String,
    /// The changed source.
    pub source: File,
}

/// All mutants of a source, in the order of operators and of places. Functions in `skipped`, queries and modules stay as
/// they are.
pub fn mutants(source: &File, skipped: &[&str]) -> Vec<Mutant> {
    let mut mutants = Vec::new();
    for (operator, of, changes) in OPERATORS {
        for at in 0..functions(&mut source.clone()).len() {
            let mut original = source.clone();
            let Function { name, is_skipped, body } = functions(&mut original).swap_remove(at);
            if is_skipped || !name.ends_with(of) || skipped.contains(&name.as_str()) {
                continue;
            }
            for (number, change) in changes(body).into_iter().enumerate() {
                let mut source = source.clone();
                *functions(&mut source).swap_remove(at).body = change.body;
                let (function, what) = (name.clone(), change.what);
                mutants.push(Mutant { operator, function, number: number + 1, what, source });
            }
        }
    }
    mutants
}

struct Function<'a> {
    name: String,
    is_skipped: bool,
    body: &'a mut Block,
}

/// The functions of a file and of its `impl`s.
fn functions(file: &mut File) -> Vec<Function<'_>> {
    let mut functions = Vec::new();
    for item in &mut file.items {
        match item {
            Item::Fn(item) => {
                let (name, is_skipped) = (item.sig.ident.to_string(), is_query(&item.attrs));
                functions.push(Function { name, is_skipped, body: &mut item.block });
            }
            Item::Impl(item) => {
                let of = type_name(item);
                for inner in &mut item.items {
                    if let ImplItem::Fn(inner) = inner {
                        let name = format!("{of}::{}", inner.sig.ident);
                        functions.push(Function { name, is_skipped: false, body: &mut inner.block });
                    }
                }
            }
            _ => {}
        }
    }
    functions
}

fn is_query(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| attribute.path().is_ident("query"))
}

fn type_name(item: &ItemImpl) -> String {
    match &*item.self_ty {
        Type::Path(path) => path.path.segments.last().map_or_else(String::new, |segment| segment.ident.to_string()),
        _ => String::new(),
    }
}
