//! What random deeds mean: the programs that do them, and the scenario around them.
//!
//! In: a [`Play`]. Out: its [`Stage`], and how many deliveries it has at most.

use std::fmt::Write as _;

use super::super::stage::{Stage, ghosts, id};
use super::expr::*;
use super::random::{Deed, Method, PUPPETS, Play, Request};
use super::{Call, Expr, Program, Theater};

/// The cell that remembers whether the last call was performed.
const PERFORMED: u8 = 5;
/// Bytes of a reject's text that are noted. The text of an error has more of them before the replica's suggestions begin.
const NOTED: i32 = 80;

/// Adds this number to three times cell 0, modulo 1,000.
fn mix(program: Program, number: impl Into<Expr>) -> Program {
    program.set(0, cell(0).times(3).plus(number).modulo(1_000))
}

/// The program that does all this.
pub fn program(deeds: &[Deed]) -> Program {
    deeds.iter().fold(Program::new(), |program, deed| match deed {
        Deed::Mix(k) => mix(program, u128::from(*k)),
        Deed::MixStable(k) => {
            let number = stable_read(0, 2).read_number().times(3).plus(u128::from(*k)).modulo(1_000);
            program
                .when(stable_size().equals_zero(), Program::new().ask(stable_grow(1)))
                .stable_write(0, number.little_endian(2))
        }
        Deed::Note(letter) => {
            let order = cell(2).times(7).plus(u128::from(*letter - b'a')).modulo(1_000_000_007);
            program.append_global(&[*letter][..]).set(2, order)
        }
        Deed::NoteText => {
            let (all, beginning) = (reject_message(), reject_message().slice(0, NOTED));
            let is_short = reject_message().length().less_than(NOTED);
            program.either(is_short, Program::new().set_global(all), Program::new().set_global(beginning))
        }
        Deed::MixCode => mix(program, reject_code()),
        Deed::MixRefund => mix(program, cycles_refunded()),
        Deed::MixAvailable => mix(program, cycles_available()),
        Deed::MixBalance => mix(program, balance().modulo(1_000)),
        Deed::Accept(cycles) => mix(program, accept(u128::from(*cycles))),
        Deed::IfOdd(deeds) => program.when(cell(0).modulo(2), self::program(deeds)),
        Deed::MixTime => mix(program, time().modulo(97)),
        Deed::MixVersion => mix(program, version()),
        Deed::MixStatus => mix(program, status()),
        Deed::MixReply => mix(program, argument().length()),
        Deed::MixPerformed => mix(program, cell(PERFORMED)),
        Deed::SetTimer(seconds) => {
            let at = time().plus(u128::from(*seconds) * 1_000_000_000);
            mix(program, timer_set(at).equals_zero())
        }
        Deed::Save => program
            .when(stable_size().equals_zero(), Program::new().ask(stable_grow(1)))
            .stable_write(8, cell(0).little_endian(2)),
        Deed::Restore => program.when(stable_size(), Program::new().set(0, stable_read(8, 2).read_number())),
        Deed::LetIn => program.accept_message(),
        Deed::End => program.end(),
        Deed::Reply => program.say(cell(0)),
        Deed::Append => program.append("lost"),
        Deed::Reject => program.reject(global()),
        Deed::Trap => program.trap("trapped"),
        Deed::Call(request) => program.call(request.call()),
    })
}

impl Request {
    fn call(&self) -> Call {
        let method = match self.method {
            Method::Run => "run",
            Method::Query => "query",
            Method::Missing => "missing",
        };
        let mut call = Call::to(id(self.callee), method)
            .result_in(PERFORMED)
            .with(program(&self.deeds))
            .on_reply(program(&self.on_reply))
            .on_reject(program(&self.on_reject));
        if let Some(deeds) = &self.on_cleanup {
            call = call.on_cleanup(program(deeds));
        }
        if self.cycles > 0 {
            call = call.cycles(u128::from(self.cycles));
        }
        if self.is_bounded { call.timeout(10) } else { call }
    }
}

fn requests(deeds: &[Deed]) -> impl Iterator<Item = &Request> {
    deeds.iter().filter_map(|deed| match deed {
        Deed::Call(request) => Some(&**request),
        _ => None,
    })
}

/// Most deliveries that a delivery of these deeds leads to, itself included.
pub fn deliveries(deeds: &[Deed]) -> usize {
    let of = |request: &Request| {
        deliveries(&request.deeds) + deliveries(&request.on_reply).max(deliveries(&request.on_reject))
    };
    1 + requests(deeds).map(of).sum::<usize>()
}

/// Adds the edges on which a puppet that does these deeds sends requests to `run`.
pub fn add_edges(at: usize, deeds: &[Deed], edges: &mut Vec<(usize, usize)>) {
    for request in requests(deeds) {
        let edge = (at, request.callee);
        if request.method == Method::Run && !edges.contains(&edge) {
            edges.push(edge);
        }
        add_edges(request.callee, &request.deeds, edges);
        add_edges(at, &request.on_reply, edges);
        add_edges(at, &request.on_reject, edges);
    }
}

impl Play {
    /// Most deliveries that its calls can make together.
    pub fn deliveries_max(&self) -> usize {
        self.entries.iter().map(|entry| entry.max as usize * deliveries(&entry.deeds)).sum()
    }

    /// The scenario, written down.
    pub fn stage(&self) -> Stage {
        let mut theater = Theater::of(PUPPETS);
        for at in 0..PUPPETS {
            // One query tells all: cell 0 in the lowest digits, then stable memory, cycles, and the order of the notes.
            let all = cell(0).plus(cell(1).times(1_000));
            let all = all.plus(balance().modulo(1_000).times(1_000_000)).plus(cell(2).times(1_000_000_000));
            let stable = Program::new().when(stable_size(), Program::new().set(1, stable_read(0, 2).read_number()));
            theater = theater.observe_reply(&format!("x{at}"), at, &stable.say(all));
        }
        let mut edges = Vec::new();
        for (at, entry) in self.entries.iter().enumerate() {
            let after = if at > 0 && entry.is_after { "after = \"e0\"\n" } else { "" };
            let more = format!("max = {}\n{after}", entry.max);
            theater = theater.call_with(entry.to, "run", &program(&entry.deeds), &more);
            add_edges(entry.to, &entry.deeds, &mut edges);
        }
        if let Some((edge, kinds)) = self.fault.filter(|_| !edges.is_empty()) {
            let (caller, callee) = *edge.get(&edges);
            theater = theater.fault(caller, callee, kinds);
        }
        let mut text = format!("[explore]\nin_flight = {}\nfaults = 1\n", self.in_flight);
        let (r0, r1, r2) = self.remainders;
        for (name, when, expr) in [
            ("everywhere", "always", format!("x0 - x0 / 5 * 5 != {r0}")),
            ("at rest", "quiescent", format!("x1 - x1 / 5 * 5 != {r1}")),
            ("in the end", "final", format!("x2 - x2 / 5 * 5 != {r2} or count(err(\"e0\")) == 0")),
            ("now and then", "sometimes", format!("x0 - x0 / 5 * 5 == {r1} and count(open(\"e0\")) > 0")),
        ] {
            let _ = writeln!(text, "[[invariant]]\nname = \"{name}\"\nwhen = \"{when}\"\nexpr = '{expr}'");
        }
        if let Some((caller, callee)) = edges.first() {
            text.push_str(&ghosts(*caller, *callee, "run", r2));
        }
        theater.more(&text).stage()
    }
}
