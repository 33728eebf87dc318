//! What is tried on a schedule: to take parts away, to bring chains of messages together, to make values simpler.
//!
//! In: the simplest schedule so far. Out: the same, after each of these was tried and nothing more was accepted.

use super::{Shrinker, values};
use crate::counterexample::awaits::instead;
use crate::counterexample::play::roots;
use crate::kernel::Unsupported;
use crate::scenario::Opener;
use crate::schedule::{Root, Step, Values};

/// Steps up to which each one is moved to every place: the effort grows with the cube.
const MOVED_MAX: usize = 64;
/// Most values of a call's own that are tried.
const VARIANTS_MAX: usize = 64;

impl Shrinker<'_> {
    /// The roots of the simplest schedule so far.
    fn roots(&self) -> Vec<Root> {
        roots(self.best.play.made.iter().map(|made| &made.step))
    }

    /// Tries everything until nothing helps any more.
    pub(super) fn take_away_and_move(&mut self) -> Result<(), Unsupported> {
        loop {
            let before = self.best.size.clone();
            self.without_roots()?;
            self.without_faults()?;
            self.without_steps()?;
            self.with_other_calls()?;
            self.together()?;
            self.moved()?;
            self.with_simpler_values()?;
            if self.is_cut || self.best.size == before {
                return Ok(());
            }
        }
    }

    /// Takes away whole calls, tasks and time steps: many at once, then fewer.
    fn without_roots(&mut self) -> Result<(), Unsupported> {
        let mut size = self.roots().len() / 2;
        while size > 0 {
            let mut at = 0;
            loop {
                let steps = self.steps();
                let roots = roots(steps.iter());
                if at >= roots.len() {
                    break;
                }
                let gone = &roots[at..roots.len().min(at + size)];
                let rest: Vec<Step> = steps.iter().filter(|step| !gone.contains(&step.root)).cloned().collect();
                if !self.accept(&rest)? {
                    at += size;
                }
            }
            size /= 2;
        }
        Ok(())
    }

    /// Makes the delivery in place of a fault.
    fn without_faults(&mut self) -> Result<(), Unsupported> {
        let mut at = 0;
        while at < self.best.play.made.len() {
            let mut steps = self.steps();
            let taken = match instead(&steps[at]) {
                Some(step) => {
                    steps[at] = step;
                    self.accept(&steps)?
                }
                None => false,
            };
            at += usize::from(!taken);
        }
        Ok(())
    }

    /// Takes away steps: many in a row at once, then fewer.
    fn without_steps(&mut self) -> Result<(), Unsupported> {
        let mut size = self.best.play.made.len() / 2;
        while size > 0 {
            let mut at = 0;
            while at < self.best.play.made.len() {
                let mut steps = self.steps();
                steps.drain(at..steps.len().min(at + size));
                if !self.accept(&steps)? {
                    at += size;
                }
            }
            size /= 2;
        }
        Ok(())
    }

    /// Starts another call of the same method, or the same one with a lower number.
    fn with_other_calls(&mut self) -> Result<(), Unsupported> {
        let calls = self.engine.kernel.calls().to_vec();
        let used = self.roots();
        for root in &used {
            let Some(call) = root.call() else { continue };
            for (other, spec) in calls.iter().enumerate().take(call as usize) {
                let is_same =
                    spec.method == calls[call as usize].method && spec.canister == calls[call as usize].canister;
                let other = Root::Call(other as u32);
                if !is_same || self.roots().contains(&other) {
                    continue;
                }
                let mut steps = self.steps();
                for step in steps.iter_mut().filter(|step| step.root == *root) {
                    step.root = other.clone();
                }
                if self.accept(&steps)? {
                    break;
                }
            }
        }
        Ok(())
    }

    /// Brings the steps of each chain of messages together.
    fn together(&mut self) -> Result<(), Unsupported> {
        for root in self.roots() {
            for is_early in [true, false] {
                let steps = self.steps();
                let (own, others): (Vec<Step>, Vec<Step>) = steps.iter().cloned().partition(|step| step.root == root);
                let first = steps.iter().position(|step| step.root == root).unwrap_or(0);
                let last = steps.iter().rposition(|step| step.root == root).unwrap_or(0);
                let place = if is_early { first } else { (last + 1).saturating_sub(own.len()) };
                let mut together = others;
                together.splice(place..place, own);
                self.accept(&together)?;
            }
        }
        Ok(())
    }

    /// Moves single steps.
    fn moved(&mut self) -> Result<(), Unsupported> {
        let mut from = 0;
        'next: while from < self.best.play.made.len() {
            let steps = self.steps();
            let reach = if steps.len() <= MOVED_MAX { steps.len() } else { 2 };
            for to in from.saturating_sub(reach)..steps.len().min(from + reach) {
                let mut moved = steps.clone();
                let step = moved.remove(from);
                moved.insert(to.min(moved.len()), step);
                if moved != steps && self.accept(&moved)? {
                    continue 'next;
                }
            }
            from += 1;
        }
        Ok(())
    }

    /// Makes the values that calls start with simpler.
    fn with_simpler_values(&mut self) -> Result<(), Unsupported> {
        let scenario = self.engine.scenario.clone();
        let mut at = 0;
        'next: while at < self.best.play.made.len() {
            let made = &self.best.play.made[at];
            let (step, before) = (made.step.clone(), made.before.clone());
            let Some(call) = step.root.call().map(|call| call as usize).filter(|_| !step.values.is_empty()) else {
                at += 1;
                continue;
            };
            let own = self.engine.kernel.variants(&before, call)?;
            let mut candidates: Vec<Values> =
                own.iter().take(VARIANTS_MAX).map(|(variant, _)| variant.values.clone()).collect();
            let entry = &scenario.calls[self.engine.kernel.calls()[call].entry];
            if let Some(template) = &entry.template {
                candidates.extend(simpler(&Opener::new(template), &step.values));
            }
            for values in candidates.into_iter().filter(|values| *values != step.values) {
                let mut steps = self.steps();
                steps[at].values = values;
                if self.accept(&steps)? {
                    continue 'next;
                }
            }
            at += 1;
        }
        Ok(())
    }
}

/// The values of a step with one of them simpler.
fn simpler(opener: &Opener, values: &Values) -> Vec<Values> {
    let mut all = Vec::new();
    for (name, kind) in opener.kinds() {
        let Some((_, label)) = values.iter().find(|(other, _)| *other == name) else { continue };
        let Some(parsed) = kind.parse(label, opener.names()) else { continue };
        for (place, value) in parsed.iter().enumerate() {
            for simpler in values::simpler(value, &kind.types[place], &kind.env) {
                let mut parsed = parsed.clone();
                parsed[place] = simpler;
                let Some(label) = kind.label(&parsed, opener.names()) else { continue };
                let pairs = values.iter().map(|(other, label)| (other.to_string(), label.to_string()));
                let mut pairs: Vec<(String, String)> = pairs.collect();
                pairs.iter_mut().filter(|(other, _)| other == name).for_each(|pair| pair.1.clone_from(&label));
                all.push(Values::new(pairs));
            }
        }
    }
    all
}
