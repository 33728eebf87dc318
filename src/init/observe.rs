//! What is observed, and which number should equal a balance on a ledger.
//!
//! In: queries with arguments, and the worlds that calls led to. Out: observations: queries that a call changes, and small
//! values; and the [`Book`]: a number of the canister that was the balance of the canister on a ledger before and after a call
//! that changed both.

use num_bigint::BigInt;

use crate::kernel::World;
use crate::scenario::{Value, check_identifier};

use super::draft::{ACTORS, Draft};
use super::stand::Stand;
use super::survey::{Outcome, Query};

/// Most observations of the canister, and of one query.
const OBSERVED_MAX: usize = 6;
const ALIKE_MAX: usize = 2;
/// Longest value that is observed, as text.
const VALUE_MAX: usize = 80;

/// An observation.
pub(super) struct Observed {
    pub(super) name: String,
    pub(super) from: String,
    pub(super) query: String,
    pub(super) args: String,
}

/// Observations that should be equal at rest.
pub(super) struct Book {
    pub(super) book: String,
    pub(super) real: String,
    pub(super) pending: Option<String>,
    /// Whether the book can be off without a bug: the end of a call may be unknown for ever.
    pub(super) is_doubtful: bool,
}

/// A query of a canister.
pub(super) struct Source {
    /// Position of the canister.
    from: usize,
    query: String,
    args: String,
    /// Whose balance it is.
    owner: Option<String>,
}

/// A book, by positions of sources.
pub(super) struct FoundBook {
    book: usize,
    real: usize,
    pending: Option<usize>,
}

impl FoundBook {
    /// Whether both are the same in a world.
    pub(super) fn is_equal(&self, stand: &mut Stand, sources: &[Source], world: &World) -> bool {
        number(stand, world, &sources[self.book]) == number(stand, world, &sources[self.real])
    }
}

/// All that may be observed: the queries of the canister, and balances on each ledger, of the canister first.
pub(super) fn sources(draft: &Draft, queries: &[Query]) -> Vec<Source> {
    let own = queries.iter().map(|query| Source {
        from: 0,
        query: query.method.clone(),
        args: query.args.clone(),
        owner: None,
    });
    let mut sources: Vec<Source> = own.collect();
    for (at, _) in draft.others.iter().enumerate().filter(|(_, other)| other.is_ledger()) {
        for owner in [draft.name.as_str(), ACTORS[0], ACTORS[1]] {
            sources.push(Source {
                from: at + 1,
                query: "icrc1_balance_of".to_string(),
                args: format!("(record {{ owner = principal \"${{{owner}}}\" }})"),
                owner: Some(owner.to_string()),
            });
        }
    }
    sources
}

/// The value of a source, as an interned response.
fn answer(stand: &mut Stand, world: &World, source: &Source) -> Option<u32> {
    stand.query(world, source.from, &source.query, &source.args)
}

fn number(stand: &mut Stand, world: &World, source: &Source) -> Option<BigInt> {
    let response = answer(stand, world, source)?;
    match stand.value(response)? {
        Value::Int(n) => Some(n),
        _ => None,
    }
}

/// The number that follows the balance of the canister.
pub(super) fn find_book(
    stand: &mut Stand,
    sources: &[Source],
    first: &World,
    outcomes: &[Outcome],
) -> Option<FoundBook> {
    let canister = stand.canister_name(0).to_string();
    let reals = (0..sources.len()).filter(|&at| sources[at].owner.as_deref() == Some(canister.as_str()));
    for real in reals {
        let start = number(stand, first, &sources[real])?;
        for book in (0..sources.len()).filter(|&at| sources[at].from == 0 && sources[at].args == "()") {
            if number(stand, first, &sources[book]).is_none_or(|n| n != start || n == BigInt::from(0)) {
                continue;
            }
            let found = FoundBook { book, real, pending: None };
            let reaching: Vec<&Outcome> = outcomes.iter().filter(|outcome| outcome.tried.reaches()).collect();
            let follows = reaching.iter().any(|outcome| {
                let end = outcome.tried.end();
                number(stand, end, &sources[real]) != Some(start.clone()) && found.is_equal(stand, sources, end)
            });
            if follows {
                let pending = (0..sources.len()).find(|&at| {
                    at != book
                        && sources[at].from == 0
                        && sources[at].args == "()"
                        && is_pending(stand, sources, &found, at, &reaching)
                });
                return Some(FoundBook { pending, ..found });
            }
        }
    }
    None
}

/// Whether a number is what the ledger has more than the book while a call is on its way, and 0 else.
fn is_pending(stand: &mut Stand, sources: &[Source], found: &FoundBook, at: usize, outcomes: &[&Outcome]) -> bool {
    let mut is_ever = false;
    for world in outcomes.iter().flat_map(|outcome| &outcome.tried.worlds) {
        let values = [found.book, found.real, at].map(|at| number(stand, world, &sources[at]));
        let [Some(book), Some(real), Some(pending)] = values else { return false };
        if book > real || real > &book + &pending {
            continue;
        }
        is_ever |= pending > BigInt::from(0) && real == book + pending;
    }
    is_ever
}

/// Chooses the observations, those of the book among them.
pub(super) fn choose(
    draft: &Draft,
    stand: &mut Stand,
    sources: &[Source],
    made: &[&Outcome],
    book: Option<FoundBook>,
    is_doubtful: bool,
) -> (Vec<Observed>, Option<Book>) {
    let first = stand.first();
    let of_book: Vec<usize> =
        book.iter().flat_map(|book| [Some(book.book), Some(book.real), book.pending]).flatten().collect();
    let mut rated: Vec<(u32, usize)> = Vec::new();
    for (at, source) in sources.iter().enumerate() {
        let Some(start) = answer(stand, &first, source) else { continue };
        let changes =
            made.iter().any(|outcome| answer(stand, outcome.tried.end(), source).is_some_and(|now| now != start));
        let is_small = stand.value(start).is_some_and(|value| is_small(&value));
        let is_own = source.owner.as_deref() == Some(draft.name.as_str());
        let rate = match (of_book.contains(&at), is_small, changes) {
            (true, ..) => 0,
            (_, true, true) => 1,
            (_, true, false) if is_own => 1,
            (_, true, false) if source.args == "()" => 2,
            _ => continue,
        };
        rated.push((rate, at));
    }
    rated.sort();
    let mut chosen: Vec<(usize, String)> = Vec::new();
    for (_, at) in rated {
        let source = &sources[at];
        let alike = chosen
            .iter()
            .filter(|(other, _)| sources[*other].query == source.query && sources[*other].from == source.from);
        let most = if source.owner.is_some() { 3 } else { ALIKE_MAX };
        if alike.count() < most && (chosen.len() < OBSERVED_MAX || of_book.contains(&at)) {
            let name = name(draft, source, &chosen);
            chosen.push((at, name));
        }
    }
    let name = |at: usize| chosen.iter().find(|(other, _)| *other == at).map(|(_, name)| name.clone());
    let book = book.and_then(|book| {
        let pending = book.pending.and_then(name);
        let is_doubtful = is_doubtful && pending.is_none();
        Some(Book { book: name(book.book)?, real: name(book.real)?, pending, is_doubtful })
    });
    let observed = chosen.iter().map(|(at, name)| {
        let source = &sources[*at];
        let from = if source.from == 0 { draft.name.clone() } else { draft.others[source.from - 1].name.clone() };
        Observed { name: name.clone(), from, query: source.query.clone(), args: source.args.clone() }
    });
    (observed.collect(), book)
}

/// A name for expressions that nothing else has.
fn name(draft: &Draft, source: &Source, known: &[(usize, String)]) -> String {
    let wanted = match &source.owner {
        Some(owner) => format!("{}_of_{owner}", draft.others[source.from - 1].name),
        None => source.query.clone(),
    };
    let fitting: String = wanted.chars().take(50).map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    let fitting =
        if check_identifier(&fitting).is_ok() { fitting } else { format!("value_{}", fitting.trim_start_matches('_')) };
    let is_free = |name: &String| {
        *name != draft.name
            && !ACTORS.contains(&name.as_str())
            && draft.others.iter().all(|other| other.name != *name)
            && known.iter().all(|(_, other)| other != name)
    };
    let numbered = (2..).map(|n| format!("{fitting}_{n}"));
    std::iter::once(fitting.clone()).chain(numbered).find(is_free).unwrap_or_default()
}

/// Whether a value is worth a column: no list, and short.
fn is_small(value: &Value) -> bool {
    !matches!(value, Value::List(_) | Value::Failed(_)) && value.to_string().len() <= VALUE_MAX
}
