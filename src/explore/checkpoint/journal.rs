//! Visits of worlds as bytes, and back.
//!
//! In: for each visited world what was seen there and where its steps lead. A world that is new is written once; one that
//! is known, by its number. Texts of outcomes are written once each, too.

use std::collections::HashMap;

use crate::engine::embedded::Embedded;
use crate::kernel::World;
use crate::kernel::save::{Part, Reader};

use super::super::coverage::News;
use super::super::look::Look;

/// Visits that are not saved yet.
#[derive(Debug, Default)]
pub struct Journal {
    visits: u32,
    part: Part,
    /// Texts of outcomes, by number, those that were saved included.
    texts: Vec<String>,
    numbers: HashMap<String, u32>,
}

/// A visit that was read back.
#[derive(Debug)]
pub struct Replay {
    /// What was seen.
    pub look: Look,
    /// What its steps add to the interleaving coverage.
    pub news: Vec<News>,
    /// Where its choices lead.
    pub steps: Vec<Step>,
    /// Steps that executed a message.
    pub deliveries: u64,
}

/// Where a choice leads.
#[derive(Debug)]
pub struct Step {
    /// To a world of this number, or to a new one.
    pub to: Target,
    /// How many equal steps it stands for.
    pub multiplicity: u32,
}

/// A world that a step leads to.
#[derive(Debug)]
pub enum Target {
    /// One that was found before.
    Known(u32),
    /// One that was not.
    New(Box<World>),
}

impl Journal {
    /// Whether nothing was noted since the last save.
    pub fn is_empty(&self) -> bool {
        self.visits == 0
    }

    /// Begins a visit: what was seen, what its steps show, and how many follow, each by [`Journal::note_known`] or [`Journal::note_new`].
    pub fn note(&mut self, look: &mut Look, news: &[News], deliveries: u64, steps: usize) {
        self.visits += 1;
        let text = look.outcome.take();
        self.part.put(&(&*look, news, deliveries, steps as u32));
        let next = self.numbers.len() as u32;
        match &text {
            None => self.part.put(&0u32),
            Some(text) => match self.numbers.get(text) {
                Some(number) => self.part.put(&(number + 1)),
                None => {
                    self.part.put(&(next + 1));
                    self.part.put(text);
                    self.numbers.insert(text.clone(), next);
                }
            },
        }
        look.outcome = text;
    }

    /// Notes a step to a world that was found before.
    pub fn note_known(&mut self, to: u32, multiplicity: u32) {
        self.part.put(&(u64::from(to) + 1, multiplicity));
    }

    /// Notes a step to a world that is new.
    pub fn note_new(&mut self, world: &World, multiplicity: u32) {
        self.part.put(&(0u64, multiplicity, world));
    }

    /// Moves all that was noted to a record.
    pub fn save(&mut self, out: &mut Part) {
        out.put(&self.visits);
        out.put_array(self.part.as_bytes());
        self.part.clear();
        self.visits = 0;
    }

    /// Reads what [`Journal::save`] wrote and passes the visits on in their order.
    ///
    /// # Errors
    /// What is wrong with the bytes, or what `add` says.
    pub fn load(
        &mut self,
        engine: &Embedded,
        part: &mut Reader<'_>,
        add: &mut dyn FnMut(&Embedded, Replay) -> Result<(), String>,
    ) -> Result<(), String> {
        let visits: u32 = part.take()?;
        for _ in 0..visits {
            let visit = self.take(engine, part)?;
            add(engine, visit)?;
        }
        Ok(())
    }

    fn take(&mut self, engine: &Embedded, part: &mut Reader<'_>) -> Result<Replay, String> {
        let (mut look, news, deliveries, count): (Look, Vec<News>, u64, u32) = part.take()?;
        look.outcome = self.take_text(part)?;
        let (invariants, canisters) = (engine.scenario.invariants.len(), engine.start().canisters.len());
        let fits = look.violated.iter().map(|(at, _)| at).chain(&look.seen).all(|&at| at < invariants)
            && look.broken.iter().all(|step| step.invariant < invariants)
            && look.timers.iter().all(|&(at, _)| usize::from(at) < canisters)
            && news.iter().all(|news| news.fits(engine));
        if !fits {
            return Err("a visit saw what there is not".to_string());
        }
        let mut steps = Vec::new();
        for _ in 0..count {
            let (to, multiplicity): (u64, u32) = part.take()?;
            let to = match to.checked_sub(1) {
                Some(at) => Target::Known(u32::try_from(at).map_err(|_| "a world has no number".to_string())?),
                None => {
                    let world: World = part.take()?;
                    engine.kernel.check_world(&world, engine.start())?;
                    Target::New(Box::new(world))
                }
            };
            steps.push(Step { to, multiplicity });
        }
        Ok(Replay { look, news, steps, deliveries })
    }

    fn take_text(&mut self, part: &mut Reader<'_>) -> Result<Option<String>, String> {
        let Some(number) = part.take::<u32>()?.checked_sub(1) else { return Ok(None) };
        let known = self.numbers.len() as u32;
        if number == known {
            let text: String = part.take()?;
            if self.numbers.insert(text.clone(), number).is_some() {
                return Err("an outcome has two numbers".to_string());
            }
            self.texts.push(text.clone());
            return Ok(Some(text));
        }
        let text = self.texts.get(number as usize).ok_or("an outcome has no text")?;
        Ok(Some(text.clone()))
    }
}
