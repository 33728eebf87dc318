//! The same inputs on PocketIC: what a driver can do of a schedule is done there.
//!
//! In: an input. Out: feedback, from the steps of the embedded engine that come to what the replica did; a violation there, as
//! a counterexample. A replica lets nobody choose the next message: calls start, time passes and administrators act in the
//! order of the input, and where it delivers messages, a round passes.

use super::campaign::{Campaign, Found};
use super::input::Input;
use crate::campaign::draw::Draws;
use crate::campaign::run::{Next, Stages};
use crate::engine::pocket_ic::Server;
use crate::engine::pocket_ic::server::Program;
use crate::engine::pocket_ic::stage::Source;
use crate::schedule::{Root, Step, StepKind};
use crate::script::{Op, Script};

/// A campaign whose inputs run on a replica.
pub struct ReplicaCampaign {
    /// What changes inputs and keeps findings.
    pub embedded: Campaign,
    server: Server,
    source: Source,
    stages: Stages,
}

impl ReplicaCampaign {
    /// Starts a server.
    ///
    /// # Errors
    /// If there is none, or the scenario cannot be played on it.
    pub fn open(embedded: Campaign) -> Result<ReplicaCampaign, String> {
        let program = Program::find().map_err(|error| error.to_string())?;
        let server = Server::start(&program).map_err(|error| error.to_string())?;
        let source = Source::new(embedded.scenario(), &Default::default()).map_err(|error| error.to_string())?;
        Ok(ReplicaCampaign { embedded, server, source, stages: Stages::default() })
    }

    /// Runs an input there; see [`Campaign::run`].
    ///
    /// # Errors
    /// If the replica did what the embedded engine says it cannot do, or the server failed: with what was done until then.
    pub fn run(&mut self, bytes: &[u8], counters: &mut [u8]) -> Result<Option<Found>, String> {
        let (places, mut next): (Script, Box<Next<'_>>) = match Input::parse(bytes) {
            Some(input) => {
                let ops = ops(&input);
                (Script::default(), Box::new(move |done, _| ops.get(done).cloned()))
            }
            None => {
                let draws = Draws::of(bytes);
                let places = draws.places(self.embedded.scenario());
                (places, Box::new(move |done, offers| Some(draws.op(*draws.turns.get(done)?, offers))))
            }
        };
        let ran = self.stages.play(&self.server, &mut self.source, places, &mut *next);
        let ran = ran.map_err(|failed| format!("{}\nwhat was done until then:\n{}", failed.1, failed.0))?;
        let violated = ran.violations.first().map(|violation| (violation.invariant, &violation.schedule.steps[..]));
        Ok(self.embedded.take(&ran.schedule.steps, violated, bytes, counters))
    }
}

/// What a driver does for the steps of an input.
fn ops(input: &Input) -> Vec<Op> {
    let mut ops = Vec::new();
    for step in &input.steps {
        match (&step.root, step.kind) {
            (Root::Call(_), StepKind::Start | StepKind::Submit) => {
                let is_same = |op: &Op| matches!(op, Op::Submit(other) if other.root == step.root);
                if !ops.iter().any(is_same) {
                    ops.push(Op::Submit(step.clone()));
                }
            }
            (Root::Time(entry), _) => ops.push(Op::Time(*entry)),
            (Root::Task { task, .. }, _) if step.path.depth() == 0 && !task.is_message() => {
                ops.push(Op::Change(step.clone()));
            }
            // Held requests are those of stand-ins; for any other the round is what counts.
            (_, StepKind::Request) => ops.extend([Op::Serve(step.clone()), tick()]),
            (_, StepKind::Response) => ops.extend([Op::Answer(request(step)), tick()]),
            _ => ops.push(tick()),
        }
    }
    ops
}

/// The request that a response answers.
fn request(step: &Step) -> Step {
    Step { kind: StepKind::Request, ..step.clone() }
}

fn tick() -> Op {
    Op::Tick { loaded: false }
}
