//! Await points of a schedule, and which of them a violation hangs on.
//!
//! In: a schedule that violates an invariant. Out: the awaits without which it would not, the one that says most first. An
//! await is at fault if the violation disappears once nothing else runs while it is open: what ran meanwhile is made before
//! the await begins, or after it has ended, and everything else stays in its order. A fault is, if the violation disappears
//! when the delivery that it replaced is made instead. This is the second part of the key by which counterexamples are told
//! apart: invariant, canister, await point.

use std::collections::HashMap;
use std::fmt;

use crate::engine::embedded::Embedded;
use crate::kernel::{MANAGEMENT, Target, Unsupported};
use crate::schedule::{Path, Root, Step, StepKind};

use super::play::{Item, Made, Play, play, roots};

/// Where a canister waits: the method that does, and what it waits for. No instance, position or address is part of it, so it
/// outlives shrinking and recompilation.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AwaitPoint {
    /// The canister.
    pub canister: String,
    /// `vault.withdraw -> ledger.transfer`; `vault.withdraw, 2nd await -> ledger.transfer`. Where nothing is awaited, the
    /// method alone.
    pub name: String,
}

impl fmt::Display for AwaitPoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// Why a violation hangs on an await.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// These steps ran while it was open; without them there is no violation.
    Race(Vec<usize>),
    /// This step struck while it was open, or on the call that it waits for; without it there is no violation.
    Fault(usize),
    /// These steps of the same chain of messages ran on the canister while it was open: the callee called back.
    Reentry(Vec<usize>),
    /// Nothing else is to blame: it is where the violation shows.
    Last,
}

/// An await that a violation hangs on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guilty {
    /// Where.
    pub point: AwaitPoint,
    /// The step, from 0, whose delivery ended with the await; `None` if no call was made.
    pub sent: Option<usize>,
    /// The step that went on after it, if there is one.
    pub back: Option<usize>,
    /// Why.
    pub cause: Cause,
}

/// An await of a schedule, with the steps where it begins and ends.
#[derive(Clone, Debug)]
pub(crate) struct Interval {
    pub point: AwaitPoint,
    pub canister: u16,
    pub root: Root,
    /// The context that waits, and the request that it waits for.
    pub context: Path,
    pub request: Path,
    pub sent: usize,
    pub back: Option<usize>,
}

/// The awaits of a schedule, in the order in which they begin.
pub(crate) fn intervals(engine: &Embedded, play: &Play) -> Vec<Interval> {
    let names = Names::of(engine, play);
    let mut all = Vec::new();
    for (at, made) in play.made.iter().enumerate() {
        let Some(delivery) = made.happened.delivery() else { continue };
        if delivery.effects.trap.is_some() {
            continue;
        }
        let context = made.step.path.context();
        for (n, _) in delivery.effects.sent.iter().enumerate() {
            let request = made.step.path.request(n as u32 + 1);
            let is_back = |other: &Made| {
                other.step.root == made.step.root && other.step.path == request.response() && ends(&other.step)
            };
            let back = play.made.iter().position(is_back);
            all.push(Interval {
                point: names.point(&made.step.root, &request),
                canister: delivery.canister,
                root: made.step.root.clone(),
                context: context.clone(),
                request,
                sent: at,
                back,
            });
        }
    }
    all
}

/// Whether a step goes on after an await, with whatever it does.
fn ends(step: &Step) -> bool {
    matches!(step.kind, StepKind::Response | StepKind::Trap | StepKind::PerformFails(_))
}

/// The awaits that the violation of an invariant, by position, hangs on; `played` ends with it. Never empty.
///
/// # Errors
/// If a canister asks for something that the engine does not offer.
pub(crate) fn guilty(engine: &mut Embedded, invariant: usize, played: &Play) -> Result<Vec<Guilty>, Unsupported> {
    let open = intervals(engine, played);
    let mut all = Vec::new();
    // What ran on the canister itself is looked at first; a value that was read elsewhere can get old there, too.
    for is_own_canister in [true, false] {
        for interval in &open {
            let between = meanwhile(played, interval, |made| {
                interval.is_foreign(made) && (!is_own_canister || acts_on(engine, made) == Some(interval.canister))
            });
            if !between.is_empty() && is_needed(engine, invariant, played, interval, &between)? {
                all.push(interval.guilty(Cause::Race(between)));
            }
        }
        if !all.is_empty() {
            break;
        }
    }
    // The last to go on is the one that acts on what is no longer true.
    all.sort_by_key(|guilty| std::cmp::Reverse((guilty.back.is_some(), guilty.back, guilty.sent)));
    // A canister that waits for a call to itself waits for what that call waits for.
    let waits_for_inner = |outer: &Guilty| {
        let of = |guilty: &Guilty| {
            open.iter().find(|interval| Some(interval.sent) == guilty.sent && interval.back == guilty.back)
        };
        let Some(outer) = of(outer) else { return false };
        all.iter().filter_map(of).any(|inner| {
            inner.root == outer.root && inner.canister == outer.canister && inner.context.is_below(&outer.request)
        })
    };
    let (outer, mut all): (Vec<Guilty>, Vec<Guilty>) = all.iter().cloned().partition(waits_for_inner);
    all.extend(outer);
    for (at, made) in played.made.iter().enumerate().filter(|(_, made)| is_extra(made)) {
        if !violates(engine, invariant, &without(played, at))? {
            all.push(struck(engine, played, &open, at, made));
        }
    }
    if all.is_empty() {
        all.extend(open.iter().filter_map(|interval| {
            let is_inner = |made: &Made| {
                made.step.root == interval.root
                    && acts_on(engine, made) == Some(interval.canister)
                    && made.step.path.context() != interval.context
            };
            let between = meanwhile(played, interval, is_inner);
            (!between.is_empty()).then(|| interval.guilty(Cause::Reentry(between)))
        }));
    }
    if all.is_empty() {
        all.push(last(engine, played, &open));
    }
    Ok(all)
}

impl Interval {
    /// Whether a step belongs neither to what the await is for nor to the context that waits.
    fn is_foreign(&self, made: &Made) -> bool {
        let Step { root, path, .. } = &made.step;
        *root != self.root || *path != self.request && !path.follows(&self.request) && path.context() != self.context
    }

    /// Whether a step is that of its request, or of the response.
    fn is_of(&self, step: &Step) -> bool {
        self.root == step.root && (self.request == step.path || self.request.response() == step.path)
    }

    fn guilty(&self, cause: Cause) -> Guilty {
        Guilty { point: self.point.clone(), sent: Some(self.sent), back: self.back, cause }
    }
}

impl Guilty {
    /// Whether the violation disappears without something; else it is only where the violation shows.
    pub fn is_shown(&self) -> bool {
        matches!(self.cause, Cause::Race(_) | Cause::Fault(_))
    }
}

/// Steps of a kind that were made while an await was open.
fn meanwhile(played: &Play, interval: &Interval, is_wanted: impl Fn(&Made) -> bool) -> Vec<usize> {
    let end = interval.back.unwrap_or(played.made.len());
    (interval.sent + 1..end).filter(|&at| is_wanted(&played.made[at])).collect()
}

/// The canister that a step acts on.
pub(crate) fn acts_on(engine: &Embedded, made: &Made) -> Option<u16> {
    if let Some(delivery) = made.happened.delivery() {
        return Some(delivery.canister);
    }
    match made.choice.target {
        Target::Canister { canister, .. } => Some(canister),
        // Time passes everywhere.
        Target::Clock(_) => None,
        Target::Root(tree) => engine.kernel.calls().get(tree as usize).map(|call| call.canister),
        Target::Request { tree, request } => {
            let tree = engine.kernel.tree(made.before.trees[tree as usize]);
            Some(tree.requests[request as usize].callee)
        }
    }
}

/// Whether the violation disappears when these steps run before the await, or after it.
fn is_needed(
    engine: &mut Embedded,
    invariant: usize,
    played: &Play,
    interval: &Interval,
    between: &[usize],
) -> Result<bool, Unsupported> {
    // What is not needed at all is not to blame, whatever else it would change if it ran at another time.
    let gone: Vec<Root> = roots_of(played, between).into_iter().filter(|root| *root != interval.root).collect();
    if !gone.is_empty() {
        let kept = (0..played.made.len()).filter(|&at| !gone.contains(&played.made[at].step.root));
        let mut items = steps(played, kept);
        items.push(Item::Settle(None));
        if violates(engine, invariant, &items)? {
            return Ok(false);
        }
    }
    Ok(!violates(engine, invariant, &before(played, interval, between))?
        || !violates(engine, invariant, &after(played, interval, between))?)
}

fn violates(engine: &mut Embedded, invariant: usize, items: &[Item]) -> Result<bool, Unsupported> {
    Ok(play(engine, items, Some(invariant), Some(invariant))?.violates(invariant))
}

/// The schedule with these steps, and what they follow from, made before an await begins.
fn before(played: &Play, interval: &Interval, between: &[usize]) -> Vec<Item> {
    let is_moved = |at: usize| {
        let leads_to = |&other: &usize| other == at || other > at && played.follows(other, at);
        at > interval.sent && between.iter().any(leads_to)
    };
    let end = interval.back.unwrap_or(played.made.len());
    let (moved, left): (Vec<usize>, Vec<usize>) = (interval.sent..end).partition(|&at| is_moved(at));
    let mut items: Vec<Item> = steps(played, 0..interval.sent);
    items.extend(steps(played, moved.iter().copied()));
    if interval.back.is_none() {
        items.extend(roots_of(played, &moved).into_iter().map(|root| Item::Settle(Some(root))));
    }
    items.extend(steps(played, left.into_iter().chain(end..played.made.len())));
    items.push(Item::Settle(None));
    items
}

/// The schedule with these steps, and what follows from them, made after an await has ended.
fn after(played: &Play, interval: &Interval, between: &[usize]) -> Vec<Item> {
    let end = interval.back.map_or(played.made.len(), |back| back + 1);
    let is_moved = |at: usize| {
        let follows_from = |&other: &usize| other == at || other < at && played.follows(at, other);
        Some(at) != interval.back && between.iter().any(follows_from)
    };
    let (moved, left): (Vec<usize>, Vec<usize>) = (0..end).partition(|&at| is_moved(at));
    let mut items = steps(played, left.into_iter());
    if interval.back.is_none() {
        items.push(Item::Settle(Some(interval.root.clone())));
    }
    items.extend(steps(played, moved.into_iter().chain(end..played.made.len())));
    items.push(Item::Settle(None));
    items
}

fn steps(played: &Play, positions: impl Iterator<Item = usize>) -> Vec<Item> {
    positions.map(|at| Item::Step(played.made[at].step.clone())).collect()
}

fn roots_of(played: &Play, positions: &[usize]) -> Vec<Root> {
    roots(positions.iter().map(|&at| &played.made[at].step))
}

/// Whether a step is one that need not happen: a fault, time, an expiry, what an administrator does.
fn is_extra(made: &Made) -> bool {
    made.choice.fault.is_some()
        || made.step.kind == StepKind::Expire
        || matches!(made.choice.target, Target::Clock(_) | Target::Canister { .. })
}

/// The schedule without such a step: with the delivery in its place, if there is one.
fn without(played: &Play, at: usize) -> Vec<Item> {
    let mut items = steps(played, 0..at);
    items.extend(instead(&played.made[at].step).map(Item::Step));
    items.extend(steps(played, at + 1..played.made.len()));
    items.push(Item::Settle(None));
    items
}

/// The delivery that a fault takes the place of, if it takes one.
pub(crate) fn instead(step: &Step) -> Option<Step> {
    let kind = match step.kind {
        StepKind::Reject(_) | StepKind::BusinessError | StepKind::Lie => StepKind::Request,
        StepKind::Trap => StepKind::Response,
        StepKind::PerformFails(_) if step.path.depth() == 0 => StepKind::Start,
        StepKind::PerformFails(_) if step.path.is_response() => StepKind::Response,
        StepKind::PerformFails(_) => StepKind::Request,
        _ => return None,
    };
    Some(Step { kind, ..step.clone() })
}

/// The await that a fault strikes.
fn struck(engine: &Embedded, played: &Play, open: &[Interval], at: usize, made: &Made) -> Guilty {
    let is_open = |interval: &&Interval| interval.sent < at && interval.back.is_none_or(|back| back > at);
    let canister = acts_on(engine, made);
    let of_canister = |interval: &&Interval| is_open(interval) && canister.is_none_or(|it| it == interval.canister);
    let cause = Cause::Fault(at);
    if let Some(interval) =
        open.iter().find(|interval| interval.is_of(&made.step)).or_else(|| open.iter().rev().find(of_canister))
    {
        return interval.guilty(cause);
    }
    Guilty { point: alone(engine, played, at), sent: None, back: None, cause }
}

/// Where the last step leaves the violation.
fn last(engine: &Embedded, played: &Play, open: &[Interval]) -> Guilty {
    let Some(made) = played.made.last() else {
        let point = AwaitPoint { canister: String::new(), name: "the start".to_string() };
        return Guilty { point, sent: None, back: None, cause: Cause::Last };
    };
    match open.iter().find(|interval| interval.is_of(&made.step)) {
        Some(interval) => interval.guilty(Cause::Last),
        None => {
            let point = alone(engine, played, played.made.len() - 1);
            Guilty { point, sent: None, back: None, cause: Cause::Last }
        }
    }
}

/// The place of a step that no await belongs to.
fn alone(engine: &Embedded, played: &Play, at: usize) -> AwaitPoint {
    let made = &played.made[at];
    let canister = acts_on(engine, made).map_or_else(|| "time".to_string(), |at| engine.canister_name(at).to_string());
    let name = match (&made.step.root, made.choice.target) {
        (Root::Task { task, .. }, Target::Canister { .. }) => format!("{canister}: {}", task.word()),
        (Root::Time(_), _) => canister.clone(),
        _ => Names::of(engine, played).method(&made.step.root, &made.step.path.context()),
    };
    AwaitPoint { canister, name }
}

/// Names of contexts and requests: canister and method of each, by what they are of.
struct Names<'a> {
    engine: &'a Embedded,
    sent: HashMap<(&'a Root, Path), String>,
}

impl<'a> Names<'a> {
    fn of(engine: &'a Embedded, play: &'a Play) -> Names<'a> {
        let mut sent = HashMap::new();
        for made in &play.made {
            let Some(delivery) = made.happened.delivery() else { continue };
            for (n, request) in delivery.effects.sent.iter().enumerate() {
                let (method, _) = engine.kernel.call_text(request.message).unwrap_or_default();
                let callee = match request.callee {
                    Some(MANAGEMENT) => "management".to_string(),
                    Some(callee) => engine.canister_name(callee).to_string(),
                    None => request.callee_id.to_string(),
                };
                sent.insert((&made.step.root, made.step.path.request(n as u32 + 1)), format!("{callee}.{method}"));
            }
        }
        Names { engine, sent }
    }

    /// The method of a context.
    fn method(&self, root: &Root, context: &Path) -> String {
        if context.depth() > 0 {
            // Of the root that is kept here, equal to the one asked for.
            let known = self.sent.iter().find(|((other, path), _)| *other == root && path == context);
            return known.map_or_else(|| "?".to_string(), |(_, name)| name.clone());
        }
        match root {
            Root::Call(call) => match self.engine.kernel.calls().get(*call as usize) {
                Some(call) => format!("{}.{}", self.engine.canister_name(call.canister), call.method),
                None => "?".to_string(),
            },
            Root::Task { canister, task, .. } => format!("{canister}: {}", task.title()),
            Root::Time(_) => "time".to_string(),
        }
    }

    /// The await of a request, as interleaving coverage names it.
    fn point(&self, root: &Root, request: &Path) -> AwaitPoint {
        let context = request.sender().context();
        let method = self.method(root, &context);
        let pass = pass(request.depth() - context.depth());
        let callee = self.method(root, request);
        let canister = method.split(['.', ':']).next().unwrap_or_default().to_string();
        AwaitPoint { canister, name: format!("{method}{pass} -> {callee}") }
    }
}

/// Which await of its context a request is, as names of await points say it: `segments` are those of its path below the
/// context's. Each callback on the way is one await that is over.
pub(crate) fn pass(segments: usize) -> &'static str {
    match segments {
        0 | 1 => "",
        2 => ", 2nd await",
        3 => ", 3rd await",
        _ => ", 4th await or later",
    }
}
