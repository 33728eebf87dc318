//! Random scenarios of puppets: programs that call each other, fail in every way, and always come to an end.
//!
//! A [`Deed`] is one thing that a delivery does; requests carry the deeds of their callee, of their callbacks and of
//! their cleanup, each drawn from a smaller grammar than the last, so calls end and can be counted; `staging` turns them
//! into programs. What a delivery computes depends on what ran before it (cell 0 becomes 3x + k modulo 1,000, the notes
//! grow by a letter), so outcomes tell orders apart. What may come out of a delivery: a reply, a reject, nothing, a trap,
//! any of them depending on the state, on the reject code or on the cycles. Drawn from a fixed seed: the same in every
//! run. What happens without a call is in `unrest`; left out: instruction counts.

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;

/// Number of puppets.
pub const PUPPETS: usize = 3;

/// One thing that a delivery does.
#[derive(Clone, Debug)]
pub enum Deed {
    /// Cell 0 becomes 3x + k modulo 1,000.
    Mix(u32),
    /// The same with a number of stable memory, whose first page it grows.
    MixStable(u32),
    /// The global byte string grows by a letter, and cell 2 by a digit.
    Note(u8),
    /// The global byte string becomes the beginning of the text of the reject, in callbacks for one.
    NoteText,
    /// Cell 0 takes in the reject code, in callbacks and cleanups.
    MixCode,
    /// Cell 0 takes in the cycles that came back, in callbacks.
    MixRefund,
    /// Cell 0 takes in the cycles that are left of those that came with the call.
    MixAvailable,
    /// Cell 0 takes in the last digits of the balance.
    MixBalance,
    /// Accepts up to this many cycles.
    Accept(u32),
    /// Does something only if cell 0 is odd.
    IfOdd(Vec<Deed>),
    /// Cell 0 takes in the time.
    MixTime,
    /// Cell 0 takes in the version.
    MixVersion,
    /// Cell 0 takes in whether the canister is stopping.
    MixStatus,
    /// Cell 0 takes in how long the reply is.
    MixReply,
    /// Cell 0 takes in whether the last call was performed.
    MixPerformed,
    /// Sets the timer so many seconds ahead, and takes in whether it was set.
    SetTimer(u32),
    /// Carries cell 0 into stable memory, whose first page it grows.
    Save,
    /// Takes it back.
    Restore,
    /// Lets an inspected message in.
    LetIn,
    /// Ends the delivery.
    End,
    /// Replies with cell 0 as a number.
    Reply,
    /// Appends bytes and does not reply.
    Append,
    /// Rejects with the global as text.
    Reject,
    /// Traps.
    Trap,
    /// Sends a request.
    Call(Box<Request>),
}

/// What is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// The update method.
    Run,
    /// The query method, replicated: its changes do not last.
    Query,
    /// A method that no puppet has.
    Missing,
}

/// A request and all that it leads to.
#[derive(Clone, Debug)]
pub struct Request {
    /// The puppet called.
    pub callee: usize,
    /// The method called.
    pub method: Method,
    /// Cycles attached.
    pub cycles: u32,
    /// Whether the caller waits 10 seconds at most.
    pub is_bounded: bool,
    /// What the callee does.
    pub deeds: Vec<Deed>,
    /// What a reply runs.
    pub on_reply: Vec<Deed>,
    /// What a reject runs.
    pub on_reject: Vec<Deed>,
    /// What a trap of either runs.
    pub on_cleanup: Option<Vec<Deed>>,
}

/// A call from outside.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The puppet called.
    pub to: usize,
    /// How often.
    pub max: u32,
    /// Whether it waits for the first entry.
    pub is_after: bool,
    /// What it does there.
    pub deeds: Vec<Deed>,
}

/// A random scenario.
#[derive(Clone, Debug)]
pub struct Play {
    /// One or two.
    pub entries: Vec<Entry>,
    /// Bound on calls at a time.
    pub in_flight: u32,
    /// Which of the edges, and what kinds.
    pub fault: Option<(prop::sample::Index, &'static str)>,
    /// What the invariants compare with.
    pub remainders: (u32, u32, u32),
}

/// Scenarios without end, the same ones in every run.
pub fn plays() -> impl Iterator<Item = Play> {
    let mut runner = TestRunner::deterministic();
    let strategy = play();
    std::iter::repeat_with(move || strategy.new_tree(&mut runner).expect("no filter refuses").current())
}

/// A scenario of one or two entries, each called at most twice.
pub fn play() -> impl Strategy<Value = Play> {
    let entry = (0..PUPPETS, 1..=2u32, any::<bool>(), prop_oneof![1 => leaf(), 2 => calling(1), 4 => calling(2)]);
    let entry = entry.prop_map(|(to, max, is_after, deeds)| Entry { to, max, is_after, deeds });
    let kinds = prop::sample::select(vec![
        "\"clean_reject\"",
        "\"sys_unknown\"",
        "\"clean_reject_1\", \"clean_reject_3\"",
        "\"clean_reject\", \"sys_unknown\"",
    ]);
    let fault = prop::option::weighted(0.7, (any::<prop::sample::Index>(), kinds));
    let remainders = (0..5u32, 0..5u32, 0..5u32);
    let entries = prop_oneof![1 => prop::collection::vec(entry.clone(), 1), 3 => prop::collection::vec(entry, 2)];
    let in_flight = prop_oneof![1 => Just(1), 4 => 2..=3u32];
    let all = (entries, in_flight, fault, remainders);
    all.prop_map(|(mut entries, in_flight, fault, remainders)| {
        if let [only] = &mut entries[..] {
            only.max = 2;
        }
        Play { entries, in_flight, fault, remainders }
    })
}

/// What changes the state and says nothing.
pub fn change() -> BoxedStrategy<Deed> {
    let change = prop_oneof![
        6 => (1..9u32).prop_map(Deed::Mix),
        1 => (1..9u32).prop_map(Deed::MixStable),
        2 => (b'a'..=b'f').prop_map(Deed::Note),
        2 => (0..150u32).prop_map(Deed::Accept),
        1 => Just(Deed::MixBalance),
        1 => Just(Deed::MixAvailable),
        1 => Just(Deed::MixCode),
        1 => Just(Deed::MixRefund),
        1 => Just(Deed::MixReply),
        1 => Just(Deed::MixPerformed),
    ];
    change.boxed()
}

/// What a delivery ends with.
fn end() -> BoxedStrategy<Vec<Deed>> {
    let end = prop_oneof![
        8 => Just(vec![Deed::Reply]),
        2 => Just(vec![Deed::Reject]),
        1 => Just(vec![]),
        1 => Just(vec![Deed::Trap]),
        1 => Just(vec![Deed::Append]),
        1 => Just(vec![Deed::Reply, Deed::Trap]),
        1 => Just(vec![Deed::Reply, Deed::Reply]),
        1 => Just(vec![Deed::Reply, Deed::Accept(50), Deed::MixAvailable]),
        1 => Just(vec![Deed::IfOdd(vec![Deed::Trap]), Deed::Reply]),
        1 => Just(vec![Deed::IfOdd(vec![Deed::End]), Deed::Reply]),
        1 => Just(vec![Deed::IfOdd(vec![Deed::Reject, Deed::End]), Deed::Reply]),
    ];
    end.boxed()
}

/// A delivery without calls.
pub fn leaf() -> BoxedStrategy<Vec<Deed>> {
    let leaf = ((1..9u32).prop_map(Deed::Mix), prop::option::weighted(0.5, change()), end());
    leaf.prop_map(|(mix, change, end)| std::iter::once(mix).chain(change).chain(end).collect()).boxed()
}

/// A delivery that sends one or two requests, which lead to calls themselves `depth` - 1 deep.
pub fn calling(depth: u32) -> BoxedStrategy<Vec<Deed>> {
    let callee = match depth {
        1 => leaf(),
        _ => prop_oneof![3 => leaf(), 2 => calling(depth - 1)].boxed(),
    };
    let later = match depth {
        1 => leaf(),
        _ => prop_oneof![7 => leaf(), 1 => calling(1)].boxed(),
    };
    let cleanup = prop::collection::vec(prop_oneof![8 => change(), 1 => Just(Deed::Trap)], 1..=2);
    let method = prop::sample::select(vec![Method::Run, Method::Run, Method::Run, Method::Run, Method::Query]);
    let method = prop_oneof![12 => method, 1 => Just(Method::Missing)];
    let cycles = prop_oneof![1 => Just(0), 2 => 1..200u32];
    let request = (0..PUPPETS, method, cycles, any::<bool>(), callee, later, leaf(), prop::option::of(cleanup));
    let request = request.prop_map(|(callee, method, cycles, is_bounded, deeds, on_reply, on_reject, on_cleanup)| {
        Deed::Call(Box::new(Request { callee, method, cycles, is_bounded, deeds, on_reply, on_reject, on_cleanup }))
    });
    let requests = prop_oneof![
        3 => prop::collection::vec(request.clone(), 1),
        1 => prop::collection::vec(request, 2),
    ];
    let rest = prop_oneof![6 => Just(vec![]), 1 => end()];
    let deeds = ((1..9u32).prop_map(Deed::Mix), prop::option::of(change()), requests, rest);
    let deeds = deeds.prop_map(|(mix, change, requests, rest)| {
        std::iter::once(mix).chain(change).chain(requests).chain(rest).collect()
    });
    deeds.boxed()
}
