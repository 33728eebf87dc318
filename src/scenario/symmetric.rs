//! `symmetric` under `[explore]`: actors that the scenario promises to be interchangeable.
//!
//! In: their names. Out: their positions; or what in the file tells them apart. What the canisters do with them cannot be seen
//! from here.

use super::calls::CallEntry;
use super::cast::Cast;
use super::document::{Table, Text};
use super::error::ScenarioError;
use super::ghost::Ghost;
use super::invariant::Invariant;
use super::load::CALLS_MAX;
use super::names::Names;

/// What may tell actors apart.
pub(crate) struct Parts<'a> {
    pub(crate) calls: &'a [CallEntry],
    pub(crate) invariants: &'a [Invariant],
    pub(crate) ghosts: &'a [Ghost],
}

/// Reads `symmetric`; empty if the key is absent.
pub(crate) fn read(root: &Table<'_>, cast: &Cast, parts: &Parts<'_>) -> Result<Vec<usize>, ScenarioError> {
    let Some(explore) = root.table("explore")? else { return Ok(Vec::new()) };
    let Some(texts) = explore.texts("symmetric", CALLS_MAX as usize)? else { return Ok(Vec::new()) };
    if texts.len() < 2 {
        return Err(explore.error_at_key("symmetric", "`symmetric` lists at least two actors"));
    }
    let mut actors: Vec<usize> = Vec::new();
    for text in &texts {
        let actor = cast.names.actor(text.value).map_err(|problem| text.error(problem))?;
        if actors.contains(&actor) {
            return Err(text.error(format!("`{}` is listed twice; remove one", text.value)));
        }
        same_calls(text, actor, actors.first().copied(), &cast.names, parts.calls)?;
        is_not_named(root, text, cast, parts)?;
        actors.push(actor);
    }
    Ok(actors)
}

/// Each listed actor makes every call as often as the first one.
fn same_calls(
    text: &Text<'_>,
    actor: usize,
    first: Option<usize>,
    names: &Names,
    calls: &[CallEntry],
) -> Result<(), ScenarioError> {
    let Some(first) = first else { return Ok(()) };
    for call in calls {
        let made = |actor| call.by.iter().cycle().take(call.max as usize).filter(|by| **by == actor).count();
        if made(actor) != made(first) {
            let (name, other) = (&names.actors[actor].0, &names.actors[first].0);
            let (made, others) = (made(actor), made(first));
            let problem = format!(
                "`{}` is called {made} times by `{name}` and {others} times by `{other}`; symmetric actors make the same calls",
                call.id
            );
            return Err(text.error(problem));
        }
    }
    Ok(())
}

fn is_not_named(root: &Table<'_>, text: &Text<'_>, cast: &Cast, parts: &Parts<'_>) -> Result<(), ScenarioError> {
    let name = text.value;
    if let Some(invariant) =
        parts.invariants.iter().find(|invariant| invariant.expr().is_some_and(|expr| expr.names_actor(name)))
    {
        let what = format!("the invariant in line {}", invariant.line);
        return Err(text.error(format!("`{name}` is named in {what}, so it is not interchangeable with the others")));
    }
    if let Some(ghost) = parts.ghosts.iter().find(|ghost| ghost.names_actor(name)) {
        let what = format!("`[ghost.{}]`", ghost.name);
        return Err(text.error(format!("`{name}` is named in {what}, so it is not interchangeable with the others")));
    }
    let id = cast.names.principal(name).map_err(|problem| text.error(problem))?;
    if let Some(canister) = cast.canisters.iter().find(|canister| canister.controllers.contains(&id)) {
        let what = format!("`{name}` is a controller of `{}`", canister.name);
        return Err(text.error(format!("{what}, so it is not interchangeable with the others")));
    }
    match root.source.text.find(&format!("${{{name}}}")) {
        Some(place) => {
            let problem = format!("`{name}` is listed as `symmetric` and cannot be named in Candid text");
            Err(root.source.error(place, problem))
        }
        None => Ok(()),
    }
}
