//! Arguments that calls choose at their start: what the scenario generates, and what replies have given.
//!
//! In: templates of the scenario, values that the setup captured, and the answers of call instances. Out: variants, as the
//! kernel asks for them. Who may use what: a value of the setup, everybody; a value of calls, whoever makes one of those
//! calls their own values only, and all others everybody's.

use std::sync::Arc;

use candid::types::value::IDLValue;

use super::EmbeddedError;
use crate::kernel::{Arguments, Chosen, Response, Variant};
use crate::scenario::{Capture, Captured, Filling, Instance, Names, Opener, Scenario, Template, first_value};
use crate::schedule::Values;

/// What the setup has given.
#[derive(Debug, Default)]
pub(super) struct Given {
    /// Values by the names they were captured under.
    pub(super) captured: Captured,
    /// First values of all replies.
    pub(super) replies: Vec<IDLValue>,
}

impl Given {
    /// Takes what a setup call has replied.
    pub(super) fn take(&mut self, captures: &[Capture], reply: &[u8], names: &Names) {
        for capture in captures {
            let values = self.captured.entry(capture.name.clone()).or_default();
            values.extend(capture.of(reply, names));
            *values = Filling::sorted(std::mem::take(values));
        }
        self.replies.extend(first_value(reply));
    }

    /// The argument of a setup call or an observation: fixed, or made of values that the setup has given.
    pub(super) fn argument_of(
        &self,
        scenario: &Scenario,
        template: &Option<Template>,
        fixed: &[u8],
    ) -> Result<Vec<u8>, EmbeddedError> {
        match template {
            None => Ok(fixed.to_vec()),
            Some(template) => self.argument(scenario, template).map_err(EmbeddedError::Scenario),
        }
    }

    fn argument(&self, scenario: &Scenario, template: &Template) -> Result<Vec<u8>, String> {
        let missing = template.captured().iter().find(|name| self.captured.get(*name).is_none_or(Vec::is_empty));
        if let Some(name) = missing {
            return Err(at(scenario, template, &format!("`{name}` was not captured: no reply of the setup has it")));
        }
        let variants = template.variants(&self.captured).map_err(|problem| at(scenario, template, &problem))?;
        let one = variants.into_iter().next();
        Ok(one.expect("bug in canloom: each captured value is there").1)
    }
}

/// A problem with its place in the scenario.
fn at(scenario: &Scenario, template: &Template, problem: &str) -> String {
    let (line, column) = template.place;
    format!("{}:{line}:{column}: {problem}", scenario.file.display())
}

/// The scenario with the values of its generators, now that the setup has run.
pub(super) fn settled(scenario: &Scenario, given: &Given) -> Result<Scenario, String> {
    let mut scenario = scenario.clone();
    let mut calls = std::mem::take(&mut scenario.calls);
    for call in &mut calls {
        if let Some(template) = &mut call.template {
            let settled = template.settled(u64::from(scenario.seed), &given.replies);
            *template = settled.map_err(|problem| at(&scenario, template, &problem))?;
        }
    }
    scenario.calls = calls;
    Ok(scenario)
}

/// How each call instance chooses its argument, if it does; instances of one entry by one actor share their source.
pub(super) fn chosen(scenario: &Scenario, given: &Given) -> Result<Vec<Option<Chosen>>, String> {
    let instances = scenario.instances();
    let mut shared: Vec<(Instance, Option<Chosen>)> = Vec::new();
    let mut all = Vec::with_capacity(instances.len());
    for instance in &instances {
        let known = shared.iter().find(|(other, _)| other == instance);
        let chosen = match known {
            Some((_, chosen)) => chosen.clone(),
            None => {
                let chosen = source(scenario, given, &instances, *instance)?;
                shared.push((*instance, chosen.clone()));
                chosen
            }
        };
        all.push(chosen);
    }
    Ok(all)
}

fn source(
    scenario: &Scenario,
    given: &Given,
    instances: &[Instance],
    instance: Instance,
) -> Result<Option<Chosen>, String> {
    let Some(template) = &scenario.calls[instance.entry].template else { return Ok(None) };
    let mut reads = Vec::new();
    let mut captures = Vec::new();
    for name in template.captured() {
        let of = |entry: usize| scenario.calls[entry].captures.iter().find(|capture| capture.name == *name);
        let from = |same_actor: bool| -> Vec<(usize, Capture)> {
            let all = instances.iter().enumerate().filter(|(_, other)| !same_actor || other.actor == instance.actor);
            all.filter_map(|(at, other)| Some((at, of(other.entry)?.clone()))).collect()
        };
        let own = Some(from(true)).filter(|own| !own.is_empty()).unwrap_or_else(|| from(false));
        if own.is_empty() && given.captured.get(name).is_none_or(Vec::is_empty) {
            return Err(at(scenario, template, &format!("`{name}` was not captured: no reply of the setup has it")));
        }
        reads.extend(own.iter().map(|(at, _)| *at));
        captures.extend(own);
    }
    reads.sort_unstable();
    reads.dedup();
    let setup = given.captured.clone();
    let source = Source {
        names: scenario.names(),
        template: template.clone(),
        setup,
        captures,
        place: at(scenario, template, ""),
    };
    if template.captured().iter().all(|name| given.captured.contains_key(name)) {
        // What is wrong with the values that are known is said before anything is explored.
        source.variants(&[])?;
    }
    Ok(Some(Chosen { source: Arc::new(source), reads }))
}

/// The arguments of one call.
#[derive(Debug)]
struct Source {
    names: Names,
    template: Template,
    setup: Captured,
    /// Call instances, and what their replies give.
    captures: Vec<(usize, Capture)>,
    /// Where the template stands, as messages begin.
    place: String,
}

impl Source {
    /// What each captured name stands for.
    fn captured(&self, answers: &[(usize, &Response)]) -> Captured {
        let mut captured = Captured::new();
        for name in self.template.captured() {
            let mut values = self.setup.get(name).cloned().unwrap_or_default();
            for (instance, capture) in self.captures.iter().filter(|(_, capture)| capture.name == *name) {
                let answer = answers.iter().find(|(answered, _)| answered == instance);
                if let Some((_, Response::Reply(reply))) = answer {
                    values.extend(capture.of(reply, &self.names));
                }
            }
            captured.insert(name.clone(), Filling::sorted(values));
        }
        captured
    }
}

impl Arguments for Source {
    fn variants(&self, answers: &[(usize, &Response)]) -> Result<Vec<Variant>, String> {
        let captured = self.captured(answers);
        let variants = self.template.variants(&captured).map_err(|problem| format!("{}{problem}", self.place))?;
        Ok(variants.into_iter().map(|(values, arg)| Variant { values: Values::new(values), arg: arg.into() }).collect())
    }

    fn variant(&self, values: &Values, answers: &[(usize, &Response)]) -> Option<Variant> {
        let labels: Vec<(&str, &str)> = values.iter().collect();
        let (values, arg) = Opener::new(&self.template).make(&labels, &self.captured(answers))?;
        Some(Variant { values: Values::new(values), arg: arg.into() })
    }
}
