//! A schedule, followed as far as it goes.
//!
//! In: steps that were made elsewhere: in another order, on another module, or by nobody yet. Out: those that were possible, with
//! what each did, and which invariants were violated on the way. A step that is not possible yet waits until it is; one that
//! never becomes possible is left out. A replay ([`super::replay`]) refuses such a step instead.

use crate::engine::embedded::Embedded;
use crate::invariant::Before;
use crate::kernel::{Choice, Happened, Target, Unsupported, World};
use crate::oracle;
use crate::schedule::{Root, Step, StepKind, Task};

/// Most deliveries that settling makes: canisters may send to each other without end.
const SETTLED_MAX: usize = 1_000;

/// What is to be made.
#[derive(Clone, Debug)]
pub(crate) enum Item {
    /// This step, once it is possible.
    Step(Step),
    /// Whatever is in flight of the chain of messages that begins here, first in first out; `None`: of all of them.
    Settle(Option<Root>),
}

/// A step that was made.
#[derive(Clone, Debug)]
pub(crate) struct Made {
    pub step: Step,
    pub choice: Choice,
    /// The world that it was made in.
    pub before: World,
    pub happened: Happened,
}

/// What was made.
#[derive(Clone, Debug)]
pub(crate) struct Play {
    pub made: Vec<Made>,
    /// The world after that.
    pub last: World,
    /// Violated invariants, by position: after how many steps each was violated first, and why it could not be evaluated or
    /// what an oracle says.
    pub met: Vec<(usize, usize, Option<String>)>,
}

impl Play {
    /// The steps.
    pub fn steps(&self) -> Vec<Step> {
        self.made.iter().map(|made| made.step.clone()).collect()
    }

    /// Whether a step comes after another one in every order.
    pub fn follows(&self, at: usize, earlier: usize) -> bool {
        let (step, earlier) = (&self.made[at].step, &self.made[earlier].step);
        step.root == earlier.root && step.path.follows(&earlier.path)
    }

    /// Whether an invariant was violated.
    pub fn violates(&self, invariant: usize) -> bool {
        self.met.iter().any(|(at, ..)| *at == invariant)
    }
}

/// Makes what is possible of these, in this order, until an invariant is violated, if one is named. `judged`: the only one that
/// is looked at, if not all are.
///
/// # Errors
/// If a canister asks for something that the engine does not offer.
pub(crate) fn play(
    engine: &mut Embedded,
    items: &[Item],
    until: Option<usize>,
    judged: Option<usize>,
) -> Result<Play, Unsupported> {
    let mut play = Play { made: Vec::with_capacity(items.len()), last: engine.start().clone(), met: Vec::new() };
    judge(engine, &mut play, judged)?;
    let is_over = |play: &Play| until.is_some_and(|invariant| play.violates(invariant));
    let mut waiting: Vec<&Item> = items.iter().collect();
    let mut at = 0;
    while at < waiting.len() && !is_over(&play) {
        match waiting[at] {
            Item::Settle(root) => {
                waiting.remove(at);
                settle(engine, &mut play, root.as_ref(), until, judged)?;
                at = 0;
            }
            Item::Step(step) => match engine.kernel.find(&play.last, step) {
                Ok(choice) => {
                    waiting.remove(at);
                    make(engine, &mut play, step.clone(), choice, judged)?;
                    // What waited may be possible now.
                    at = 0;
                }
                Err(_) => at += 1,
            },
        }
    }
    Ok(play)
}

/// Steps as items.
pub(crate) fn items(steps: &[Step]) -> Vec<Item> {
    steps.iter().cloned().map(Item::Step).collect()
}

/// Roots of steps, each once, in the order in which they come.
pub(crate) fn roots<'a>(steps: impl Iterator<Item = &'a Step>) -> Vec<Root> {
    let mut roots: Vec<Root> = Vec::new();
    for step in steps {
        if !roots.contains(&step.root) {
            roots.push(step.root.clone());
        }
    }
    roots
}

/// Delivers what is in flight, the oldest first.
fn settle(
    engine: &mut Embedded,
    play: &mut Play,
    root: Option<&Root>,
    until: Option<usize>,
    judged: Option<usize>,
) -> Result<(), Unsupported> {
    let mut seen: Vec<Step> = Vec::new();
    let mut choices = Vec::new();
    for _ in 0..SETTLED_MAX {
        if until.is_some_and(|invariant| play.violates(invariant)) {
            break;
        }
        engine.kernel.choices(&play.last, &mut choices)?;
        let wanted = choices.iter().filter(|choice| is_due(engine, &play.last, choice));
        let now: Vec<(Step, Choice)> = wanted.map(|choice| (engine.kernel.name(&play.last, choice), *choice)).collect();
        let now: Vec<(Step, Choice)> =
            now.into_iter().filter(|(step, _)| root.is_none_or(|root| step.root == *root)).collect();
        seen.retain(|step| now.iter().any(|(other, _)| other == step));
        for (step, _) in &now {
            if !seen.contains(step) {
                seen.push(step.clone());
            }
        }
        let Some(first) = seen.first() else { break };
        let (step, choice) = now.into_iter().find(|(step, _)| step == first).expect("bug in canloom: just found");
        make(engine, play, step, choice, judged)?;
    }
    Ok(())
}

/// Whether a step is one that has to happen: a message is delivered, a timer that is due runs, an administrator finishes.
fn is_due(engine: &Embedded, world: &World, choice: &Choice) -> bool {
    if choice.fault.is_some() {
        return false;
    }
    match (choice.target, choice.kind) {
        (Target::Request { .. }, StepKind::Request | StepKind::Response) => true,
        // A submitted call has begun; another one is nobody's duty.
        (Target::Root(tree), StepKind::Start) => match engine.kernel.task(tree) {
            // A heartbeat may come and need not.
            Some(task) => task.task != Task::Heartbeat && engine.kernel.is_due(world, task.canister, task.task),
            None => engine.kernel.tree(world.trees[tree as usize]).submitted,
        },
        (Target::Canister { .. }, _) => true,
        _ => false,
    }
}

fn make(
    engine: &mut Embedded,
    play: &mut Play,
    step: Step,
    choice: Choice,
    judged: Option<usize>,
) -> Result<(), Unsupported> {
    let (next, happened) = engine.kernel.apply(&play.last, &choice)?;
    let before = std::mem::replace(&mut play.last, next);
    play.made.push(Made { step, choice, before, happened });
    let made = play.made.len();
    let before = play.made[made - 1].before.clone();
    if let Some(seen) = Before::of(engine, &before)? {
        for broken in seen.broken(engine, &play.last)? {
            if judged.is_none_or(|only| only == broken.invariant) && !play.violates(broken.invariant) {
                play.met.push((broken.invariant, made, broken.error));
            }
        }
    }
    judge(engine, play, judged)
}

fn judge(engine: &mut Embedded, play: &mut Play, judged: Option<usize>) -> Result<(), Unsupported> {
    for (invariant, error) in oracle::violated_in(engine, &play.last, judged)? {
        if !play.violates(invariant) {
            play.met.push((invariant, play.made.len(), error));
        }
    }
    Ok(())
}
