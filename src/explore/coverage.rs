//! Interleaving coverage: which methods were delivered to a canister while which of its await points was open.
//!
//! In: steps, each with the world before and after it. Out: a [`Coverage`] whose table names each await point by the method
//! that waits and the method that it waits for, and says what was delivered meanwhile and what was not. A pair counts as
//! possible if the scenario delivers the method to that canister at all. An await point that a loop passes again and again is
//! told apart up to the third time.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::hash::Hash;

use serde::{Deserialize, Serialize};

use crate::counterexample::awaits::pass;
use crate::engine::embedded::Embedded;
use crate::kernel::intern::content_hash;
use crate::kernel::tree::Request;
use crate::kernel::world::NOT_STARTED;
use crate::kernel::{CallTree, Choice, Kernel, MANAGEMENT, Target, World};
use crate::schedule::{Path, StepKind, Task};

/// Segments of a path that tell places apart: a loop of awaits is not told from a longer one.
const PLACE_SEGMENTS: usize = 4;

/// What a chain of messages begins with, whichever instance of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Family {
    /// An entry of the scenario's calls.
    Call(u32),
    /// A task of a canister.
    Task(u16, Task),
}

/// A request, whichever instance of its chain sent it: segments of its path.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Sender(Family, Vec<u32>);

/// An outstanding request of a call context.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Point {
    canister: u16,
    family: Family,
    /// Segments of the paths of the context and of the request.
    context: Vec<u32>,
    request: Vec<u32>,
}

/// A method of a canister.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Method {
    canister: u16,
    name: String,
}

/// What a step shows that no step before it showed to the same [`Observer`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum News {
    /// A request goes to this method.
    Sent(Sender, Method),
    /// An await point is open.
    Opened(Point),
    /// A method was delivered.
    Delivered(Method),
    /// It was delivered while an await point was open.
    Pair(Point, Method),
}

impl News {
    /// Whether it speaks of what the scenario has: news may come from a file.
    pub fn fits(&self, engine: &Embedded) -> bool {
        let is_canister = |at: u16| at == MANAGEMENT || usize::from(at) < engine.start().canisters.len();
        let is_family = |family: Family| match family {
            Family::Call(entry) => (entry as usize) < engine.scenario.calls.len(),
            Family::Task(canister, _) => is_canister(canister),
        };
        let is_point = |point: &Point| {
            is_canister(point.canister) && is_family(point.family) && point.request.len() > point.context.len()
        };
        match self {
            // A request may go to a canister that there is not.
            News::Sent(Sender(family, _), _) => is_family(*family),
            News::Opened(point) => is_point(point),
            News::Delivered(method) => is_canister(method.canister),
            News::Pair(point, method) => is_point(point) && is_canister(method.canister),
        }
    }
}

/// Watches the steps of one thread.
#[derive(Default)]
pub struct Observer {
    known: HashSet<u128>,
    news: Vec<News>,
}

impl Observer {
    /// Watches a step.
    pub fn step(&mut self, kernel: &Kernel, before: &World, choice: &Choice, after: &World) {
        if let Some(at) = choice.tree()
            && after.trees[at as usize] != NOT_STARTED
        {
            let family = family(kernel, at);
            let tree = kernel.tree(after.trees[at as usize]);
            for request in &tree.requests {
                if let Some((method, _)) = request.queued.and_then(|message| kernel.call_text(message))
                    && self.is_new(&(0u8, family, &request.path, request.callee, method))
                {
                    let method = Method { canister: request.callee, name: method.to_string() };
                    self.news.push(News::Sent(Sender(family, request.path.segments().to_vec()), method));
                }
                let point = OpenPoint::of(family, tree, request);
                if let Some(point) = point.filter(|point| self.is_new(&(3u8, point))) {
                    self.news.push(News::Opened(point.kept()));
                }
            }
        }
        let Some((canister, name)) = delivered(kernel, before, choice) else { return };
        let method = || Method { canister, name: name.to_string() };
        if self.is_new(&(1u8, canister, name)) {
            self.news.push(News::Delivered(method()));
        }
        for point in open_points(kernel, before, canister) {
            if self.is_new(&(2u8, &point, name)) {
                self.news.push(News::Pair(point.kept(), method()));
            }
        }
    }

    /// What is new since this was asked last.
    pub fn take(&mut self) -> Vec<News> {
        std::mem::take(&mut self.news)
    }

    fn is_new(&mut self, what: &impl Hash) -> bool {
        self.known.insert(content_hash(what))
    }
}

/// Hashes of the pairs that a step covers: the method that it delivers, with each await point of that canister that is open.
pub fn pairs(kernel: &Kernel, before: &World, choice: &Choice) -> Vec<u128> {
    let Some((canister, name)) = delivered(kernel, before, choice) else { return Vec::new() };
    open_points(kernel, before, canister).map(|point| content_hash(&(2u8, &point, name))).collect()
}

/// Hash of where in which chain of messages a step is, whichever instance of the chain: what it begins with, and the last
/// segments of the path.
pub fn place(kernel: &Kernel, before: &World, choice: &Choice) -> u128 {
    let family = choice.tree().map(|tree| family(kernel, tree));
    let path = match choice.target {
        Target::Request { tree, request } => {
            let request = &kernel.tree(before.trees[tree as usize]).requests[request as usize];
            let segments = request.path.segments();
            &segments[segments.len().saturating_sub(PLACE_SEGMENTS)..]
        }
        _ => &[],
    };
    content_hash(&(family, path, choice.kind))
}

/// The await points of a canister that are open in a world.
fn open_points<'a>(kernel: &'a Kernel, world: &'a World, canister: u16) -> impl Iterator<Item = OpenPoint<'a>> {
    let started = world.trees.iter().enumerate().filter(|(_, tree)| **tree != NOT_STARTED);
    started.flat_map(move |(at, &tree)| {
        let (family, tree) = (family(kernel, at as u32), kernel.tree(tree));
        let points = tree.requests.iter().filter_map(move |request| OpenPoint::of(family, tree, request));
        points.filter(move |point| point.canister == canister)
    })
}

/// A [`Point`] where it stands.
#[derive(Hash)]
struct OpenPoint<'a> {
    canister: u16,
    family: Family,
    context: &'a Path,
    request: &'a Path,
}

impl<'a> OpenPoint<'a> {
    /// `None` if nobody waits for the request any more.
    fn of(family: Family, tree: &'a CallTree, request: &'a Request) -> Option<OpenPoint<'a>> {
        let context = &tree.contexts[request.callback.as_ref()?.context as usize];
        Some(OpenPoint { canister: context.canister, family, context: &context.path, request: &request.path })
    }

    fn kept(&self) -> Point {
        let (context, request) = (self.context.segments().to_vec(), self.request.segments().to_vec());
        Point { canister: self.canister, family: self.family, context, request }
    }
}

fn family(kernel: &Kernel, tree: u32) -> Family {
    match kernel.task(tree) {
        Some(task) => Family::Task(task.canister, task.task),
        None => Family::Call(kernel.calls()[tree as usize].entry as u32),
    }
}

/// The method that a step delivers, with its canister.
fn delivered<'a>(kernel: &'a Kernel, world: &World, choice: &Choice) -> Option<(u16, &'a str)> {
    match (choice.target, choice.kind) {
        (Target::Root(_), StepKind::Submit) | (Target::Clock(_) | Target::Canister { .. }, _) => None,
        (Target::Root(tree), _) => Some(match kernel.task(tree) {
            Some(task) => (task.canister, task.task.title()),
            None => {
                let call = &kernel.calls()[tree as usize];
                (call.canister, &call.method)
            }
        }),
        (Target::Request { tree, request }, StepKind::Request | StepKind::PerformFails(_)) => {
            let request = &kernel.tree(world.trees[tree as usize]).requests[request as usize];
            let (method, _) = kernel.call_text(request.queued?)?;
            (request.callee != MANAGEMENT).then_some((request.callee, method))
        }
        (Target::Request { .. }, _) => None,
    }
}

/// All that was seen, whatever the order of the steps.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    sent: BTreeMap<Sender, BTreeSet<Method>>,
    delivered: BTreeSet<Method>,
    points: BTreeMap<Point, BTreeSet<Method>>,
}

impl Seen {
    /// Adds news.
    pub fn add(&mut self, news: Vec<News>) {
        for news in news {
            match news {
                News::Sent(sender, method) => {
                    self.sent.entry(sender).or_default().insert(method);
                }
                News::Opened(point) => {
                    self.points.entry(point).or_default();
                }
                News::Delivered(method) => {
                    self.delivered.insert(method);
                }
                News::Pair(point, method) => {
                    self.points.entry(point).or_default().insert(method);
                }
            }
        }
    }

    /// Adds what was seen elsewhere.
    pub fn merge(&mut self, other: &Seen) {
        for (sender, methods) in &other.sent {
            self.sent.entry(sender.clone()).or_default().extend(methods.iter().cloned());
        }
        for (point, methods) in &other.points {
            self.points.entry(point.clone()).or_default().extend(methods.iter().cloned());
        }
        self.delivered.extend(other.delivered.iter().cloned());
    }

    /// The table, with names.
    pub fn table(&self, engine: &Embedded) -> Coverage {
        let name = |canister| engine.kernel.canister_name(canister).to_string();
        let mut table = Coverage::default();
        let calls = engine.scenario.calls.iter();
        let planned = calls.map(|call| Method { canister: call.canister as u16, name: call.method.clone() });
        for Method { canister, name: method } in self.delivered.iter().cloned().chain(planned) {
            table.methods.entry(name(canister)).or_default().insert(method);
        }
        for (point, methods) in &self.points {
            let none = || Row { canister: name(point.canister), seen: BTreeSet::new() };
            let row = table.points.entry(self.point_name(engine, point)).or_insert_with(none);
            row.seen.extend(methods.iter().map(|method| method.name.clone()));
        }
        table
    }

    fn point_name(&self, engine: &Embedded, point: &Point) -> String {
        let kernel = &engine.kernel;
        let sent_to = |path: &[u32]| {
            let methods = self.sent.get(&Sender(point.family, path.to_vec()));
            let named =
                methods.into_iter().flatten().map(|to| format!("{}.{}", kernel.canister_name(to.canister), to.name));
            named.collect::<Vec<String>>().join(" or ")
        };
        let waiting = match (point.context.is_empty(), point.family) {
            (true, Family::Call(entry)) => {
                format!("{}.{}", kernel.canister_name(point.canister), engine.scenario.calls[entry as usize].method)
            }
            (true, Family::Task(_, task)) => {
                format!("{}: {}", kernel.canister_name(point.canister), task.title())
            }
            (false, _) => sent_to(&point.context),
        };
        let pass = pass(point.request.len() - point.context.len());
        format!("{waiting}{pass} -> {}", sent_to(&point.request))
    }
}

/// Interleaving coverage of a search or of sampled schedules.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Coverage {
    /// By canister: the methods that the scenario delivers to it.
    pub methods: BTreeMap<String, BTreeSet<String>>,
    /// By name of the await point: the methods that were delivered while it was open.
    pub points: BTreeMap<String, Row>,
}

/// An await point.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Row {
    /// The canister that waits.
    pub canister: String,
    /// Methods delivered to it meanwhile.
    pub seen: BTreeSet<String>,
}

impl Coverage {
    /// The same with each name as this makes it.
    pub fn renamed(&self, name: impl Fn(&str) -> String) -> Coverage {
        let names = |names: &BTreeSet<String>| names.iter().map(|one| name(one)).collect::<BTreeSet<String>>();
        let row = |row: &Row| Row { canister: name(&row.canister), seen: names(&row.seen) };
        Coverage {
            methods: self.methods.iter().map(|(canister, methods)| (name(canister), names(methods))).collect(),
            points: self.points.iter().map(|(point, seen)| (name(point), row(seen))).collect(),
        }
    }

    /// Pairs that were seen, and those that are possible.
    pub fn pairs(&self) -> (usize, usize) {
        let possible = |row: &Row| self.methods.get(&row.canister).map_or(0, BTreeSet::len);
        let seen = self.points.values().map(|row| row.seen.len()).sum();
        (seen, self.points.values().map(possible).sum())
    }

    /// Methods that were not delivered while a point was open.
    pub fn unseen(&self, row: &Row) -> Vec<&str> {
        let methods = self.methods.get(&row.canister).into_iter().flatten();
        methods.filter(|method| !row.seen.contains(*method)).map(String::as_str).collect()
    }

    /// Adds that of another part of the search.
    pub fn merge(&mut self, other: &Coverage) {
        for (canister, methods) in &other.methods {
            self.methods.entry(canister.clone()).or_default().extend(methods.iter().cloned());
        }
        for (name, row) in &other.points {
            let none = || Row { canister: row.canister.clone(), seen: BTreeSet::new() };
            self.points.entry(name.clone()).or_insert_with(none).seen.extend(row.seen.iter().cloned());
        }
    }
}
