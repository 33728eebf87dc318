//! First inputs for a corpus: to each pair of a method and an await point that was open, the shortest way.
//!
//! In: an installed scenario. Out: inputs, so that between them each pair that is seen within a number of worlds is seen. Goes
//! breadth first, so the way to a pair has the fewest steps.

use std::collections::{HashMap, HashSet, VecDeque};

use super::input::Input;
use crate::engine::embedded::Embedded;
use crate::explore::coverage;
use crate::kernel::{Unsupported, World};
use crate::schedule::Step;

/// Ways to the pairs of a scenario, within so many worlds.
///
/// # Errors
/// If a canister asks for something that the engine does not offer.
pub fn seeds(engine: &mut Embedded, worlds: usize) -> Result<Vec<Input>, Unsupported> {
    let start = engine.start().clone();
    // The step that led to a world, and the world before it.
    let mut led: HashMap<World, (World, Step)> = HashMap::new();
    let mut waiting = VecDeque::from([start.clone()]);
    let (mut pairs, mut seeds) = (HashSet::new(), Vec::new());
    let mut choices = Vec::new();
    while let Some(world) = waiting.pop_front() {
        engine.kernel.choices(&world, &mut choices)?;
        for choice in choices.clone() {
            let step = engine.kernel.name(&world, &choice);
            let of_step = coverage::pairs(&engine.kernel, &world, &choice);
            if of_step.into_iter().filter(|pair| pairs.insert(*pair)).count() > 0 {
                let steps = way(&led, &world, step.clone());
                seeds.push(Input { steps, finishes: false });
            }
            let (next, _) = engine.kernel.apply(&world, &choice)?;
            if led.len() < worlds && next != start && !led.contains_key(&next) {
                waiting.push_back(next.clone());
                led.insert(next, (world.clone(), step));
            }
        }
    }
    Ok(seeds)
}

/// The steps to a world, and this one.
fn way(led: &HashMap<World, (World, Step)>, world: &World, last: Step) -> Vec<Step> {
    let mut steps = vec![last];
    let mut at = world;
    while let Some((before, step)) = led.get(at) {
        steps.push(step.clone());
        at = before;
    }
    steps.reverse();
    steps
}
