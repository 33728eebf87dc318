//! Which steps are legal in a world, and what they are called.
//!
//! In: a world. Out: its [`Choice`]s, in a fixed order; the name of each; the choice that a name stands for. Why a step is
//! legal or not is decided in [`super::rules`].

use crate::schedule::{Path, Root, Step, StepKind, Task};

use super::rules::{may_reject, waits_for_expiry};
use super::tree::Request;
use super::world::{NOT_STARTED, World};
use super::{FaultSpec, Kernel, Refusal, Unsupported};

/// What a step acts upon, by position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// The root of a tree: a call or a task.
    Root(u32),
    /// A request of a tree, by its position there.
    Request {
        /// Position among the world's trees.
        tree: u32,
        /// Position among the tree's requests.
        request: u32,
    },
    /// The clock, by an entry of the plan, from 0.
    Clock(u32),
    /// A canister as a whole.
    Canister {
        /// Which.
        canister: u16,
        /// What is done to it.
        task: Task,
    },
}

/// A legal step in a given world, by position. Its name is [`Kernel::name`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Choice {
    /// What it acts upon.
    pub target: Target,
    /// What happens.
    pub kind: StepKind,
    /// Which fault of the plan pays, for faults.
    pub fault: Option<u8>,
    /// How many equal steps it stands for.
    pub multiplicity: u32,
    /// The interned message that it chooses, for a call whose argument is chosen when it begins.
    pub message: Option<u32>,
}

impl Choice {
    pub(super) fn new(target: Target, kind: StepKind) -> Choice {
        Choice { target, kind, fault: None, multiplicity: 1, message: None }
    }

    /// Its tree, if it acts upon one.
    pub fn tree(&self) -> Option<u32> {
        match self.target {
            Target::Root(tree) | Target::Request { tree, .. } => Some(tree),
            Target::Clock(_) | Target::Canister { .. } => None,
        }
    }
}

impl Kernel {
    /// All legal steps: starts of calls, then tasks, then tree by tree in order of names with deliveries before faults,
    /// then what is done to canisters, then time.
    ///
    /// # Errors
    /// If the plan has calls that may fail to be performed, executions are looked into; a guest may not be able to tell.
    /// Also if an answer cannot be made into the argument of a call that reads it.
    pub fn choices(&mut self, world: &World, out: &mut Vec<Choice>) -> Result<(), Unsupported> {
        self.plain_choices(world, out)?;
        if self.may_fault(world) {
            self.failing_performs(world, out)?;
        }
        Ok(())
    }

    /// All legal steps but deliveries whose calls cannot be performed: those that are known without executing anything.
    pub(super) fn plain_choices(&self, world: &World, out: &mut Vec<Choice>) -> Result<(), Unsupported> {
        out.clear();
        for call in 0..self.plan.calls.len() {
            if self.may_start(world, call).is_ok() {
                let multiplicity = self.start_multiplicity(world, call);
                if multiplicity > 0 {
                    self.begin_choices(world, call, multiplicity, out)?;
                }
            }
        }
        for canister in 0..self.guests.len() as u16 {
            for task in [Task::LowMemory, Task::Timer, Task::Heartbeat] {
                if let Some(tree) = self.next_task(world, canister, task)
                    && self.may_run(world, canister, task).is_ok()
                {
                    out.push(Choice::new(Target::Root(tree), StepKind::Start));
                }
            }
        }
        for tree in 0..world.trees.len() {
            if world.trees[tree] != NOT_STARTED {
                self.choices_of_tree(world, tree as u32, out);
            }
        }
        self.changes(world, out);
        for (entry, time) in self.plan.times.iter().enumerate() {
            if world.times[entry] < time.max && self.may_pass_time(world) {
                out.push(Choice::new(Target::Clock(entry as u32), StepKind::Start));
            }
        }
        self.within_switches(world, out);
        Ok(())
    }

    fn choices_of_tree(&self, world: &World, tree: u32, out: &mut Vec<Choice>) {
        let may_fault = self.may_fault(world);
        for (at, request) in self.tree(world.trees[tree as usize]).requests.iter().enumerate() {
            let mut add = |kind, fault| {
                out.push(Choice { fault, ..Choice::new(Target::Request { tree, request: at as u32 }, kind) });
            };
            let deliverable = request.queued.is_some() && self.may_deliver(world, tree, request).is_ok();
            let answered = request.callback.as_ref().is_some_and(|callback| callback.response.is_some());
            if deliverable {
                add(StepKind::Request, None);
            }
            if answered {
                add(StepKind::Response, None);
                let runs = self.callback_runs(world, tree, request).is_ok();
                if may_fault
                    && runs
                    && let Some(fault) = self.trap_payer(world, request.caller)
                {
                    add(StepKind::Trap, Some(fault));
                }
            }
            let may_fault = may_fault && request.faults != 0;
            if may_fault && may_reject(request).is_ok() {
                for code in [1, 2, 3, 5] {
                    if let Some(fault) = self.payer(world, request, |fault| fault.rejects.contains(&code)) {
                        add(StepKind::Reject(code), Some(fault));
                    }
                }
            }
            if may_fault && deliverable && !request.is_expired() && self.may_answer(world, request).is_ok() {
                if let Some(fault) = self.payer(world, request, |fault| fault.business_error.is_some()) {
                    add(StepKind::BusinessError, Some(fault));
                }
                if let Some(fault) = self.payer(world, request, |fault| fault.lie.is_some()) {
                    add(StepKind::Lie, Some(fault));
                }
            }
            match waits_for_expiry(request) {
                Ok(deadline_ns) if has_passed(world, deadline_ns) => add(StepKind::Expire, None),
                Ok(_) if may_fault => {
                    if let Some(fault) = self.payer(world, request, |fault| fault.unknown) {
                        add(StepKind::Expire, Some(fault));
                    }
                }
                _ => {}
            }
        }
    }

    /// For each delivery that makes a call which may fail: adds the same delivery with this failure.
    pub(super) fn failing_performs(&mut self, world: &World, out: &mut Vec<Choice>) -> Result<(), Unsupported> {
        if !self.plan.faults.iter().any(|fault| fault.perform) {
            return Ok(());
        }
        for at in 0..out.len() {
            let choice = out[at];
            let delivers = matches!(choice.kind, StepKind::Start | StepKind::Request | StepKind::Response);
            if !delivers || choice.tree().is_none() {
                continue;
            }
            let (_, happened) = self.apply(world, &choice)?;
            let Some(delivery) = happened.delivery() else { continue };
            for (n, &faults) in delivery.effects.performed.iter().enumerate() {
                if let Some(fault) = self.payer_of(world, faults, |fault| fault.perform) {
                    let kind = StepKind::PerformFails(n as u32 + 1);
                    out.push(Choice { kind, fault: Some(fault), ..choice });
                }
            }
        }
        Ok(())
    }

    /// Whether the depth bound keeps a message of this world from being delivered.
    pub fn is_cut_by_depth(&self, world: &World) -> bool {
        world.queue.iter().any(|queued| queued.path.depth() as u32 > self.plan.limits.depth)
    }

    /// Whether a timer is due, or a low-memory hook must run, that the bound on timers keeps from it.
    pub fn is_cut_by_timers(&self, world: &World) -> bool {
        let cut = |canister: u16| {
            let is_last = |task| self.next_task(world, canister, task).is_none();
            self.is_timer_due(world, canister) && is_last(Task::Timer)
                || self.must_run_hook(world, canister) && is_last(Task::LowMemory)
        };
        (0..self.guests.len() as u16).any(cut)
    }

    /// Whether an execution is complete here: nothing must happen any more, and no call can begin.
    pub fn is_complete(&self, world: &World, choices: &[Choice]) -> bool {
        let begins_call = |choice: &Choice| match (choice.target, choice.kind) {
            (Target::Root(tree), StepKind::Start | StepKind::Submit) => self.task(tree).is_none(),
            _ => false,
        };
        !choices.iter().any(begins_call) && self.is_quiescent(world)
    }

    /// The name of a choice.
    pub fn name(&self, world: &World, choice: &Choice) -> Step {
        let (root, path) = match choice.target {
            Target::Root(tree) => (self.root(tree), Path::root()),
            Target::Request { tree, request } => {
                let request = &self.tree(world.trees[tree as usize]).requests[request as usize];
                let of_callback = matches!(choice.kind, StepKind::Response | StepKind::Trap)
                    || matches!(choice.kind, StepKind::PerformFails(_)) && request.queued.is_none();
                let path = if of_callback { request.path.response() } else { request.path.clone() };
                (self.root(tree), path)
            }
            Target::Clock(entry) => (Root::Time(entry + 1), Path::root()),
            Target::Canister { canister, task } => {
                let canister_name = self.names[usize::from(canister)].clone();
                let n = self.changes_made(world, canister) + u32::from(choice.fault.is_some());
                (Root::Task { canister: canister_name, task, n }, Path::root())
            }
        };
        Step { root, path, kind: choice.kind, values: self.values(world, choice) }
    }

    /// The choice that a name stands for.
    ///
    /// # Errors
    /// Says which rule, bound or message is in the way.
    pub fn find(&mut self, world: &World, step: &Step) -> Result<Choice, Refusal> {
        let choice = self.find_in_any_turn(world, step)?;
        self.may_take_turn(world, &choice, step)?;
        Ok(choice)
    }

    fn find_in_any_turn(&mut self, world: &World, step: &Step) -> Result<Choice, Refusal> {
        if let StepKind::PerformFails(_) = step.kind {
            return self.find_among_choices(world, step);
        }
        let tree = match &step.root {
            Root::Call(call) => {
                let calls = self.plan.calls.len();
                if *call as usize >= calls {
                    let text = format!("{step} belongs to call {call}, the scenario has {calls} calls");
                    return Err(Refusal::Missing(text));
                }
                *call
            }
            Root::Time(entry) => return self.find_time(world, *entry),
            Root::Task { canister, task, n } => {
                let Some(at) = self.names.iter().position(|name| name == canister) else {
                    return Err(Refusal::Missing(format!("the scenario has no canister `{canister}`")));
                };
                if !task.is_message() {
                    return self.find_change(world, at as u16, step);
                }
                self.find_task(at as u16, *task, *n, step)?
            }
        };
        let at_root = Choice::new(Target::Root(tree), step.kind);
        match (step.kind, self.task(tree)) {
            (StepKind::Start, Some(task)) => {
                self.may_start_task(world, tree, task)?;
                return Ok(at_root);
            }
            (StepKind::Start | StepKind::Submit, _) => {
                let call = tree as usize;
                let submit = self.must_submit(world, call);
                self.may_start(world, call)?;
                return match (submit, step.kind) {
                    (true, StepKind::Start) => {
                        Err(Refusal::Rule(format!("call {call} must pass inspect_message first, as step {call}s")))
                    }
                    (false, StepKind::Submit) => {
                        Err(Refusal::Rule(format!("{step}: there is nothing that inspects call {call} now")))
                    }
                    _ => Ok(Choice { message: self.message_of(world, call, step)?, ..at_root }),
                };
            }
            _ => {}
        }
        if world.trees[tree as usize] == NOT_STARTED {
            return Err(Refusal::Rule(format!("{step} before the start of {}", self.root_text(tree))));
        }
        // A response's path is marked in its last segment; the request it answers is found without the mark.
        let of_callback = matches!(step.kind, StepKind::Response | StepKind::Trap);
        let wanted = |request: &&Request| {
            if of_callback { request.path.response() == step.path } else { request.path == step.path }
        };
        let requests = &self.tree(world.trees[tree as usize]).requests;
        let Some(at) = requests.iter().position(|request| wanted(&request)) else {
            return Err(Refusal::Missing(format!("{step} was not sent, or is finished already")));
        };
        let target = Target::Request { tree, request: at as u32 };
        let fault = self.legal(world, tree, &requests[at], step)?;
        Ok(Choice { fault, ..Choice::new(target, step.kind) })
    }

    /// Whether a step on a request is legal, and which fault pays for it.
    fn legal(&self, world: &World, tree: u32, request: &Request, step: &Step) -> Result<Option<u8>, Refusal> {
        let answered = || match request.callback.as_ref().is_none_or(|callback| callback.response.is_none()) {
            true => Err(Refusal::Rule(format!("response {step} before its request was answered"))),
            false => Ok(()),
        };
        let paid = |payer: Option<u8>| {
            self.within_faults(world, step)?;
            let none = || Refusal::Bound(format!("the scenario has no fault, or no budget left, for {step}"));
            payer.map(Some).ok_or_else(none)
        };
        let pay = |offers: &dyn Fn(&FaultSpec) -> bool| paid(self.payer(world, request, offers));
        match step.kind {
            StepKind::Start | StepKind::Submit | StepKind::PerformFails(_) => Ok(None),
            StepKind::Request => self.may_deliver(world, tree, request).map(|()| None),
            StepKind::Response => answered().map(|()| None),
            StepKind::Trap => {
                answered()?;
                self.callback_runs(world, tree, request)?;
                paid(self.trap_payer(world, request.caller))
            }
            StepKind::Reject(code) => {
                may_reject(request)?;
                pay(&|fault| fault.rejects.contains(&code))
            }
            StepKind::BusinessError | StepKind::Lie => {
                self.may_deliver(world, tree, request)?;
                if request.is_expired() {
                    return Err(Refusal::Rule(format!("{step}: nobody waits for the answer any more")));
                }
                self.may_answer(world, request)?;
                let is_lie = step.kind == StepKind::Lie;
                pay(&|fault| if is_lie { fault.lie.is_some() } else { fault.business_error.is_some() })
            }
            StepKind::Expire => match waits_for_expiry(request)? {
                deadline_ns if has_passed(world, deadline_ns) => Ok(None),
                _ => pay(&|fault| fault.unknown),
            },
        }
    }

    fn find_among_choices(&mut self, world: &World, step: &Step) -> Result<Choice, Refusal> {
        let mut choices = Vec::new();
        self.choices(world, &mut choices).map_err(|error| Refusal::Missing(error.to_string()))?;
        let found = choices.into_iter().find(|choice| self.name(world, choice) == *step);
        let none =
            || format!("{step}: no such call is made now, or the scenario has no fault, or no budget left, for it");
        found.ok_or_else(|| Refusal::Bound(none()))
    }

    fn find_time(&self, world: &World, entry: u32) -> Result<Choice, Refusal> {
        let at = entry as usize - 1;
        match self.plan.times.get(at) {
            None => Err(Refusal::Missing(format!("@{entry}: the scenario has {} time steps", self.plan.times.len()))),
            Some(time) if world.times[at] >= time.max => {
                Err(Refusal::Bound(format!("@{entry} is possible {} times at most", time.max)))
            }
            Some(_) if !self.may_pass_time(world) => {
                let most = self.plan.limits.times;
                Err(Refusal::Bound(format!("@{entry} would be one time step more than the {most} allowed")))
            }
            Some(_) => Ok(Choice::new(Target::Clock(entry - 1), StepKind::Start)),
        }
    }

    fn find_task(&self, canister: u16, task: Task, n: u32, step: &Step) -> Result<u32, Refusal> {
        let wanted = super::TaskSpec { canister, task, n };
        match self.tasks.iter().position(|other| *other == wanted) {
            Some(at) => Ok((self.plan.calls.len() + at) as u32),
            None => {
                let text = format!("the module has no entry point for {step}, or the scenario allows fewer of them");
                Err(Refusal::Bound(text))
            }
        }
    }

    fn find_change(&self, world: &World, canister: u16, step: &Step) -> Result<Choice, Refusal> {
        let mut choices = Vec::new();
        self.changes(world, &mut choices);
        let of_canister =
            |choice: &Choice| matches!(choice.target, Target::Canister { canister: other, .. } if other == canister);
        let found = choices.into_iter().filter(of_canister).find(|choice| self.name(world, choice) == *step);
        let none = || format!("{step}: the scenario has no fault, or no budget left, for it, or it is not its turn");
        found.ok_or_else(|| Refusal::Bound(none()))
    }
}

fn has_passed(world: &World, deadline_ns: u64) -> bool {
    // Deadlines are whole seconds, and strictly passed (semantics 4.2).
    deadline_ns < world.time_ns / 1_000_000_000 * 1_000_000_000
}
