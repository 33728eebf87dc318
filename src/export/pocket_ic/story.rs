//! What a driver does for a counterexample, and what comes of it step by step.
//!
//! In: an engine and a counterexample. Out: a [`Story`]: operations with everything that a test must know of them; how canisters
//! that have no module answer; and of which type observations are.

use std::collections::BTreeMap;
use std::sync::Arc;

use candid::{CandidType, Decode, Deserialize};

use crate::counterexample::Counterexample;
use crate::engine::embedded::{Embedded, EmbeddedError};
use crate::export::{ExportError, inexpressible};
use crate::kernel::{Choice, Happened, MANAGEMENT, Response, Target, World};
use crate::rounds::class::Class;
use crate::rounds::search::{Planned, plan};
use crate::rounds::{Aim, play};
use crate::scenario::{Code, RustType, Scenario};
use crate::schedule::{Root, Step, StepKind, Task};
use crate::script::{Op, Script};

/// An operation as a test makes it. Canisters, calls and faults are positions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Deed {
    /// A call of this entry by this actor, with this argument.
    Submit { entry: usize, actor: usize, arg: Vec<u8> },
    /// A round; whether it is loaded, and whether every observation can be read after it.
    Tick { loaded: bool, is_seen: bool },
    /// Time passes.
    Advance { ns: u64 },
    /// An administrator's call; the fault whose module and argument an upgrade takes.
    Change { canister: usize, task: Task, fault: Option<usize>, starts: bool },
    /// Too few cycles, or enough again.
    Freeze { canister: usize, is_frozen: bool },
    /// An HTTP outcall to this address is answered.
    Outcall { url: String },
}

/// How canisters without a module answer: by canister and method, one after the other.
pub type Answers = BTreeMap<(usize, String), Vec<Response>>;

/// A counterexample as a driver makes it happen.
pub struct Story {
    pub class: Class,
    pub script: Script,
    pub deeds: Vec<Deed>,
    pub answers: Answers,
    /// By canister: answers that the setup took.
    pub before: Vec<usize>,
    /// By observation: its type, if it always has the same one.
    pub observed: Vec<Option<RustType>>,
    /// Faults that are brought about.
    pub faults: u32,
}

/// Room for the rounds of a replica, in an engine of its own.
pub fn with_room(engine: &Embedded) -> Result<Embedded, ExportError> {
    let scenario = (*engine.scenario).clone().with_room_for_rounds();
    Ok(Embedded::open_within(Arc::new(scenario), engine.allowance())?)
}

impl Story {
    /// The story of a counterexample to an invariant, by position.
    pub fn of(engine: &Embedded, counterexample: &Counterexample, invariant: usize) -> Result<Story, ExportError> {
        let mut engine = with_room(engine)?;
        let planned = plan(&mut engine, &counterexample.schedule, invariant, Aim::Test).map_err(EmbeddedError::from)?;
        let (class, script, steps) = match planned {
            Planned::Found { class, script, steps, .. } => (class, script, steps),
            Planned::NotExpressible { reason } => return inexpressible(reason),
            Planned::NotFound { is_cut: true } => {
                return inexpressible("the search for a script was cut off by its bound");
            }
            Planned::NotFound { is_cut: false } => {
                return inexpressible(
                    "no script of submits, rounds, places and times leads a replica to such an order",
                );
            }
        };
        engine.kernel.tell_calls_apart();
        let is_scripted = |step: &&Step| matches!(step.kind, StepKind::BusinessError | StepKind::Lie);
        let faults: Vec<Step> = steps.iter().filter(is_scripted).cloned().collect();
        let played = play(&mut engine, &script, faults, Aim::Test);
        let (_, steps) = played.map_err(|(at, stuck)| {
            ExportError::NotExpressible(format!("`{}` cannot be followed: {stuck}", script.ops[at]))
        })?;
        let world = engine.start().clone();
        let observed = vec![None; engine.scenario.observations.len()];
        let (answers, before) = in_setup(&engine);
        let mut teller = Teller { engine: &mut engine, world, observed, is_mixed: Vec::new(), answers, faults: 0 };
        let deeds = teller.tell(&script, &steps)?;
        let Teller { observed, is_mixed, answers, faults, .. } = teller;
        let observed =
            observed.into_iter().enumerate().map(|(at, ty)| ty.filter(|_| !is_mixed.contains(&at))).collect();
        Ok(Story { class, script, deeds, answers, before, observed, faults })
    }
}

/// What canisters without a module have answered before the first step.
fn in_setup(engine: &Embedded) -> (Answers, Vec<usize>) {
    let mut answers = Answers::new();
    let mut before = vec![0; engine.scenario.canisters.len()];
    for exchange in &engine.set_up.exchanges {
        let callee = usize::from(exchange.callee);
        if has_no_module(&engine.scenario, callee) {
            before[callee] += 1;
            answers.entry((callee, exchange.method.clone())).or_default().push(exchange.response.clone());
        }
    }
    (answers, before)
}

fn has_no_module(scenario: &Scenario, canister: usize) -> bool {
    scenario.canisters.get(canister).is_some_and(|canister| !matches!(canister.code, Code::Wasm(_)))
}

struct Teller<'a> {
    engine: &'a mut Embedded,
    world: World,
    observed: Vec<Option<RustType>>,
    /// Observations that had values of several types.
    is_mixed: Vec<usize>,
    answers: Answers,
    faults: u32,
}

impl Teller<'_> {
    fn tell(&mut self, script: &Script, steps: &[Vec<Step>]) -> Result<Vec<Deed>, ExportError> {
        let mut deeds = Vec::new();
        let mut unseen: Vec<usize> = Vec::new();
        self.look()?;
        for (op, steps) in script.ops.iter().zip(steps) {
            let mut deed = self.deed(op)?;
            match &deed {
                Deed::Freeze { canister, is_frozen: true } | Deed::Change { canister, task: Task::Stop, .. } => {
                    unseen.push(*canister);
                }
                Deed::Freeze { canister, is_frozen: false } | Deed::Change { canister, task: Task::Start, .. } => {
                    unseen.retain(|other| other != canister);
                }
                Deed::Change { canister, starts: true, .. } => unseen.retain(|other| other != canister),
                _ => {}
            }
            if let Deed::Tick { is_seen, .. } = &mut deed {
                *is_seen = unseen.is_empty();
            }
            deeds.push(deed);
            for step in steps {
                self.step(step)?;
            }
            self.look()?;
        }
        Ok(deeds)
    }

    fn find(&mut self, step: &Step) -> Result<Choice, ExportError> {
        let found = self.engine.kernel.find(&self.world, step);
        found.map_err(|refusal| ExportError::NotExpressible(format!("{step} cannot be followed: {refusal}")))
    }

    fn deed(&mut self, op: &Op) -> Result<Deed, ExportError> {
        let position = |engine: &Embedded, name: &str| {
            let at = engine.scenario.canisters.iter().position(|canister| canister.name == name);
            at.ok_or_else(|| ExportError::NotExpressible(format!("`{op}`: there is no such canister")))
        };
        Ok(match op {
            Op::Submit(step) => {
                let choice = self.find(step)?;
                let call = step.root.call().unwrap_or_default() as usize;
                let spec = self.engine.kernel.calls()[call].clone();
                let chosen = choice.message.and_then(|message| self.engine.kernel.call_text(message));
                let arg = chosen.map_or(spec.arg.as_slice(), |(_, arg)| arg).to_vec();
                let instance = self.engine.scenario.instances()[call];
                Deed::Submit { entry: instance.entry, actor: instance.actor, arg }
            }
            Op::Tick { loaded } => Deed::Tick { loaded: *loaded, is_seen: true },
            Op::Time(entry) => Deed::Advance { ns: self.engine.scenario.times[*entry as usize - 1].advance_ns },
            Op::Advance(seconds) => {
                let ns = seconds.saturating_mul(1_000_000_000);
                self.world.time_ns = self.world.time_ns.saturating_add(ns);
                Deed::Advance { ns }
            }
            Op::Freeze(name) => Deed::Freeze { canister: position(self.engine, name)?, is_frozen: true },
            Op::Thaw(name) => Deed::Freeze { canister: position(self.engine, name)?, is_frozen: false },
            Op::Change(step) => {
                let Root::Task { canister, task, .. } = &step.root else {
                    return inexpressible(format!("`{op}` is no change"));
                };
                let choice = self.find(step)?;
                let starts = *task == Task::Upgrade && choice.fault.is_none();
                let fault = choice.fault.map(usize::from).or_else(|| self.upgrade_paid());
                Deed::Change { canister: position(self.engine, canister)?, task: *task, fault, starts }
            }
            Op::Serve(step) => self.outcall(step)?,
            Op::Answer(_) => return inexpressible(format!("`{op}`: a test that stands alone holds no requests")),
        })
    }

    /// The fault whose module and argument an upgrade takes that no fault pays for.
    fn upgrade_paid(&self) -> Option<usize> {
        let faults = self.engine.scenario.faults.iter().enumerate();
        let mut upgrades = faults.filter(|(_, fault)| fault.wasm.is_some() || !fault.arg.is_empty());
        upgrades.find(|(at, _)| self.world.faults[*at] > 0).map(|(at, _)| at)
    }

    fn outcall(&mut self, step: &Step) -> Result<Deed, ExportError> {
        if step.kind != StepKind::Request {
            return inexpressible(format!("{step}: an HTTP outcall that is answered with an error"));
        }
        let choice = self.find(step)?;
        let Target::Request { tree, request } = choice.target else {
            return inexpressible(format!("{step} is no request"));
        };
        let request = &self.engine.kernel.tree(self.world.trees[tree as usize]).requests[request as usize];
        let arg = request.queued.map(|message| self.engine.kernel.argument(Some(message)).unwrap_or_default());
        let asked = arg.and_then(|arg| Decode!(&arg, Asked).ok());
        match asked {
            Some(asked) => Ok(Deed::Outcall { url: asked.url }),
            None => inexpressible(format!("{step}: its address cannot be read")),
        }
    }

    /// Makes a step, and notes how canisters without a module answer in it.
    fn step(&mut self, step: &Step) -> Result<(), ExportError> {
        let choice = self.find(step)?;
        let (next, happened) = self.engine.kernel.apply(&self.world, &choice).map_err(EmbeddedError::from)?;
        self.faults += u32::from(choice.fault.is_some());
        match &happened {
            Happened::Delivery(delivery) if has_no_module(&self.engine.scenario, usize::from(delivery.canister)) => {
                let kernel = &self.engine.kernel;
                let Some((method, _)) = kernel.call_text(delivery.message) else {
                    return self.cannot_stand_in(delivery.canister);
                };
                match delivery.effects.response {
                    Some(response) if delivery.effects.trap.is_none() => {
                        let key = (usize::from(delivery.canister), method.to_string());
                        let response = kernel.response(response).clone();
                        self.answers.entry(key).or_default().push(response);
                    }
                    _ => return self.cannot_stand_in(delivery.canister),
                }
            }
            _ if matches!(step.kind, StepKind::BusinessError | StepKind::Lie) => self.scripted(step, &choice, &next)?,
            _ => {}
        }
        self.world = next;
        Ok(())
    }

    /// An answer that the scenario gives in place of the canister.
    fn scripted(&mut self, step: &Step, choice: &Choice, next: &World) -> Result<(), ExportError> {
        let kernel = &self.engine.kernel;
        let Target::Request { tree, request } = choice.target else { return Ok(()) };
        let asked = &kernel.tree(self.world.trees[tree as usize]).requests[request as usize];
        if asked.callee == MANAGEMENT {
            return inexpressible(format!("{step}: the management canister answers by itself"));
        }
        let tree = kernel.tree(next.trees[tree as usize]);
        let after = tree.requests.iter().find(|after| after.path == asked.path);
        let answer = after.and_then(|request| request.callback.as_ref()?.response.as_ref());
        let method = asked.queued.and_then(|message| kernel.call_text(message));
        let (Some(answer), Some((method, _))) = (answer, method) else { return self.cannot_stand_in(asked.callee) };
        let key = (usize::from(asked.callee), method.to_string());
        let response = kernel.response(answer.response).clone();
        self.answers.entry(key).or_default().push(response);
        Ok(())
    }

    fn cannot_stand_in<T>(&self, canister: u16) -> Result<T, ExportError> {
        let name = self.engine.canister_name(canister);
        inexpressible(format!(
            "`{name}` has no module and does not answer at once; give `[canister.{name}]` a `wasm` in place of `builtin`"
        ))
    }

    /// Notes the types of what is observed.
    fn look(&mut self) -> Result<(), ExportError> {
        let values = self.engine.observe(&self.world).map_err(EmbeddedError::from)?;
        for (at, value) in values.iter().enumerate().take(self.observed.len()) {
            let ty = RustType::of(value);
            match (self.observed[at], ty) {
                (None, Some(ty)) => self.observed[at] = Some(ty),
                (Some(known), Some(ty)) if known == ty => {}
                _ => self.is_mixed.push(at),
            }
        }
        Ok(())
    }
}

/// The part of an HTTP outcall's argument that says whom it asks.
#[derive(CandidType, Deserialize)]
struct Asked {
    url: String,
}
