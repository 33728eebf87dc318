//! Scenarios whose canisters are puppets: which programs the calls run, what is observed, what may fail.
//!
//! In: programs. Out: a [`Stage`] with puppets `c0`, `c1`, ... and calls by alice, in the order given.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use super::super::play::Play;
use super::super::stage::Stage;
use super::{Expr, Program};

/// A scenario of puppets.
#[derive(Clone, Debug)]
pub struct Theater {
    puppets: usize,
    calls: usize,
    text: String,
}

/// The module; it must have been built.
pub fn module(name: &str) -> PathBuf {
    let wasm = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("target/canisters/{name}.wasm"));
    assert!(wasm.exists(), "{} is missing: run `make canisters`", wasm.display());
    wasm
}

impl Theater {
    /// So many puppets, and nothing that they do.
    pub fn of(puppets: usize) -> Theater {
        Theater { puppets, calls: 0, text: String::new() }
    }

    /// A call that runs this program in a puppet, in update method `run`.
    pub fn call(self, puppet: usize, program: &Program) -> Theater {
        self.call_of(puppet, "run", program)
    }

    /// A call that runs this program in a puppet, in this method.
    pub fn call_of(self, puppet: usize, method: &str, program: &Program) -> Theater {
        self.call_with(puppet, method, program, "")
    }

    /// Likewise, with more lines of its table.
    pub fn call_with(mut self, puppet: usize, method: &str, program: &Program, more: &str) -> Theater {
        let (name, argument) = (self.calls, program.candid());
        self.calls += 1;
        self.more(&format!(
            "[[call]]\nid = \"e{name}\"\nto = \"c{puppet}\"\nmethod = \"{method}\"\nby = [\"alice\"]\nargs = '{argument}'\n{more}\n"
        ))
    }

    /// Observes a number of a puppet: what a query says.
    pub fn observe(self, name: &str, puppet: usize, number: impl Into<Expr>) -> Theater {
        self.observe_reply(name, puppet, &Program::new().say(number))
    }

    /// Observes what a program replies in a query.
    pub fn observe_reply(self, name: &str, puppet: usize, program: &Program) -> Theater {
        let argument = program.candid();
        self.more(&format!("[observe.{name}]\nfrom = \"c{puppet}\"\nquery = \"query\"\nargs = '{argument}'\n"))
    }

    /// A fault on calls of `run` from one puppet to another, at most once.
    pub fn fault(self, from: usize, to: usize, kinds: &str) -> Theater {
        self.more(&format!("[[fault]]\nedge = \"c{from} -> c{to}.run\"\nkinds = [{kinds}]\nbudget = 1\n"))
    }

    /// More tables of the scenario.
    pub fn more(mut self, text: &str) -> Theater {
        self.text.write_str(text).expect("a string takes everything");
        self
    }

    /// The folder with all of it.
    pub fn stage(&self) -> Stage {
        let wasm = std::fs::read(module("puppet")).expect("the module can be read");
        Stage::of_modules(&vec![wasm; self.puppets], &self.text)
    }

    /// An execution that has not begun.
    pub fn play(&self) -> Play {
        Play::new(&self.stage())
    }
}
