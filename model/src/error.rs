//! Why a model has no result. Violated invariants and missing outcomes are results, and not here.

/// Why a model has no result.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ModelError {
    /// More calls than loom has threads.
    #[error(
        "{calls} calls at once are too many: each needs a thread of loom's, and it has {most} beside the main one; explore at \
         most {most} (`Model::explore({most})`), or search the wasm with `canloom explore`, which has no such limit"
    )]
    TooManyCalls {
        /// How many.
        calls: usize,
        /// How many would do.
        most: usize,
    },
    /// The scenario has fewer calls, or none was asked for.
    #[error("the scenario has {has} calls, {calls} were asked for; ask for 1 to {has}")]
    NoSuchCalls {
        /// How many were asked for.
        calls: usize,
        /// How many there are.
        has: usize,
    },
    /// Something of the scenario that only the wasm search can do.
    #[error("{what} is not modelled here; search the wasm with `canloom explore`")]
    NotModelled {
        /// What it is.
        what: String,
    },
    /// A canister without handlers.
    #[error("canister `{canister}` has no handlers; add `.canister::<...>(\"{canister}\")` to the model")]
    NoHandlers {
        /// Its name in the scenario.
        canister: String,
    },
    /// Handlers without a canister.
    #[error("the scenario has no canister `{canister}`; it has {}", known.join(", "))]
    NoCanister {
        /// The name that was given.
        canister: String,
        /// Those of the scenario.
        known: Vec<String>,
    },
    /// A canister that cannot be installed.
    #[error("canister `{canister}` cannot be installed: {what}; check `init` in the scenario")]
    Init {
        /// Its name.
        canister: String,
        /// Why not.
        what: String,
    },
    /// A setup call that is not answered by a reply.
    #[error("setup call {number} (`{method}`) {what}")]
    Setup {
        /// Position, from 1.
        number: usize,
        /// The method.
        method: String,
        /// What happened instead.
        what: String,
    },
    /// A handler panicked.
    #[error(
        "`{method}` of canister `{canister}` panicked in step {step} (after {}): {text}; on the IC this is a trap, which undoes \
         the delivery: the model does not do that. Answer with a reject instead, or search the wasm with `canloom explore`, \
         which knows traps",
        before(after)
    )]
    Panicked {
        /// Name of the canister.
        canister: String,
        /// The method whose handler it was.
        method: String,
        /// The step that was being made.
        step: String,
        /// The steps before it.
        after: Vec<String>,
        /// What it said.
        text: String,
    },
    /// A handler awaits something that no delivery can complete.
    #[error(
        "`{method}` of canister `{canister}` waits in step {step}, but not for a call: under the model a handler may await \
         calls of its host only"
    )]
    Stuck {
        /// Name of the canister.
        canister: String,
        /// The method whose handler it is.
        method: String,
        /// The step after which it waits.
        step: String,
    },
    /// The same steps had different results.
    #[error(
        "the model is not deterministic: step {step} (after {}) once gave {first}, and another time {second}; a handler may \
         depend on its state, its message and `now_ns` alone: remove clocks, randomness, statics and orders of hash maps",
        before(after)
    )]
    NotDeterministic {
        /// The step.
        step: String,
        /// The steps before it.
        after: Vec<String>,
        /// What it did at first.
        first: String,
        /// What it did later.
        second: String,
    },
    /// A chain of messages longer than the scenario's bound.
    #[error(
        "step {step} would be part of a chain of more than {depth} messages; raise `depth` in the scenario, or end the loop of calls"
    )]
    TooDeep {
        /// The step.
        step: String,
        /// The bound.
        depth: u32,
    },
    /// The limit on executions was reached.
    #[error("not finished after {most} executions of loom; explore fewer calls or faults, or raise `executions_max`")]
    TooManyExecutions {
        /// The limit.
        most: u64,
    },
    /// loom gave up.
    #[error(
        "loom gave up: {text}; a model that is not deterministic or needs more than {branches} turns can cause this"
    )]
    Loom {
        /// What it said.
        text: String,
        /// How many turns an execution may have.
        branches: usize,
    },
}

fn before(steps: &[String]) -> String {
    if steps.is_empty() { "no other".to_string() } else { format!("`{}`", steps.join(" ")) }
}
