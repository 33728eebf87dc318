//! What users may do wrong, and the texts that tell them.

use std::sync::atomic::{AtomicU64, Ordering};

use model::host::{Host, Wait};
use model::{Answer, Canister, LoomHost, Message, Model, ModelError, reply, samples};

use crate::corpus;
use crate::toys::{Toy, toys};

#[test]
fn more_calls_than_loom_has_threads_are_refused_with_the_number_that_would_do() {
    let error = toys("five.toml", "end", "()", 5).explore(5).unwrap_err();
    assert_eq!(
        error.to_string(),
        "5 calls at once are too many: each needs a thread of loom's, and it has 4 beside the main one; explore at most 4 \
         (`Model::explore(4)`), or search the wasm with `canloom explore`, which has no such limit"
    );
    assert_eq!(toys("four.toml", "end", "()", 5).explore(4).unwrap().interleavings, 5 * 24);
}

#[test]
fn calls_that_the_scenario_does_not_have_are_refused() {
    for calls in [0, 3] {
        let error = toys(&format!("two-{calls}.toml"), "end", "()", 2).explore(calls).unwrap_err();
        assert_eq!(error, ModelError::NoSuchCalls { calls, has: 2 });
    }
}

#[test]
fn a_handler_that_panics_is_named_with_the_step_and_a_remedy() {
    for calls in 1..=3 {
        let error =
            toys(&format!("panic-{calls}.toml"), "panic", "(principal \"${b}\")", 3).explore(calls).unwrap_err();
        let text = error.to_string();
        assert!(
            text.starts_with(
                "`panic` of canister `a` panicked in step 0.1r (after `0 0.1`): the second half is missing; "
            ),
            "{text}"
        );
        assert!(text.contains("Answer with a reject instead"), "{text}");
    }
}

#[test]
fn a_handler_that_waits_for_something_else_than_a_call_is_named() {
    let error = toys("wait.toml", "wait", "()", 1).explore(1).unwrap_err();
    assert_eq!(
        error.to_string(),
        "`wait` of canister `a` waits in step 0, but not for a call: under the model a handler may await calls of its host only"
    );
}

#[test]
fn a_handler_that_calls_for_ever_meets_the_bound_of_the_scenario() {
    let error = toys("for-ever.toml", "for_ever", "(principal \"${b}\")", 1).explore(1).unwrap_err();
    assert!(matches!(error, ModelError::TooDeep { depth: 200, .. }), "{error}");
}

#[test]
fn canisters_and_handlers_must_fit_each_other() {
    let scenario = corpus::scenario("counter");
    let error = Model::new(scenario.clone()).canister::<samples::Counter>("a").explore(1).unwrap_err();
    assert_eq!(error.to_string(), "canister `b` has no handlers; add `.canister::<...>(\"b\")` to the model");
    let error = samples::model(scenario).canister::<Toy>("d").explore(1).unwrap_err();
    assert_eq!(error.to_string(), "the scenario has no canister `d`; it has a, b");
}

#[test]
fn an_exploration_that_takes_too_long_says_so() {
    let model = samples::model(corpus::scenario("vault-stale")).executions_max(10);
    assert_eq!(model.explore(3).unwrap_err(), ModelError::TooManyExecutions { most: 10 });
}

static EXECUTIONS: AtomicU64 = AtomicU64::new(0);

/// Its state depends on how often it was ever executed.
struct Forgetful;

impl Canister for Forgetful {
    type State = u64;

    fn init(_: &[u8]) -> Result<u64, String> {
        Ok(0)
    }

    async fn call(host: LoomHost<u64>, message: Message) -> Answer {
        if message.method == "x" {
            return reply(host.state(|x| *x));
        }
        host.state(|x| *x = EXECUTIONS.fetch_add(1, Ordering::Relaxed));
        host.call(message.arg()?, "end", vec![], Wait::Unbounded).await
    }
}

#[test]
fn a_state_that_is_not_the_same_after_the_same_steps_is_noticed() {
    for calls in [1, 2] {
        let file = format!("forgetful-{calls}.toml");
        let model = toys(&file, "forget", "(principal \"${b}\")", 2).canister::<Forgetful>("a");
        let text = model.explore(calls).unwrap_err().to_string();
        assert!(text.starts_with("the model is not deterministic: step "), "{text}");
        assert!(text.contains(" once gave x = ") && text.contains(", and another time x = "), "{text}");
        assert!(
            text.contains("; a handler may depend on its state, its message and `now_ns` alone: remove clocks"),
            "{text}"
        );
    }
}

/// Sends a request every third time.
struct Fickle;

static FICKLE: AtomicU64 = AtomicU64::new(0);

impl Canister for Fickle {
    type State = u64;

    fn init(_: &[u8]) -> Result<u64, String> {
        Ok(0)
    }

    async fn call(host: LoomHost<u64>, message: Message) -> Answer {
        if message.method != "x" && FICKLE.fetch_add(1, Ordering::Relaxed).is_multiple_of(3) {
            host.call(message.arg()?, "end", vec![], Wait::Unbounded).await?;
        }
        reply(host.state(|x| *x))
    }
}

#[test]
fn a_handler_that_awaits_now_and_then_is_not_deterministic_either() {
    let model = toys("fickle.toml", "forget", "(principal \"${b}\")", 2).canister::<Fickle>("a");
    let text = model.explore(2).unwrap_err().to_string();
    assert!(text.starts_with("the model is not deterministic: step "), "{text}");
}
