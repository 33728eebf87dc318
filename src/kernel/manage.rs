//! The management canister `aaaaa-aa`: a callee without a state of its own, whose requests act on the world (semantics 10).
//!
//! In: a request to it that is being delivered. Out: the world after it, with the answer in flight; only `stop_canister` is
//! answered later, when the canister has stopped. Prices are not modelled: cycles that a method does not give away come back.
//! A method that is not in [`METHODS`] is rejected as an unknown one is.

mod outcall;
mod signing;
mod types;

use std::sync::Arc;

use candid::de::DecoderConfig;
use candid::utils::ArgumentDecoder;
use candid::{Encode, Nat, Principal};

use super::Happened;
use super::ghost::Moment;
use super::guest::{Cycles, Module, Response};
use super::settle::deliver_answer;
use super::system::Status;
use super::tree::{CallTree, InFlight, Request};
use super::{Kernel, Unsupported, World};
use types::{
    CanisterArg, CanisterInfo, CanisterStatus, CreateArg, DefiniteSettings, InstallArg, InstallMode, QueryStats,
    UpdateSettingsArg,
};

/// The methods that are offered.
pub const METHODS: [&str; 16] = [
    "raw_rand",
    "canister_status",
    "canister_info",
    "deposit_cycles",
    "create_canister",
    "install_code",
    "uninstall_code",
    "update_settings",
    "start_canister",
    "stop_canister",
    "delete_canister",
    "http_request",
    "sign_with_ecdsa",
    "ecdsa_public_key",
    "sign_with_schnorr",
    "schnorr_public_key",
];

/// What a method is answered with.
pub(super) enum Answer {
    /// A reply, as Candid.
    Reply(Vec<u8>),
    /// A reject.
    Reject(u8, String),
    /// Nothing until this canister has stopped.
    WhenStopped(u16),
}

impl Answer {
    fn of(encoded: candid::Result<Vec<u8>>) -> Answer {
        match encoded {
            Ok(reply) => Answer::Reply(reply),
            Err(error) => Answer::Reject(5, error.to_string()),
        }
    }

    fn done() -> Answer {
        Answer::Reply(unit().to_vec())
    }
}

/// The reply `()`.
pub(super) fn unit() -> Arc<[u8]> {
    Arc::from(*b"DIDL\0\0")
}

/// Work that values may take which the method does not ask for, as in the replica: a few bytes can describe a great many.
const SKIPPING_QUOTA: usize = 10_000;

fn decode<T>(arg: &[u8]) -> Result<T, Answer>
where
    (T,): for<'a> ArgumentDecoder<'a>,
{
    let wrong = |error: candid::Error| Answer::Reject(4, format!("IC0408: Error decoding candid: {error}"));
    let mut config = DecoderConfig::new();
    config.set_skipping_quota(SKIPPING_QUOTA);
    candid::utils::decode_args_with_config::<(T,)>(arg, &config).map(|(arg,)| arg).map_err(wrong)
}

impl Kernel {
    /// Executes a request to the management canister. `tree` has it taken out of its queue already.
    pub(super) fn manage(
        &mut self,
        world: &mut World,
        at: u32,
        tree: CallTree,
        request: &Request,
        message: u32,
    ) -> Result<Happened, Unsupported> {
        world.trees[at as usize] = self.tables.intern_tree(tree);
        let (method, arg) = self.call_text(message).expect("bug in canloom: a request calls a method");
        let (method, arg) = (method.to_string(), arg.to_vec());
        let mut refund = request.cycles;
        let answer = match self.run_method(world, request.caller, &method, &arg, &mut refund)? {
            Ok(answer) | Err(answer) => answer,
        };
        let mut tree = self.tree(world.trees[at as usize]).as_ref().clone();
        let (response, text) = match answer {
            Answer::Reply(reply) => (Response::Reply(reply.into()), format!("management canister: {method} is done")),
            Answer::Reject(code, text) => {
                let shown = format!("management canister: {method} is rejected, {code}: {text}");
                (Response::Reject { code, text: text.into() }, shown)
            }
            Answer::WhenStopped(canister) => {
                if let Some(place) = tree.request(&request.path) {
                    tree.requests[place].waits_for_stop = Some(canister);
                    tree.requests[place].cycles = refund;
                    world.trees[at as usize] = self.tables.intern_tree(tree);
                }
                return Ok(Happened::System(format!("management canister: {method} waits until it has stopped")));
            }
        };
        let response = self.tables.responses.intern(response);
        let edge = (request.caller, request.callee);
        if let Some(noted) = self.noted(Moment::Effect, edge, message) {
            self.count(world, Moment::Effect, edge, noted, response);
        }
        deliver_answer(&mut tree, &request.path, InFlight { response, refund });
        world.trees[at as usize] = self.tables.intern_tree(tree);
        Ok(Happened::System(text))
    }

    fn run_method(
        &mut self,
        world: &mut World,
        caller: u16,
        method: &str,
        arg: &[u8],
        refund: &mut Cycles,
    ) -> Result<Result<Answer, Answer>, Unsupported> {
        let id = self.id(caller);
        Ok(Ok(match method {
            "raw_rand" => {
                let system = self.system(world.canisters[usize::from(caller)]);
                let answer = signing::random(self.plan.seed, id.as_slice(), system.draws);
                self.change_system(world, caller, |system| system.draws += 1);
                answer
            }
            "sign_with_ecdsa" | "sign_with_schnorr" => signing::sign(method, arg, id.as_slice()),
            "ecdsa_public_key" | "schnorr_public_key" => signing::public_key(method, arg, id.as_slice()),
            "http_request" => self.outcall(world, caller, arg)?,
            "create_canister" => return self.create(world, caller, arg, refund),
            "install_code" => return self.install_code(world, caller, arg),
            _ => return Ok(self.run_simple_method(world, caller, method, arg, refund)),
        }))
    }

    /// Methods about one canister that run no code of it.
    fn run_simple_method(
        &mut self,
        world: &mut World,
        caller: u16,
        method: &str,
        arg: &[u8],
        refund: &mut Cycles,
    ) -> Result<Answer, Answer> {
        if !METHODS.contains(&method) {
            return Err(Answer::Reject(5, format!("IC0536: Management canister has no method '{method}'")));
        }
        let target = self.target(world, decode::<CanisterArg>(arg)?.canister_id)?;
        match method {
            "deposit_cycles" => {
                let cycles = std::mem::take(refund);
                self.change_system(world, target, |system| system.balance += cycles);
                return Ok(Answer::done());
            }
            "canister_info" => return Ok(self.info(world, target)),
            "canister_status" if target == caller => return Ok(self.status(world, target)),
            _ => {}
        }
        self.check_controller(world, caller, target, method)?;
        match method {
            "canister_status" => return Ok(self.status(world, target)),
            "uninstall_code" => self.uninstall(world, target),
            "update_settings" => {
                let settings = decode::<UpdateSettingsArg>(arg)?.settings;
                if let Some(controllers) = settings.controllers {
                    let controllers = self.tables.controllers.intern(Arc::from(controllers));
                    self.change_system(world, target, |system| system.controllers = controllers);
                }
                self.count_version(world, target);
            }
            "start_canister" => self.start_again(world, target),
            "stop_canister" => {
                let status = self.system(world.canisters[usize::from(target)]).status;
                if status == Status::Stopped {
                    return Ok(Answer::done());
                }
                if status == Status::Running {
                    self.stop(world, target);
                }
                return Ok(Answer::WhenStopped(target));
            }
            _ => {
                let id = self.id(target);
                if self.system(world.canisters[usize::from(target)]).status != Status::Stopped {
                    let text = format!("IC0510: Canister {id} must be stopped before it is deleted.");
                    return Err(Answer::Reject(5, text));
                }
                self.uninstall(world, target);
                self.change_system(world, target, |system| system.status = Status::Absent);
            }
        }
        Ok(Answer::done())
    }

    fn create(
        &mut self,
        world: &mut World,
        caller: u16,
        arg: &[u8],
        refund: &mut Cycles,
    ) -> Result<Result<Answer, Answer>, Unsupported> {
        let arg: CreateArg = match decode(arg) {
            Ok(arg) => arg,
            Err(answer) => return Ok(Err(answer)),
        };
        let is_absent = |at: &u16| self.system(world.canisters[usize::from(*at)]).status == Status::Absent;
        let Some(new) = (0..self.guests.len() as u16).find(is_absent) else {
            let what =
                "it creates a canister, and the scenario has none left to be created: raise `create` in [explore]";
            return Err(Unsupported { canister: self.id(caller), what: what.to_string(), is_contradiction: false });
        };
        let controllers = arg.settings.and_then(|settings| settings.controllers).unwrap_or(vec![self.id(caller)]);
        let controllers = self.tables.controllers.intern(Arc::from(controllers));
        let balance = std::mem::take(refund);
        self.change_system(world, new, |system| {
            system.status = Status::Running;
            system.controllers = controllers;
            system.balance = balance;
        });
        Ok(Ok(Answer::of(Encode!(&CanisterArg { canister_id: self.id(new) }))))
    }

    fn install_code(
        &mut self,
        world: &mut World,
        caller: u16,
        arg: &[u8],
    ) -> Result<Result<Answer, Answer>, Unsupported> {
        let checked = decode::<InstallArg>(arg).and_then(|arg| {
            let target = self.target(world, arg.canister_id)?;
            self.check_controller(world, caller, target, "install_code")?;
            Ok((target, arg))
        });
        let (target, install) = match checked {
            Ok(checked) => checked,
            Err(answer) => return Ok(Err(answer)),
        };
        let memory = world.canisters[usize::from(target)].memory;
        let is_empty = self.guests[usize::from(target)].module_hash(memory).is_none();
        let module = Module::Bytes(&install.wasm_module);
        let (arg, installer) = (Arc::from(install.arg.as_slice()), self.id(caller));
        let done = match install.mode {
            InstallMode::Install if !is_empty => {
                let text = format!("IC0514: Canister {} cannot be installed because it is not empty.", self.id(target));
                return Ok(Err(Answer::Reject(5, text)));
            }
            InstallMode::Install | InstallMode::Reinstall => {
                self.install_anew(world, target, module, arg, installer)?
            }
            InstallMode::Upgrade(options) => {
                let skip = options.and_then(|options| options.skip_pre_upgrade).unwrap_or(false);
                self.upgrade(world, target, module, arg, installer, !skip)?
            }
        };
        Ok(match done {
            Ok(()) => Ok(Answer::done()),
            Err(trap) => Err(Answer::Reject((trap.code / 100) as u8, self.trap_text(target, &trap))),
        })
    }

    fn target(&self, world: &World, id: Principal) -> Result<u16, Answer> {
        let exists = |at: &usize| self.ids[*at] == id && self.system(world.canisters[*at]).status != Status::Absent;
        let found = (0..self.ids.len()).find(exists).map(|at| at as u16);
        found.ok_or_else(|| Answer::Reject(3, format!("IC0301: Canister {id} not found.")))
    }

    fn check_controller(&self, world: &World, caller: u16, target: u16, method: &str) -> Result<(), Answer> {
        let controllers = self.system(world.canisters[usize::from(target)]).controllers;
        if self.tables.controllers.value(controllers).contains(&self.id(caller)) {
            return Ok(());
        }
        let id = self.id(target);
        Err(Answer::Reject(5, format!("IC0512: Only the controllers of the canister {id} can control it: {method}")))
    }

    fn status(&self, world: &World, target: u16) -> Answer {
        let state = world.canisters[usize::from(target)];
        let system = self.system(state);
        let guest = &self.guests[usize::from(target)];
        Answer::of(Encode!(&CanisterStatus {
            status: system.status.into(),
            version: system.version,
            settings: DefiniteSettings::of(self.tables.controllers.value(system.controllers)),
            module_hash: guest.module_hash(state.memory),
            memory_size: Nat::from(guest.bytes(state.memory)),
            cycles: Nat::from(system.balance),
            reserved_cycles: Nat::from(0u8),
            idle_cycles_burned_per_day: Nat::from(0u8),
            query_stats: QueryStats::none(),
        }))
    }

    fn info(&self, world: &World, target: u16) -> Answer {
        let state = world.canisters[usize::from(target)];
        Answer::of(Encode!(&CanisterInfo {
            total_num_changes: 0,
            recent_changes: Vec::new(),
            module_hash: self.guests[usize::from(target)].module_hash(state.memory),
            controllers: self.tables.controllers.value(self.system(state).controllers).to_vec(),
        }))
    }
}
