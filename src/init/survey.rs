//! What a canister does when it is called: found by calling it.
//!
//! In: a draft with a module and its interface. Out: the draft with what it is installed with, whom it calls and what is done
//! first, such that as many calls as can be get as far as can be; and what each call did. The search is greedy: the
//! installation, then the callees, one after the other as they are called, then calls that let others get further.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::engine::embedded::Modules;
use crate::kernel::World;
use crate::scenario::Interface;

use super::InitError;
use super::callees;
use super::draft::{AMOUNTS, BODIES, Draft, Kind, PEERS, START, Setup};
use super::stand::{Sent, Stand, Tried, Try};
use super::values::{Palette, Template, arguments};

/// Most argument lists tried for one method, and for one query.
const ARGUMENTS_MAX: usize = 12;
const QUERY_ARGUMENTS_MAX: usize = 6;
/// Most installations tried.
const INSTALLATIONS_MAX: usize = 64;
/// Rounds in which callees are added; calls that come first.
const ROUNDS_MAX: usize = 8;
const SETUP_MAX: usize = 2;
/// What trying every call may take when all the time is over; how long a call may take that is tried once more.
const LAST: Duration = Duration::from_secs(1);
pub(super) const SLOW: Duration = Duration::from_secs(1);
/// Who makes a call that gets nowhere when the one before makes it.
const CALLERS: [&str; 3] = ["alice", "admin", "nobody"];

/// A query with arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Query {
    pub(super) method: String,
    pub(super) args: String,
}

/// A call and what came of it.
pub(super) struct Outcome {
    pub(super) call: Try,
    pub(super) tried: Tried,
    /// Whether a query answers otherwise than before it.
    pub(super) changes: bool,
    /// How long it took to run.
    pub(super) took: Duration,
}

impl Outcome {
    /// How far it got: to another canister first, then to a change, then to an answer that is no error. Nowhere, if it went to
    /// somebody who is no canister: what it does then says nothing.
    pub(super) fn points(&self) -> u32 {
        if self.tried.strays() {
            return 0;
        }
        4 * u32::from(self.tried.reaches()) + 3 * u32::from(self.changes) + 2 * u32::from(self.tried.is_ok())
    }
}

/// The search.
pub(super) struct Survey<'a> {
    pub(super) draft: Draft,
    file: PathBuf,
    interface: &'a Interface,
    modules: Modules,
    deadline: Instant,
    /// Whether something was left out for want of time.
    is_cut: Cell<bool>,
    pub(super) queries: Vec<Query>,
    calls: BTreeMap<String, Vec<String>>,
    /// Update methods in the order of the interface.
    pub(super) updates: Vec<String>,
}

/// What was found.
pub(super) struct Found {
    pub(super) draft: Draft,
    pub(super) queries: Vec<Query>,
    /// Update methods in the order of the interface.
    pub(super) updates: Vec<String>,
    pub(super) known: Known,
    /// Whether something was left out for want of time.
    pub(super) is_cut: bool,
}

/// What calls did, and where.
pub(super) struct Known {
    pub(super) stand: Stand,
    pub(super) outcomes: Vec<Outcome>,
}

impl<'a> Survey<'a> {
    /// Prepares the calls; `file` is where the scenario will be.
    pub(super) fn new(
        draft: Draft,
        file: &Path,
        interface: &'a Interface,
        modules: Modules,
        deadline: Instant,
    ) -> Result<Survey<'a>, InitError> {
        let people = |names: &[&str]| names.iter().map(|name| name.to_string()).collect::<Vec<String>>();
        let last_peer = format!("peer{PEERS}");
        let palette = Palette {
            numbers: AMOUNTS.to_vec(),
            people: people(&["bob", "alice", &last_peer]),
            texts: people(&["a", "b"]),
        };
        let asked = Palette { people: people(&["alice", "bob", &draft.name]), ..palette.clone() };
        let (mut queries, mut calls, mut updates) = (Vec::new(), BTreeMap::new(), Vec::new());
        for (method, is_query) in interface.methods() {
            let (signature, _) = interface.method(method).map_err(InitError::Interface)?;
            let (palette, most) = if is_query { (&asked, QUERY_ARGUMENTS_MAX) } else { (&palette, ARGUMENTS_MAX) };
            let lists = arguments(signature.types, signature.env, palette, most);
            if is_query {
                queries.extend(lists.into_iter().map(|args| Query { method: method.to_string(), args }));
            } else {
                updates.push(method.to_string());
                calls.insert(method.to_string(), lists);
            }
        }
        let (file, is_cut) = (file.to_path_buf(), Cell::new(false));
        Ok(Survey { draft, file, interface, modules, deadline, is_cut, queries, calls, updates })
    }

    /// Runs it.
    pub(super) fn run(mut self) -> Result<Found, InitError> {
        if self.updates.is_empty() {
            return Err(InitError::NoUpdate { name: self.draft.name.clone() });
        }
        let template = self.installation()?;
        let mut choices = vec![0; template.places().len()];
        let mut installed = None;
        if self.draft.init.is_none() {
            let (best, known) = self.install(&template)?;
            choices = best;
            installed = Some(known);
        }
        let mut known = self.add_callees(installed)?;
        if known.outcomes.iter().any(|outcome| outcome.tried.sent.iter().any(|sent| sent.method == "http_request")) {
            known = self.choose_body()?;
        }
        // Once more when it is known who owns it.
        for _ in 0..2 {
            while self.draft.setup.len() < SETUP_MAX && self.add_setup(&mut known)? {
                known = self.add_callees(None)?;
            }
            self.find_owners(&template, &mut choices, &mut known)?;
        }
        let Survey { draft, queries, updates, is_cut, .. } = self;
        Ok(Found { draft, queries, updates, known, is_cut: is_cut.get() })
    }

    fn is_late(&self) -> bool {
        let is_late = Instant::now() > self.deadline;
        self.is_cut.set(self.is_cut.get() || is_late);
        is_late
    }

    /// What the canister may be installed with.
    fn installation(&self) -> Result<Template, InitError> {
        let Some(signature) = self.interface.init().filter(|_| self.draft.init.is_none()) else {
            return Ok(Template::fixed(self.draft.init.as_deref().unwrap_or("()")));
        };
        let template = Template::of_init(signature.types, signature.env, START, "alice");
        template.ok_or_else(|| {
            InitError::Arguments("no argument of the installation can be generated; pass --init".to_string())
        })
    }

    /// Installs it with what lets calls get furthest.
    fn install(&mut self, template: &Template) -> Result<(Vec<usize>, Known), InitError> {
        let places = template.places();
        let mut choices = vec![0; places.len()];
        let mut best: Option<(u32, Vec<usize>, Known)> = None;
        let mut first_error: Option<InitError> = None;
        for _ in 0..INSTALLATIONS_MAX {
            self.draft.init = Some(template.text(&choices)).filter(|text| text != "()");
            match self.open() {
                Ok(mut stand) => {
                    let outcomes = self.campaign(&mut stand, None, None)?;
                    let points = points(&outcomes);
                    if best.as_ref().is_none_or(|(most, ..)| points > *most) {
                        best = Some((points, choices.clone(), Known { stand, outcomes }));
                    }
                }
                Err(error @ InitError::Engine(_)) => return Err(error),
                Err(error) => first_error = first_error.or(Some(error)),
            }
            let Some(at) = (0..places.len()).find(|&at| choices[at] + 1 < places[at]) else { break };
            choices[at] += 1;
            choices[..at].fill(0);
            if self.is_late() {
                break;
            }
        }
        let (_, choices, known) = match (best, first_error) {
            (Some(best), _) => best,
            (None, Some(error)) => return Err(error),
            (None, None) => unreachable!("bug in canloom: an installation is tried at least once"),
        };
        self.draft.init = Some(template.text(&choices)).filter(|text| text != "()");
        Ok((choices, known))
    }

    fn open(&mut self) -> Result<Stand, InitError> {
        let method = self.updates[0].clone();
        Stand::open(&self.draft, &self.file, &method, &mut self.modules)
    }

    /// Makes every call, or those of some methods, from a world or the first one. Each method is tried at least once, and for
    /// its share of half the time that is left.
    fn campaign(
        &self,
        stand: &mut Stand,
        from: Option<&World>,
        only: Option<&[String]>,
    ) -> Result<Vec<Outcome>, InitError> {
        let from = from.cloned().unwrap_or_else(|| stand.first());
        let methods = self.updates.iter().filter(|method| only.is_none_or(|only| only.contains(method)));
        let methods: Vec<&String> = methods.collect();
        let mut tries = Vec::new();
        for method in &methods {
            for by in CALLERS {
                let call = |args: &String| Try { method: method.to_string(), args: self.draft.named(args), by };
                tries.extend(self.calls[*method].iter().map(call));
            }
        }
        let left = self.deadline.saturating_duration_since(Instant::now());
        let until = Instant::now() + (left / 2).max(LAST);
        let can = stand.plan(&tries);
        let before: Vec<Option<u32>> = self.answers(stand, &from);
        let mut outcomes = Vec::new();
        for (nth, method) in methods.iter().copied().enumerate() {
            let mut best: (u32, Vec<Outcome>) = (0, Vec::new());
            let share = until.saturating_duration_since(Instant::now()) / (methods.len() - nth) as u32;
            let end = Instant::now() + share;
            let mut is_over = false;
            for by in CALLERS {
                let mut own = Vec::new();
                let calls = tries.iter().enumerate();
                for (at, call) in calls.filter(|(at, call)| can[*at] && call.method == **method && call.by == by) {
                    if is_over {
                        self.is_cut.set(true);
                        break;
                    }
                    let begun = Instant::now();
                    let tried = stand.run(&from, at);
                    let took = begun.elapsed();
                    is_over = took > SLOW || Instant::now() > end;
                    // What cannot be told of one call says nothing of the others.
                    let Ok(tried) = tried else { continue };
                    let after = self.answers(stand, tried.end());
                    let changes = before.iter().zip(&after).any(|(a, b)| a.is_some() && b.is_some() && a != b);
                    own.push(Outcome { call: call.clone(), tried, changes, took });
                }
                let sum = points(&own);
                if best.1.is_empty() || sum > best.0 {
                    best = (sum, own);
                }
                if best.1.iter().any(|outcome| outcome.changes || outcome.tried.reaches()) {
                    break;
                }
            }
            outcomes.extend(best.1);
        }
        Ok(outcomes)
    }

    /// What every query answers.
    fn answers(&self, stand: &mut Stand, world: &World) -> Vec<Option<u32>> {
        self.queries.iter().map(|query| stand.query(world, 0, &query.method, &query.args)).collect()
    }

    /// Makes every call in the draft as it is.
    fn know(&mut self) -> Result<Known, InitError> {
        let mut stand = self.open()?;
        let outcomes = self.campaign(&mut stand, None, None)?;
        Ok(Known { stand, outcomes })
    }

    /// Adds canisters for those that are called, until none is called that there is not; `known` is what calls do in the draft
    /// as it is, if they were made.
    fn add_callees(&mut self, mut known: Option<Known>) -> Result<Known, InitError> {
        for _ in 0..ROUNDS_MAX {
            let Known { mut stand, outcomes } = match known.take() {
                Some(known) => known,
                None => self.know()?,
            };
            let mut sent: Vec<Sent> = outcomes.iter().flat_map(|outcome| outcome.tried.sent.iter().cloned()).collect();
            let first = stand.first();
            sent.extend(stand.tasks(&first).map(|(sent, _)| sent).unwrap_or_default());
            let added = callees::add(&mut self.draft, &stand, &sent);
            if added.is_empty() {
                return Ok(Known { stand, outcomes });
            }
            for callee in added {
                self.choose_replies(callee, &outcomes)?;
            }
        }
        self.know()
    }

    /// Of a stub with a new method: the reply with which callers get furthest.
    fn choose_replies(&mut self, added: callees::Added, outcomes: &[Outcome]) -> Result<(), InitError> {
        let Some(method) = added.method else { return Ok(()) };
        let calls = outcomes.iter().filter(|outcome| outcome.tried.sent.iter().any(|sent| sent.method == method));
        let mut callers: Vec<String> = calls.map(|outcome| outcome.call.method.clone()).collect();
        callers.dedup();
        let mut best: Option<(u32, &str)> = None;
        for reply in callees::REPLIES {
            self.set_reply(added.other, &method, reply);
            let mut stand = self.open()?;
            let points = points(&self.campaign(&mut stand, None, Some(&callers))?);
            if best.is_none_or(|(most, _)| points > most) {
                best = Some((points, reply));
            }
            if self.is_late() {
                break;
            }
        }
        self.set_reply(added.other, &method, best.map_or("()", |(_, reply)| reply));
        Ok(())
    }

    /// What the web answers such that callers get furthest.
    fn choose_body(&mut self) -> Result<Known, InitError> {
        let mut best: Option<(u32, &'static str)> = None;
        for body in BODIES {
            self.draft.body = body;
            let mut stand = self.open()?;
            let points = points(&self.campaign(&mut stand, None, None)?);
            if best.is_none_or(|(most, _)| points > most) {
                best = Some((points, body));
            }
            if self.is_late() {
                break;
            }
        }
        self.draft.body = best.map_or(BODIES[0], |(_, body)| body);
        self.add_callees(None)
    }

    fn set_reply(&mut self, other: usize, method: &str, reply: &str) {
        if let Kind::Stub(replies) = &mut self.draft.others[other].kind
            && let Some(known) = replies.iter_mut().find(|(name, _)| name == method)
        {
            known.1 = reply.to_string();
        }
    }

    /// An argument of the installation that is no canister's id is that of alice.
    fn find_owners(&mut self, template: &Template, choices: &mut [usize], known: &mut Known) -> Result<(), InitError> {
        for at in 0..choices.len() {
            let mut other = choices.to_vec();
            other[at] = 1;
            let (before, after) = (template.text(choices), template.text(&other));
            let loses = |peer: usize| {
                before.contains(&format!("${{peer{peer}}}")) && !after.contains(&format!("${{peer{peer}}}"))
            };
            let Some(peer) = (1..=PEERS).find(|peer| loses(*peer)) else { continue };
            if self.draft.has_peer(peer) {
                continue;
            }
            if self.is_late() {
                break;
            }
            let kept = self.draft.init.replace(after);
            match self.open() {
                Ok(mut stand) => {
                    let outcomes = self.campaign(&mut stand, None, None)?;
                    if points(&outcomes) >= points(&known.outcomes) {
                        choices[at] = 1;
                        *known = Known { stand, outcomes };
                        continue;
                    }
                }
                Err(error @ InitError::Engine(_)) => return Err(error),
                Err(_) => {}
            }
            self.draft.init = kept;
        }
        Ok(())
    }

    /// Adds the call after which the others get furthest, if they get further than without.
    fn add_setup(&mut self, known: &mut Known) -> Result<bool, InitError> {
        let now = points(&known.outcomes);
        let mut best: Option<(u32, Try)> = None;
        let useful = |outcome: &&Outcome| {
            let sends = outcome.tried.reaches() || outcome.tried.strays();
            outcome.changes && outcome.tried.is_ok() && !sends && self.draft.is_settled(&outcome.call.args)
        };
        let candidates: Vec<(Try, World)> =
            known.outcomes.iter().filter(useful).map(|o| (o.call.clone(), o.tried.rest().clone())).collect();
        for (call, end) in candidates {
            if self.is_late() {
                break;
            }
            let sum = points(&self.campaign(&mut known.stand, Some(&end), None)?);
            if sum > best.as_ref().map_or(now, |(most, _)| *most) {
                best = Some((sum, call));
            }
        }
        let Some((_, Try { method, args, by })) = best else { return Ok(false) };
        self.draft.setup.push(Setup { to: self.draft.name.clone(), method, by, args });
        Ok(true)
    }
}

/// How far calls got, together.
fn points(outcomes: &[Outcome]) -> u32 {
    outcomes.iter().map(Outcome::points).sum()
}
