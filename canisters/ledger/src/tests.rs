//! What a transfer moves, and when a repetition is recognised.

use crate::handlers::{self, DRIFT_NS, InitArg, State, WINDOW_NS};
use crate::host::{CallError, Host, Wait};
use crate::icrc1::{Account, TransferArg, TransferError};
use candid::{Nat, Principal};
use std::cell::{Cell, RefCell};

const ALICE: Principal = Principal::from_slice(&[1]);
const BOB: Principal = Principal::from_slice(&[2]);
const START_NS: u64 = 2 * WINDOW_NS;

struct Fake {
    state: RefCell<State>,
    now_ns: Cell<u64>,
}

impl Host for Fake {
    type State = State;

    fn state<R>(&self, access: impl FnOnce(&mut State) -> R) -> R {
        access(&mut self.state.borrow_mut())
    }

    async fn call(&self, _: Principal, _: &str, _: Vec<u8>, _: Wait) -> Result<Vec<u8>, CallError> {
        panic!("the ledger calls nobody")
    }

    fn now_ns(&self) -> u64 {
        self.now_ns.get()
    }
}

/// A ledger with a fee of 1 on which Alice holds 100.
fn ledger() -> Fake {
    let arg = InitArg { fee: Nat::from(1u8), balances: vec![(ALICE, Nat::from(100u8))] };
    Fake { state: RefCell::new(State::new(arg)), now_ns: Cell::new(START_NS) }
}

fn to_bob(amount: u8, created_at_time: Option<u64>) -> TransferArg {
    TransferArg {
        from_subaccount: Some([0; 32]),
        to: Account::of(BOB),
        amount: Nat::from(amount),
        fee: None,
        memo: None,
        created_at_time,
    }
}

/// What Alice, Bob and all together hold.
fn balances(ledger: &Fake) -> [Nat; 3] {
    [
        handlers::icrc1_balance_of(ledger, Account::of(ALICE)),
        handlers::icrc1_balance_of(ledger, Account::of(BOB)),
        handlers::icrc1_total_supply(ledger),
    ]
}

#[test]
fn transfer_moves_the_amount_and_burns_the_fee() {
    let ledger = ledger();
    let block = handlers::icrc1_transfer(&ledger, ALICE, to_bob(30, None));
    assert_eq!(block, Ok(Nat::from(0u8)));
    assert_eq!(balances(&ledger), [69u8, 30, 99].map(Nat::from));
}

#[test]
fn refused_transfer_moves_nothing() {
    let ledger = ledger();
    let balance = Nat::from(100u8);
    let refusal = Err(TransferError::InsufficientFunds { balance });
    let result = handlers::icrc1_transfer(&ledger, ALICE, to_bob(100, None));
    assert_eq!(result, refusal);
    let mut arg = to_bob(30, None);
    arg.fee = Some(Nat::from(0u8));
    let expected_fee = Nat::from(1u8);
    let refusal = Err(TransferError::BadFee { expected_fee });
    assert_eq!(handlers::icrc1_transfer(&ledger, ALICE, arg), refusal);
    assert_eq!(balances(&ledger), [100u8, 0, 100].map(Nat::from));
}

#[test]
fn repetition_is_recognised_as_long_as_it_is_not_too_old() {
    let ledger = ledger();
    let send = || handlers::icrc1_transfer(&ledger, ALICE, to_bob(60, Some(START_NS)));
    let duplicate_of = Nat::from(0u8);
    let duplicate = Err(TransferError::Duplicate { duplicate_of });
    assert_eq!(send(), Ok(Nat::from(0u8)));
    assert_eq!(send(), duplicate); // Although the funds would not suffice.
    ledger.now_ns.set(START_NS + WINDOW_NS + DRIFT_NS);
    assert_eq!(send(), duplicate);
    ledger.now_ns.set(START_NS + WINDOW_NS + DRIFT_NS + 1);
    assert_eq!(send(), Err(TransferError::TooOld));
    ledger.now_ns.set(START_NS - DRIFT_NS - 1);
    let ledger_time = START_NS - DRIFT_NS - 1;
    let refusal = Err(TransferError::CreatedInFuture { ledger_time });
    assert_eq!(send(), refusal);
    assert_eq!(balances(&ledger), [39u8, 60, 99].map(Nat::from));
}
