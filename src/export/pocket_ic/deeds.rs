//! What a test does, as lines of Rust: installation, setup, and the operations of the script.

use std::fmt::Write as _;
use std::path::Path;

use candid::Principal;

use super::super::candid::Names;
use super::super::literal::literal;
use super::doubles;
use super::line::Line;
use super::story::{Deed, Story};
use super::{module_of, variable_of};
use crate::engine::embedded::{Embedded, EmbeddedError};
use crate::engine::wasm::module;
use crate::export::{ExportError, inexpressible, relative};
use crate::files;
use crate::scenario::{Code, RustType, When};
use crate::schedule::Task;

/// Seconds for which no balance lasts; and the threshold that canisters have.
const FROZEN: &str = "u64::MAX / 2";
const THAWED: &str = "2_592_000";
/// Largest module that an upgrade sends in one message.
const ONE_MESSAGE: u64 = 1_900_000;
/// The name that Motoko gives to memory which stays in an upgrade.
const KEEPS_HEAP: &[u8] = b"enhanced-orthogonal-persistence";

/// Writes the parts of one test.
pub struct Writer<'a> {
    pub engine: Embedded,
    pub story: &'a Story,
    pub names: Names<'a>,
    pub root: &'a Path,
    /// Parts of the support that are needed.
    pub parts: Vec<&'static str>,
}

impl Writer<'_> {
    /// The body of the test.
    pub fn body(&mut self, when: When) -> Result<String, ExportError> {
        let mut text = self.stage()?;
        text.push_str("\n    // What leads to the violation.\n");
        let is_always = when == When::Always;
        if is_always {
            text.push_str("    t.check();\n");
        }
        for deed in &self.story.deeds {
            self.deed(&mut text, deed)?;
            if is_always
                && matches!(
                    deed,
                    Deed::Tick { is_seen: true, .. } | Deed::Change { task: Task::Upgrade | Task::Reinstall, .. }
                )
            {
                text.push_str("    t.check();\n");
            }
        }
        text.push_str("\n    // A correct canister may need more rounds.\n    t.settle();\n    t.check();\n");
        Ok(text)
    }

    /// Canisters, installed and set up.
    fn stage(&mut self) -> Result<String, ExportError> {
        let scenario = self.engine.scenario.clone();
        let mut text = String::new();
        let mut builder = String::from("PocketIcBuilder::new()");
        if scenario.canisters.iter().any(|canister| !canister.has_automatic_id) {
            builder.push_str(
                "\n        .with_nns_subnet()\n        .with_sns_subnet()\n        .with_ii_subnet()\n        \
                 .with_fiduciary_subnet()\n        .with_bitcoin_subnet()",
            );
        }
        let apart = &self.story.script.apart;
        builder.push_str(&".with_application_subnet()".repeat(1 + apart.len()));
        let _ = writeln!(text, "    let mut t = Replica::new({builder});");
        for actor in &scenario.actors {
            let _ = writeln!(text, "    t.actor({}, {});", literal(&actor.name), literal(&actor.id.to_text()));
        }
        for canister in &scenario.canisters {
            let controllers = match canister.controllers.as_slice() {
                [] => vec![Principal::anonymous()],
                controllers => controllers.to_vec(),
            };
            let controllers: Vec<String> = controllers.iter().map(|id| literal(&id.to_text())).collect();
            let place = if canister.has_automatic_id {
                let place = apart.iter().position(|name| *name == canister.name).map_or(0, |at| at + 1);
                format!("t.on({place})")
            } else {
                let id = literal(&canister.id.to_text());
                format!("CreateCanisterPlacement::CanisterId(Principal::from_text({id}).expect(\"a principal\"))")
            };
            let name = literal(&canister.name);
            let _ = writeln!(text, "    t.create({name}, {place}, &[{}]);", controllers.join(", "));
        }
        if self.story.deeds.iter().any(|deed| matches!(deed, Deed::Tick { loaded: true, .. })) {
            self.need("loaded");
            text.push_str(
                "    // Fills rounds, where that is needed.\n    t.create(\"(other work)\", t.on(0), &[\"2vxsx-fae\"]);\n    \
                 t.install(\"(other work)\", wat::parse_str(OTHER_WORK).expect(\"a module\"), \"()\");\n",
            );
        }
        for canister in &scenario.canisters {
            let name = literal(&canister.name);
            match module_of(&canister.code, self.root)? {
                Some(path) => {
                    let init = self.candid(&canister.init, &format!("`init` of `{}`", canister.name))?;
                    let module = format!("module(\"{}\", {})", variable_of(&canister.name), literal(&path));
                    text.push_str(&Line::call("install", vec![name, module, init]).text());
                }
                None => {
                    self.need("double");
                    let answers = doubles::constant_of(&canister.name);
                    let _ = writeln!(text, "    t.install({name}, t.double({answers}), \"()\");");
                }
            }
        }
        for (at, call) in scenario.setup.iter().enumerate() {
            let canister = &scenario.canisters[call.canister];
            // What the setup has done to a double's balances is in what they begin with.
            if matches!(canister.code, Code::Wasm(_)) {
                let set_up = self.engine.set_up.clone();
                let args = self.candid(&set_up.args[at], &format!("the argument of setup call {}", at + 1))?;
                let by = match self.names.name(call.by) {
                    Some(name) => format!("t.id({})", literal(name)),
                    None => format!("Principal::from_text({}).expect(\"a principal\")", literal(&call.by.to_text())),
                };
                let (name, method) = (literal(&canister.name), literal(&call.method));
                text.push_str(&Line::call("set_up", vec![name, by, method, args]).text());
            }
        }
        text.push_str("    t.began = t.pic.get_time();\n");
        Ok(text)
    }

    fn deed(&mut self, text: &mut String, deed: &Deed) -> Result<(), ExportError> {
        let scenario = self.engine.scenario.clone();
        let name = |canister: usize| literal(&scenario.canisters[canister].name);
        let line = match deed {
            Deed::Submit { entry, actor, arg } => {
                let call = &scenario.calls[*entry];
                let args = self.candid(arg, &format!("the argument of call `{}`", call.id))?;
                let (id, by) = (literal(&call.id), literal(&scenario.actors[*actor].name));
                let args = vec![id, name(call.canister), by, literal(&call.method), args];
                text.push_str(&Line::call("submit", args).text());
                return Ok(());
            }
            Deed::Tick { loaded: false, .. } => "t.tick();".to_string(),
            Deed::Tick { loaded: true, .. } => "t.tick_loaded();".to_string(),
            Deed::Advance { ns } if ns % 1_000_000_000 == 0 => {
                format!("t.pic.advance_time(Duration::from_secs({}));", super::grouped(u128::from(ns / 1_000_000_000)))
            }
            Deed::Advance { ns } => {
                format!("t.pic.advance_time(Duration::from_nanos({}));", super::grouped(u128::from(*ns)))
            }
            Deed::Freeze { canister, is_frozen } => {
                self.need("manage");
                let seconds = if *is_frozen { FROZEN } else { THAWED };
                format!("t.freezing_threshold({}, {seconds});", name(*canister))
            }
            Deed::Change { canister, task, fault, starts } => {
                self.need("manage");
                let change = self.change(*canister, *task, *fault)?;
                let start = if *starts {
                    format!("\n    t.administer({}, \"start_canister\");", name(*canister))
                } else {
                    String::new()
                };
                format!("{change}{start}\n    t.tick();")
            }
            Deed::Outcall { url } => {
                self.need("outcalls");
                format!("t.answer_outcalls({});", literal(url))
            }
        };
        let _ = writeln!(text, "    {line}");
        Ok(())
    }

    fn change(&mut self, canister: usize, task: Task, fault: Option<usize>) -> Result<String, ExportError> {
        let scenario = self.engine.scenario.clone();
        let name = literal(&scenario.canisters[canister].name);
        let method = match task {
            Task::Stop => "stop_canister",
            Task::Start => "start_canister",
            Task::Uninstall => "uninstall_code",
            Task::Upgrade | Task::Reinstall => {
                self.need("upgrade");
                let Code::Wasm(own) = &scenario.canisters[canister].code else {
                    return inexpressible(format!("{name} has no module, and so none to be replaced"));
                };
                let fault = fault.map(|at| &scenario.faults[at]);
                let later = fault.and_then(|fault| fault.wasm.as_ref());
                let wasm = later.unwrap_or(own);
                let bytes = files::read(wasm, &module::FILE)?;
                if bytes.len() as u64 > ONE_MESSAGE || bytes.windows(KEEPS_HEAP.len()).any(|part| part == KEEPS_HEAP) {
                    return inexpressible(format!("an upgrade of {name} to a module that is large or keeps its heap"));
                }
                let variable = variable_of(&scenario.canisters[canister].name);
                let variable = if later.is_some() { format!("NEW_{variable}") } else { variable };
                let module = format!("module(\"{variable}\", {})", literal(&relative(wasm, self.root)?));
                let args = match fault.map(|fault| fault.arg.as_slice()) {
                    None | Some([]) => "\"\"".to_string(),
                    Some(arg) => self.candid(arg, "the argument of an upgrade")?,
                };
                let mode = if task == Task::Upgrade { "Mode::upgrade" } else { "Mode::reinstall" };
                return Ok(format!("t.put({name}, {mode}, {module}, {args});"));
            }
            Task::Snapshot | Task::Load => return inexpressible(format!("a snapshot of {name}")),
            Task::Timer | Task::Heartbeat | Task::LowMemory => return inexpressible("tasks run by themselves"),
        };
        Ok(format!("t.administer({name}, \"{method}\");"))
    }

    /// How the test reads an observation: as this type, or as the value that was replied.
    pub fn observation(&mut self, index: usize, ty: Option<RustType>) -> Result<Line, ExportError> {
        let scenario = self.engine.scenario.clone();
        let observation = &scenario.observations[index];
        let (_, method, arg) = self.engine.question(index);
        let (method, arg) = (method.to_string(), arg.to_vec());
        let canister = &scenario.canisters[observation.canister];
        if !matches!(canister.code, Code::Wasm(_)) {
            self.need("double");
            self.need("ledger");
            let start = self.engine.start().clone();
            let values = self.engine.observe(&start).map_err(EmbeddedError::from)?;
            return doubles::observation(&scenario, self.story, &self.names, index, &arg, &values[index]);
        }
        let args = self.candid(&arg, &format!("the argument of `[observe.{}]`", observation.name))?;
        let args = vec![literal(&canister.name), literal(&method), args];
        let mut line = Line { before: "t.query(".to_string(), args, after: ")".to_string() };
        for name in observation.path.iter().flat_map(|path| path.names()) {
            line = line.within("at(&", &format!(", {})", literal(name)));
        }
        Ok(match ty {
            Some(ty) => line.within(&format!("{}(&", ty.reader()), ")"),
            None => line,
        })
    }

    fn candid(&self, bytes: &[u8], what: &str) -> Result<String, ExportError> {
        let text = self.names.text(bytes);
        text.map(|text| literal(&text)).map_err(|problem| ExportError::NotExpressible(format!("{what} {problem}")))
    }

    fn need(&mut self, part: &'static str) {
        if !self.parts.contains(&part) {
            self.parts.push(part);
        }
    }
}
