//! A schedule, changed a little, so that it stays one; and two of them, spliced.
//!
//! In: an input whose steps were made. Out: another one. Steps have names that depend on no other call, so those behind a
//! change mean what they meant; what is not possible any more is left out when the result is walked.

use std::collections::BTreeSet;

use candid::Principal;
use candid::types::value::IDLValue;
use candid::types::{Type, TypeEnv};

use super::hints::{Hints, pick};
use super::input::Input;
use super::values::{Changer, arguments, numbers, replaced};
use super::walks::Walks;
use crate::kernel::Unsupported;
use crate::scenario::Opener;
use crate::schedule::{Root, Step, Values};
use crate::scheduler::Generator;

/// Most changes at once, and most steps that are appended at once.
const FEW_MAX: u64 = 6;
/// Most inputs that are tried for one step, and the smallest number that is recognized in comparisons.
const TRIES_OF_STEP: usize = 32;
const RECOGNIZED_MIN: u64 = 1 << 16;

/// Changes inputs of one scenario.
pub struct Mutator {
    /// By entry of the scenario's calls: how its arguments are made, if they are chosen.
    openers: Vec<Option<Opener>>,
    principals: Vec<Principal>,
}

impl Mutator {
    /// For a scenario that is installed.
    pub fn new(walks: &Walks) -> Mutator {
        let scenario = &walks.engine.scenario;
        let openers = scenario.calls.iter().map(|call| call.template.as_ref().map(Opener::new)).collect();
        let names = scenario.names();
        let principals = names.actors.iter().chain(&names.canisters).map(|(_, id)| *id);
        Mutator { openers, principals: principals.chain([Principal::anonymous()]).collect() }
    }

    /// Another input.
    ///
    /// # Errors
    /// If a canister asks for something that the engine does not offer; likewise below.
    pub fn mutate(
        &self,
        walks: &mut Walks,
        input: &Input,
        hints: &Hints,
        random: &mut Generator,
    ) -> Result<Input, Unsupported> {
        let mut other = input.clone();
        for _ in 0..few(random) {
            self.change(walks, &mut other, hints, random)?;
        }
        let other = possible(walks, other)?;
        if other != *input {
            return Ok(other);
        }
        let (mut longer, count) = (other, input.steps.len());
        self.insert(walks, &mut longer, count, few(random), random)?;
        possible(walks, longer)
    }

    /// Steps of one input, then those of another one from where it passes the same world, or from anywhere.
    ///
    /// # Errors
    /// As [`Mutator::mutate`].
    pub fn splice(
        &self,
        walks: &mut Walks,
        one: &Input,
        other: &Input,
        random: &mut Generator,
    ) -> Result<Input, Unsupported> {
        let cut = random.below(one.steps.len() as u64 + 1) as usize;
        let head = walks.steps(&one.steps[..cut])?;
        let tail = walks.steps(&other.steps)?;
        let meeting = tail.made.iter().zip(&tail.used).find(|((world, _), _)| *world == head.end);
        let from = meeting.map_or_else(|| random.below(other.steps.len() as u64 + 1) as usize, |(_, &used)| used);
        let steps = one.steps[..cut].iter().chain(&other.steps[from..]).cloned().collect();
        possible(walks, Input { steps, finishes: other.finishes })
    }

    fn change(
        &self,
        walks: &mut Walks,
        input: &mut Input,
        hints: &Hints,
        random: &mut Generator,
    ) -> Result<(), Unsupported> {
        let count = input.steps.len();
        let at = random.below(count as u64 + 1) as usize;
        match random.below(20) {
            0..=3 if self.change_argument(walks, input, hints, random)? => {}
            4 if count > 0 => drop(input.steps.remove(at.min(count - 1))),
            5 if count > 0 => {
                let root = input.steps[at.min(count - 1)].root.clone();
                input.steps.retain(|step| step.root != root);
            }
            6 if count > 1 => {
                let step = input.steps.remove(at.min(count - 1));
                let to = random.below(count as u64) as usize;
                input.steps.insert(to, step);
            }
            7 if count > 1 => {
                let at = at.min(count - 2);
                input.steps.swap(at, at + 1);
            }
            8 => duplicate(walks, input, random),
            9 => input.steps.truncate(at),
            // What an input does after its steps becomes steps of it, so that these can be changed, too.
            10 => {
                let made = walks.input(input)?.made;
                *input = Input { steps: walks.names(&made), finishes: !input.finishes };
            }
            11..=13 => self.insert(walks, input, at, 1, random)?,
            // What lies behind the last step is least known.
            _ => self.insert(walks, input, count, few(random), random)?,
        }
        Ok(())
    }

    /// Whether some call starts with another argument now.
    fn change_argument(
        &self,
        walks: &mut Walks,
        input: &mut Input,
        hints: &Hints,
        random: &mut Generator,
    ) -> Result<bool, Unsupported> {
        let chosen: Vec<usize> = (0..input.steps.len()).filter(|&at| !input.steps[at].values.is_empty()).collect();
        let Some(&at) = pick(&chosen, random) else { return Ok(false) };
        let Some(opener) = self.opener(walks, &input.steps[at]) else { return Ok(false) };
        let open: Vec<_> = opener.kinds().collect();
        // A value that is one of a list becomes another one of the list.
        let Some((name, kind)) = pick(&open, random).filter(|_| random.below(8) > 0) else {
            return other_variant(walks, input, at, random);
        };
        let mut labels: Vec<(String, String)> =
            input.steps[at].values.iter().map(|(name, label)| (name.to_string(), label.to_string())).collect();
        let Some((_, label)) = labels.iter_mut().find(|(other, _)| other == name) else { return Ok(false) };
        let Some(mut values) = kind.parse(label, opener.names()) else { return Ok(false) };
        let others = self.numbers(walks, input);
        let which = random.below(values.len().max(1) as u64) as usize;
        let (Some(value), Some(ty)) = (values.get_mut(which), kind.types.get(which)) else { return Ok(false) };
        *value = Changer { random, hints, others: &others, principals: &self.principals }.change(value, ty, &kind.env);
        let Some(changed) = kind.label(&values, opener.names()) else { return Ok(false) };
        *label = changed;
        input.steps[at].values = Values::new(labels);
        Ok(true)
    }

    /// Inserts steps that are possible there.
    fn insert(
        &self,
        walks: &mut Walks,
        input: &mut Input,
        at: usize,
        run: u64,
        random: &mut Generator,
    ) -> Result<(), Unsupported> {
        let mut walked = walks.steps(&input.steps[..at])?;
        for added in 0..run as usize {
            let node = walks.atlas.node(walked.end);
            let all = if node.messages.is_empty() || random.below(8) == 0 { &node.extras } else { &node.messages };
            let Some(offer) = pick(all, random).map(|offer| offer.position) else { break };
            let mut name = walks.name(walked.end, offer);
            let mut position = offer;
            if !name.values.is_empty() && random.below(2) == 0 {
                let coloured = self.coloured(walks, &name, random);
                if let Some(other) = walks.position(walked.end, &coloured) {
                    (name, position) = (coloured, other);
                }
            }
            walks.go(&mut walked, position)?;
            input.steps.insert(at + added, name);
        }
        Ok(())
    }

    /// How the arguments of a step are made, if it chooses any.
    fn opener(&self, walks: &Walks, step: &Step) -> Option<&Opener> {
        let Root::Call(call) = step.root else { return None };
        self.openers[walks.engine.kernel.calls().get(call as usize)?.entry].as_ref().filter(|_| !step.values.is_empty())
    }

    /// A start with random numbers, which are recognized where they are compared.
    fn coloured(&self, walks: &Walks, step: &Step, random: &mut Generator) -> Step {
        let (hints, others) = (Hints::default(), BTreeSet::new());
        let mut changer = Changer { random, hints: &hints, others: &others, principals: &self.principals };
        self.with_values(walks, step, |value, ty, env| Some(changer.colour(value, ty, env)))
            .unwrap_or_else(|| step.clone())
    }

    /// A start with another number in place of this one; `None` if it has no such number.
    fn replaced(&self, walks: &Walks, step: &Step, from: u64, to: u64) -> Option<Step> {
        let mut is_there = false;
        let replaced = self.with_values(walks, step, |value, ty, env| {
            let other = replaced(value, ty, env, from, to);
            is_there |= other.is_some();
            Some(other.unwrap_or_else(|| value.clone()))
        });
        replaced.filter(|_| is_there)
    }

    /// A start with each of the values that may be any of their type made into another one.
    fn with_values(
        &self,
        walks: &Walks,
        step: &Step,
        mut other: impl FnMut(&IDLValue, &Type, &TypeEnv) -> Option<IDLValue>,
    ) -> Option<Step> {
        let opener = self.opener(walks, step)?;
        let mut labels: Vec<(String, String)> =
            step.values.iter().map(|(name, label)| (name.to_string(), label.to_string())).collect();
        for (name, kind) in opener.kinds() {
            let (_, label) = labels.iter_mut().find(|(other, _)| other == name)?;
            let values = kind.parse(label, opener.names())?;
            let values = values.iter().zip(&kind.types).map(|(value, ty)| other(value, ty, &kind.env));
            *label = kind.label(&values.collect::<Option<Vec<_>>>()?, opener.names())?;
        }
        Some(Step { values: Values::new(labels), ..step.clone() })
    }

    /// Adds the numbers of a start that may be any of their type.
    fn numbers_of(&self, walks: &Walks, step: &Step, out: &mut BTreeSet<u64>) {
        let Some(opener) = self.opener(walks, step) else { return };
        for (name, kind) in opener.kinds() {
            let label = step.values.iter().find(|(other, _)| *other == name);
            let values = label.and_then(|(_, label)| kind.parse(label, opener.names()));
            numbers(&values.unwrap_or_default(), out);
        }
    }

    /// Inputs in which an argument of the last step's call has the value that it was compared with there.
    pub fn tries(&self, walks: &Walks, steps: &[Step], unequal: &[(u64, u64)]) -> Vec<Input> {
        let Some((last, _)) = steps.split_last() else { return Vec::new() };
        let is_start = |step: &Step| step.root == last.root && !step.values.is_empty();
        let Some(start) = steps.iter().position(is_start) else { return Vec::new() };
        let mut own = BTreeSet::new();
        self.numbers_of(walks, &steps[start], &mut own);
        let own: Vec<u64> = own.into_iter().filter(|&number| number >= RECOGNIZED_MIN).collect();
        let mut pairs: Vec<(u64, u64)> = Vec::new();
        for &(one, other) in unequal {
            for &from in &own {
                let is_itself = from == one || from == other;
                // Compilers move what is added to a side, or combined by exclusive or, to the other one.
                if is_itself || one.max(other) > u64::from(u32::MAX) {
                    let shifted =
                        [from.wrapping_add(one).wrapping_sub(other), from.wrapping_add(other).wrapping_sub(one)];
                    pairs.extend([from ^ one ^ other].into_iter().chain(shifted).map(|to| (from, to)));
                }
            }
        }
        pairs.sort_unstable();
        pairs.dedup();
        let tries = pairs.into_iter().filter_map(|(from, to)| {
            let replaced = self.replaced(walks, &steps[start], from, to)?;
            let mut steps = steps.to_vec();
            steps[start] = replaced;
            Some(Input { steps, finishes: false })
        });
        tries.take(TRIES_OF_STEP).collect()
    }

    /// The numbers of all arguments that an input chooses.
    pub fn numbers(&self, walks: &Walks, input: &Input) -> BTreeSet<u64> {
        let mut all = BTreeSet::new();
        input.steps.iter().for_each(|step| self.numbers_of(walks, step, &mut all));
        for call in walks.engine.kernel.calls().iter().filter(|call| call.chosen.is_none()) {
            numbers(&arguments(&call.arg), &mut all);
        }
        all
    }
}

/// One in half of the cases, two in a quarter, and so on.
fn few(random: &mut Generator) -> u64 {
    1 + u64::from(random.draw().trailing_ones()).min(FEW_MAX - 1)
}

/// The same start with another of the listed arguments.
fn other_variant(walks: &mut Walks, input: &mut Input, at: usize, random: &mut Generator) -> Result<bool, Unsupported> {
    let before = walks.steps(&input.steps[..at])?;
    let step = &input.steps[at];
    let offers = walks.atlas.node(before.end).messages.clone();
    let names = offers.iter().filter(|offer| offer.is_root).map(|offer| walks.name(before.end, offer.position));
    let same: Vec<Step> = names.filter(|name| (&name.root, name.kind) == (&step.root, step.kind)).collect();
    let Some(other) = pick(&same, random) else { return Ok(false) };
    input.steps[at] = other.clone();
    Ok(true)
}

/// Another instance of a call does what this one does, beside it or after it.
fn duplicate(walks: &Walks, input: &mut Input, random: &mut Generator) {
    let calls = walks.engine.kernel.calls();
    let is_used = |call: usize| input.steps.iter().any(|step| step.root == Root::Call(call as u32));
    let used: Vec<usize> = (0..calls.len()).filter(|&call| is_used(call)).collect();
    let Some(&from) = pick(&used, random) else { return };
    let free: Vec<usize> =
        (0..calls.len()).filter(|&call| calls[call].entry == calls[from].entry && !is_used(call)).collect();
    let Some(&to) = pick(&free, random) else { return };
    let own = |step: &Step| step.root == Root::Call(from as u32);
    let last = input.steps.iter().rposition(own).unwrap_or(0);
    let beside = random.below(2) == 0;
    let (mut steps, mut copies) = (Vec::new(), Vec::new());
    for (at, step) in input.steps.drain(..).enumerate() {
        let copy = own(&step).then(|| Step { root: Root::Call(to as u32), ..step.clone() });
        steps.push(step);
        copies.extend(copy);
        if beside || at >= last {
            steps.append(&mut copies);
        }
    }
    input.steps = steps;
}

/// The input without what is not possible.
fn possible(walks: &mut Walks, input: Input) -> Result<Input, Unsupported> {
    let used = walks.steps(&input.steps)?.used;
    let steps = used.into_iter().map(|at| input.steps[at].clone()).collect();
    Ok(Input { steps, ..input })
}
