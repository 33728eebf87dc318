//! The sample canisters: their `handlers.rs`, compiled here as they are, behind the methods of their Candid interfaces.
//!
//! What each does here is what `lib.rs` beside the handlers does with ic-cdk. Only `slow` is not executed: its loop of
//! 3.9 billion multiplications has a closed form, and the model answers with that.

use candid::Principal;
use canloom::scenario::Scenario;

use crate::canister::{Answer, Canister, Message, done, reply};
use crate::explore::Model;
use crate::loom_host::LoomHost;
// The handlers find these as `super::host` and `super::icrc1`.
use crate::{host, icrc1};

/// Handlers of the counter.
#[rustfmt::skip]
#[path = "../../canisters/counter/src/handlers.rs"]
pub mod counter;
/// Handlers of the ledger.
#[rustfmt::skip]
#[path = "../../canisters/ledger/src/handlers.rs"]
pub mod ledger;
/// Handlers of the slow callee.
#[rustfmt::skip]
#[path = "../../canisters/slow/src/handlers.rs"]
pub mod slow;
/// Handlers of the vault.
#[rustfmt::skip]
#[path = "../../canisters/vault/src/handlers.rs"]
pub mod vault;

/// The model of a scenario of the corpus: `vault` and `ledger`, or `a` the counter and `b` the slow callee.
pub fn model(scenario: Scenario) -> Model {
    let names: Vec<String> = scenario.canisters.iter().map(|canister| canister.name.clone()).collect();
    let has = |name: &str| names.iter().any(|known| known == name);
    let mut model = Model::new(scenario);
    if has("vault") {
        model = model.canister::<Vault>("vault");
    }
    if has("ledger") {
        model = model.canister::<Ledger>("ledger");
    }
    if has("a") {
        model = model.canister::<Counter>("a");
    }
    if has("b") {
        model = model.canister::<Slow>("b");
    }
    model
}

/// The counter.
pub struct Counter;

impl Canister for Counter {
    type State = counter::State;

    fn init(_: &[u8]) -> Result<counter::State, String> {
        Ok(counter::State::default())
    }

    async fn call(host: LoomHost<counter::State>, message: Message) -> Answer {
        match message.method.as_str() {
            "foo" => {
                counter::foo(&host, message.arg()?).await;
                done()
            }
            "foo_checked" => reply(counter::foo_checked(&host, message.arg()?).await),
            "increment" => {
                counter::increment(&host);
                done()
            }
            "decrement" => {
                counter::decrement(&host);
                done()
            }
            "get_x" => reply(counter::x(&host)),
            _ => message.no_such_method(),
        }
    }
}

/// The slow callee.
pub struct Slow;

impl Canister for Slow {
    type State = ();

    fn init(_: &[u8]) -> Result<(), String> {
        Ok(())
    }

    async fn call(_: LoomHost<()>, message: Message) -> Answer {
        match message.method.as_str() {
            "bar" => reply(slow::SEED.wrapping_mul(slow::MULTIPLIER.wrapping_pow(slow::ITERATIONS))),
            _ => message.no_such_method(),
        }
    }
}

/// The ledger.
pub struct Ledger;

impl Canister for Ledger {
    type State = ledger::State;

    fn init(arg: &[u8]) -> Result<ledger::State, String> {
        let arg = candid::decode_one(arg).map_err(|error| error.to_string())?;
        Ok(ledger::State::new(arg))
    }

    async fn call(host: LoomHost<ledger::State>, message: Message) -> Answer {
        match message.method.as_str() {
            "icrc1_transfer" => reply(ledger::icrc1_transfer(&host, message.caller, message.arg()?)),
            "icrc1_balance_of" => reply(ledger::icrc1_balance_of(&host, message.arg()?)),
            "icrc1_total_supply" => reply(ledger::icrc1_total_supply(&host)),
            "icrc1_fee" => reply(ledger::icrc1_fee(&host)),
            _ => message.no_such_method(),
        }
    }
}

/// The vault.
pub struct Vault;

impl Canister for Vault {
    type State = vault::State;

    fn init(arg: &[u8]) -> Result<vault::State, String> {
        let arg: Result<(Principal, Principal, u64), _> = candid::decode_args(arg);
        let (ledger, owner, balance) = arg.map_err(|error| error.to_string())?;
        Ok(vault::State::new(ledger, owner, balance))
    }

    async fn call(host: LoomHost<vault::State>, message: Message) -> Answer {
        match message.method.as_str() {
            "deposit" => reply(vault::deposit(&host, message.arg()?)),
            "get_balance" => reply(vault::balance(&host)),
            "pending" => reply(vault::pending(&host)),
            "withdraw_stale" => reply(vault::withdraw_stale(&host, message.arg()?).await),
            "withdraw_rollback" => reply(vault::withdraw_rollback(&host, message.arg()?).await),
            "withdraw_sound" => reply(vault::withdraw_sound(&host, message.arg()?).await),
            "reconcile" => reply(vault::reconcile(&host).await),
            _ => message.no_such_method(),
        }
    }
}
