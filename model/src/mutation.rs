//! Semantics broken on purpose.
//!
//! A comparison that never fails proves nothing. Each mutation is a mistake that a model of await points can easily make;
//! tests assert that the comparison with `outcomes.txt` or the count of interleavings shows it.

/// A mistake in the semantics of the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutation {
    /// A call keeps its canisters locked across its awaits: all its deliveries are one turn.
    LockAcrossAwaits,
    /// The responses between two canisters form one queue: a callback gets the oldest of them, whichever request it answers.
    ResponsesInOneQueue,
    /// The responses between two canisters come back in the order of the answers, as if they had an order.
    ResponsesInOrder,
    /// A later request may start before an earlier one of the same pair.
    RequestsInAnyOrder,
}
