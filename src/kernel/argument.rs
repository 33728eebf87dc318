//! Arguments that are chosen when a call starts.
//!
//! In: a source of variants, which the engine gives for calls of the plan, and the answers that it reads. Out: each variant
//! with its interned message. What the values mean, and the Candid of captured ones, is decided by the source; here they
//! are names and bytes. Variants are a function of the answers, so they are asked for once for each set of these.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use crate::schedule::{Step, StepKind, Values};

use super::guest::Response;
use super::world::World;
use super::{Choice, Kernel, Message, Plan, Refusal, Target, Unsupported};

/// One argument that a call may start with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variant {
    /// What tells it apart, as the step's name says it; none if the call has one argument only.
    pub values: Values,
    /// Candid argument.
    pub arg: Arc<[u8]>,
}

/// Where variants come from.
pub trait Arguments: fmt::Debug + Send + Sync {
    /// The variants, no two with the same argument or the same values. `answers` are call instances that the call reads and
    /// that are answered, with their answers.
    ///
    /// # Errors
    /// Why an answer cannot be made into an argument.
    fn variants(&self, answers: &[(usize, &Response)]) -> Result<Vec<Variant>, String>;

    /// The variant with these values, which may be one that is not tried; `None` if there can be none.
    fn variant(&self, values: &Values, answers: &[(usize, &Response)]) -> Option<Variant>;
}

/// How the argument of a call is chosen.
#[derive(Clone, Debug)]
pub struct Chosen {
    /// Where variants come from; interchangeable calls share it.
    pub source: Arc<dyn Arguments>,
    /// Call instances whose answers it reads.
    pub reads: Vec<usize>,
}

impl Chosen {
    /// Whether two calls choose from the same, always.
    pub(super) fn is_same(one: &Option<Chosen>, other: &Option<Chosen>) -> bool {
        match (one, other) {
            (None, None) => true,
            (Some(one), Some(other)) => Arc::ptr_eq(&one.source, &other.source) && one.reads == other.reads,
            _ => false,
        }
    }
}

/// Variants with their interned messages.
pub type Variants = Arc<[(Variant, u32)]>;

/// Call instances and their interned answers.
type Answers = Vec<(usize, u32)>;

/// Variants that were asked for, by the first call with this source and by answers.
#[derive(Default)]
pub(super) struct Known {
    all: Mutex<HashMap<(usize, Answers), Variants>>,
    /// Single ones that are in no list of all.
    single: Mutex<HashMap<(usize, Answers), Single>>,
}

/// Variants beyond those that are tried.
#[derive(Default)]
struct Single {
    messages: HashMap<Values, Option<u32>>,
    values: HashMap<u32, Values>,
}

/// For each call of a plan, the first one that chooses from the same.
pub(super) fn sources(plan: &Plan) -> Vec<usize> {
    let first = |at: usize| {
        let same = |other: &usize| Chosen::is_same(&plan.calls[*other].chosen, &plan.calls[at].chosen);
        (0..at).find(same).unwrap_or(at)
    };
    (0..plan.calls.len()).map(first).collect()
}

impl Kernel {
    /// All arguments that a call may start with in a world, with the interned messages: one for a call whose argument is
    /// fixed, none for one that waits for a captured value.
    ///
    /// # Errors
    /// If an answer cannot be made into an argument.
    pub fn variants(&self, world: &World, call: usize) -> Result<Variants, Unsupported> {
        self.variants_after(call, self.answers_read(world, call))
    }

    /// The answers that a call reads, as far as there are any.
    fn answers_read(&self, world: &World, call: usize) -> Answers {
        let reads = self.plan.calls[call].chosen.iter().flat_map(|chosen| &chosen.reads);
        reads.filter_map(|&read| Some((read, self.answer(world.trees[read])?))).collect()
    }

    pub(super) fn variants_after(&self, call: usize, answers: Answers) -> Result<Variants, Unsupported> {
        let spec = &self.plan.calls[call];
        let Some(chosen) = &spec.chosen else {
            let variant = Variant { values: Values::default(), arg: spec.arg.as_slice().into() };
            return Ok(Arc::from([(variant, self.call_messages[call])]));
        };
        let key = (self.sources[call], answers);
        let mut known = self.variants.all.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(variants) = known.get(&key) {
            return Ok(variants.clone());
        }
        let responses: Vec<(usize, &Response)> = key.1.iter().map(|&(at, id)| (at, self.response(id))).collect();
        let unsupported = |what| Unsupported { canister: self.id(spec.canister), what, is_contradiction: false };
        let variants = chosen.source.variants(&responses).map_err(unsupported)?.into_iter();
        let variants: Variants = variants
            .map(|variant| {
                let message = self.tables.intern_call(&spec.method, &variant.arg);
                (variant, message)
            })
            .collect();
        known.insert(key, variants.clone());
        Ok(variants)
    }

    /// All arguments that a call may start with in any world; `None` if it takes values from answers.
    ///
    /// # Errors
    /// As [`Kernel::variants`].
    pub fn variants_anywhere(&self, call: usize) -> Result<Option<Variants>, Unsupported> {
        let reads = self.plan.calls[call].chosen.as_ref().is_some_and(|chosen| !chosen.reads.is_empty());
        if reads { Ok(None) } else { self.variants_after(call, Answers::new()).map(Some) }
    }

    /// The interned message of a call that has begun with this tree, or that has one argument only.
    pub fn call_message(&self, call: usize, tree: u32) -> Option<u32> {
        match &self.plan.calls[call].chosen {
            None => Some(self.call_messages[call]),
            Some(_) => self.tree(tree).chosen,
        }
    }

    /// Argument of a call with this message ([`Kernel::call_message`]), unless it is still to be chosen.
    pub fn argument(&self, message: Option<u32>) -> Option<Arc<[u8]>> {
        match self.tables.messages.value(message?) {
            Message::Call { arg, .. } => Some(self.tables.blobs.value(*arg).clone()),
            _ => unreachable!("bug in canloom: a call's message is a call"),
        }
    }

    /// The values that a choice of a call's argument stands for.
    pub(super) fn values(&self, world: &World, choice: &Choice) -> Values {
        let (Target::Root(call), Some(message)) = (choice.target, choice.message) else { return Values::default() };
        let variants = self.variants(world, call as usize).ok();
        let found = variants.iter().flat_map(|variants| variants.iter()).find(|(_, other)| *other == message);
        match found {
            Some((variant, _)) => variant.values.clone(),
            None => {
                let key = (self.sources[call as usize], self.answers_read(world, call as usize));
                let single = self.variants.single.lock().unwrap_or_else(PoisonError::into_inner);
                single.get(&key).and_then(|single| single.values.get(&message).cloned()).unwrap_or_default()
            }
        }
    }

    /// Whether a call has begun with an argument that is not among those that are tried.
    pub fn is_untried(&self, call: usize, tree: u32) -> bool {
        if self.plan.calls[call].chosen.is_none() {
            return false;
        }
        let single = self.variants.single.lock().unwrap_or_else(PoisonError::into_inner);
        let mut of_call = single.iter().filter(|((source, _), _)| *source == self.sources[call]);
        let message = self.call_message(call, tree);
        of_call.any(|(_, single)| message.is_some_and(|message| single.values.contains_key(&message)))
    }

    /// The message of a variant that is not in the list, if there can be one with these values.
    fn single(&self, world: &World, call: usize, values: &Values, listed: &Variants) -> Option<u32> {
        let chosen = self.plan.calls[call].chosen.as_ref()?;
        let key = (self.sources[call], self.answers_read(world, call));
        let mut single = self.variants.single.lock().unwrap_or_else(PoisonError::into_inner);
        let single = single.entry(key.clone()).or_default();
        if let Some(message) = single.messages.get(values) {
            return *message;
        }
        let responses: Vec<(usize, &Response)> = key.1.iter().map(|&(at, id)| (at, self.response(id))).collect();
        let variant = chosen.source.variant(values, &responses);
        let message = variant.map(|variant| self.tables.intern_call(&self.plan.calls[call].method, &variant.arg));
        // One argument has one name, that of the list if it is there.
        let message = message.filter(|message| listed.iter().all(|(_, other)| other != message));
        let message =
            message.filter(|message| single.values.entry(*message).or_insert_with(|| values.clone()) == values);
        single.messages.insert(values.clone(), message);
        message
    }

    /// The message that the values of a step choose for a call that may begin; `None` if its argument is fixed or chosen.
    pub(super) fn message_of(&self, world: &World, call: usize, step: &Step) -> Result<Option<u32>, Refusal> {
        if self.plan.calls[call].chosen.is_none() || self.tree(world.trees[call]).submitted {
            return match step.values.is_empty() {
                true => Ok(None),
                false => Err(Refusal::Missing(format!(
                    "{step}: call {call} has nothing to choose here, it starts as {call}"
                ))),
            };
        }
        let variants = self.variants(world, call).map_err(|error| Refusal::Missing(error.to_string()))?;
        if variants.is_empty() {
            return Err(Refusal::Bound(format!("{step}: call {call} needs a captured value, and there is none yet")));
        }
        if let Some((_, message)) = variants.iter().find(|(variant, _)| variant.values == step.values) {
            return Ok(Some(*message));
        }
        if let Some(message) = self.single(world, call, &step.values, &variants) {
            return Ok(Some(message));
        }
        let name = |values: &Values| Step { values: values.clone(), ..step.clone() }.to_string();
        let mut names: Vec<String> =
            variants.iter().map(|(variant, _)| name(&variant.values)).take(NAMED_MAX).collect();
        if variants.len() > NAMED_MAX {
            names.push("...".to_string());
        }
        let why =
            if step.values.is_empty() { "starts with a value" } else { "has no such value, or not in this world" };
        Err(Refusal::Missing(format!("{step}: call {call} {why}; possible: {}", names.join(" "))))
    }

    /// Adds the start of a call, or what is asked before it, for each argument that it may have.
    pub(super) fn begin_choices(
        &self,
        world: &World,
        call: usize,
        multiplicity: u32,
        out: &mut Vec<Choice>,
    ) -> Result<(), Unsupported> {
        let kind = if self.must_submit(world, call) { StepKind::Submit } else { StepKind::Start };
        let choice = Choice { multiplicity, ..Choice::new(Target::Root(call as u32), kind) };
        if self.plan.calls[call].chosen.is_none() || self.tree(world.trees[call]).submitted {
            out.push(choice);
            return Ok(());
        }
        let variants = self.variants(world, call)?;
        out.extend(variants.iter().map(|&(_, message)| Choice { message: Some(message), ..choice }));
        Ok(())
    }
}

/// Most variants that a refusal names.
const NAMED_MAX: usize = 8;
