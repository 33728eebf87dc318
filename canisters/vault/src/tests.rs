//! The vault's outcome table, on a host whose ledger answers what the test says.

use crate::handlers::{self, State};
use crate::host::{CallError, Host, Wait};
use crate::icrc1::TransferError;
use candid::{Nat, Principal};
use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

type Response = Result<Vec<u8>, CallError>;

/// A vault of 100 whose calls end with the next answer given; without one they stay open.
struct Fake {
    state: RefCell<State>,
    answer: RefCell<Option<Response>>,
    sent: RefCell<Vec<Vec<u8>>>,
    now_ns: Cell<u64>,
}

impl Host for Fake {
    type State = State;

    fn state<R>(&self, access: impl FnOnce(&mut State) -> R) -> R {
        access(&mut self.state.borrow_mut())
    }

    async fn call(&self, _: Principal, _: &str, arg: Vec<u8>, _: Wait) -> Response {
        self.sent.borrow_mut().push(arg);
        poll_fn(|_| match self.answer.take() {
            Some(answer) => Poll::Ready(answer),
            None => Poll::Pending,
        })
        .await
    }

    fn now_ns(&self) -> u64 {
        self.now_ns.replace(self.now_ns.get() + 1)
    }
}

impl Fake {
    fn new() -> Self {
        let principal = Principal::anonymous();
        Self {
            state: RefCell::new(State::new(principal, principal, 100)),
            answer: RefCell::new(None),
            sent: RefCell::new(Vec::new()),
            now_ns: Cell::new(1),
        }
    }

    fn answer(&self, response: Response) {
        *self.answer.borrow_mut() = Some(response);
    }

    /// What the book says, and what is pending.
    fn book(&self) -> (u64, u64) {
        (handlers::balance(self), handlers::pending(self))
    }

    fn run<T>(&self, response: Response, handler: impl Future<Output = T>) -> T {
        self.answer(response);
        end(pin!(handler))
    }
}

fn poll<T>(handler: Pin<&mut impl Future<Output = T>>) -> Poll<T> {
    handler.poll(&mut Context::from_waker(Waker::noop()))
}

fn end<T>(handler: Pin<&mut impl Future<Output = T>>) -> T {
    match poll(handler) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("the call has an answer"),
    }
}

fn reply(result: Result<Nat, TransferError>) -> Response {
    Ok(candid::encode_one(result).expect("a reply can be encoded"))
}

fn paid() -> Response {
    reply(Ok(Nat::from(7u8)))
}

fn duplicate() -> Response {
    let duplicate_of = Nat::from(7u8);
    reply(Err(TransferError::Duplicate { duplicate_of }))
}

fn bad_fee() -> Response {
    let expected_fee = Nat::from(1u8);
    reply(Err(TransferError::BadFee { expected_fee }))
}

#[test]
fn stale_withdrawals_that_overlap_forget_one_payment() {
    let vault = Fake::new();
    let mut first = pin!(handlers::withdraw_stale(&vault, 30));
    let mut second = pin!(handlers::withdraw_stale(&vault, 50));
    assert!(poll(first.as_mut()).is_pending());
    assert!(poll(second.as_mut()).is_pending());
    assert!(vault.run(paid(), first));
    assert!(vault.run(paid(), second));
    assert_eq!(vault.book(), (50, 0)); // 80 are paid.
}

#[test]
fn rollback_makes_money_and_believes_every_reply() {
    let vault = Fake::new();
    let rejected = Err(CallError::SYS_TRANSIENT);
    let result = vault.run(rejected, handlers::withdraw_rollback(&vault, 30));
    assert_eq!(result, Err(String::from("call rejected with code 2")));
    assert_eq!(vault.book(), (130, 0));

    let vault = Fake::new();
    let result = vault.run(bad_fee(), handlers::withdraw_rollback(&vault, 30));
    assert_eq!((result, vault.book()), (Ok(()), (70, 0)));

    let vault = Fake::new();
    let result = vault.run(bad_fee(), handlers::withdraw_rollback(&vault, 101));
    assert_eq!((result, vault.book()), (Ok(()), (u64::MAX, 0)));
}

#[test]
fn sound_withdrawal_has_three_outcomes() {
    let not_paid = (100, 0);
    let unknown = (70, 30);
    let table = [
        (paid(), true, (70, 0)),
        (duplicate(), true, (70, 0)),
        (bad_fee(), false, not_paid),
        (Err(CallError::NotSent), false, not_paid),
        (Err(CallError::SYS_FATAL), false, not_paid),
        (Err(CallError::SYS_TRANSIENT), false, not_paid),
        (Err(CallError::DESTINATION_INVALID), false, not_paid),
        (Err(CallError::CANISTER_REJECT), false, unknown),
        (Err(CallError::CANISTER_ERROR), false, unknown),
        (Err(CallError::SYS_UNKNOWN), false, unknown),
        (Ok(b"not Candid".to_vec()), false, unknown),
    ];
    for (response, is_ok, book) in table {
        let vault = Fake::new();
        let result = vault.run(response.clone(), handlers::withdraw_sound(&vault, 30));
        assert_eq!((result.is_ok(), vault.book()), (is_ok, book), "{response:?}");
    }
    let vault = Fake::new();
    let result = vault.run(paid(), handlers::withdraw_sound(&vault, 101));
    assert_eq!((result.is_ok(), vault.book()), (false, (100, 0)));
    assert!(vault.sent.borrow().is_empty());
}

#[test]
fn reconcile_repeats_the_same_bytes_and_never_refunds() {
    let table = [
        (paid(), 0, (70, 0)),
        (duplicate(), 0, (70, 0)),
        (bad_fee(), 1, (70, 30)),
        (Err(CallError::SYS_TRANSIENT), 1, (70, 30)),
        (Err(CallError::SYS_UNKNOWN), 1, (70, 30)),
    ];
    for (response, unknown, book) in table {
        let vault = Fake::new();
        let lost = Err(CallError::SYS_UNKNOWN);
        assert!(vault.run(lost, handlers::withdraw_sound(&vault, 30)).is_err());
        let still_unknown = vault.run(response, handlers::reconcile(&vault));
        assert_eq!((still_unknown, vault.book()), (unknown, book));
        let sent = vault.sent.borrow();
        assert_eq!((sent.len(), &sent[0]), (2, &sent[1]));
    }
}

#[test]
fn two_reconciles_send_each_payment_once() {
    let vault = Fake::new();
    let lost = Err(CallError::SYS_UNKNOWN);
    assert!(vault.run(lost, handlers::withdraw_sound(&vault, 30)).is_err());
    let mut first = pin!(handlers::reconcile(&vault));
    assert!(poll(first.as_mut()).is_pending());
    assert_eq!(end(pin!(handlers::reconcile(&vault))), 1);
    assert_eq!(vault.sent.borrow().len(), 2);
    assert_eq!(vault.run(duplicate(), first), 0);
}

#[test]
fn reconcile_leaves_a_first_request_alone() {
    let vault = Fake::new();
    let mut withdrawal = pin!(handlers::withdraw_sound(&vault, 30));
    assert!(poll(withdrawal.as_mut()).is_pending());
    assert_eq!(end(pin!(handlers::reconcile(&vault))), 0);
    assert_eq!(vault.sent.borrow().len(), 1);
    assert_eq!(vault.book(), (70, 30));
}

#[test]
fn dropped_request_is_left_to_reconcile() {
    let vault = Fake::new();
    {
        let mut withdrawal = pin!(handlers::withdraw_sound(&vault, 30));
        assert!(poll(withdrawal.as_mut()).is_pending());
    }
    assert_eq!(vault.book(), (70, 30));
    assert_eq!(vault.run(duplicate(), handlers::reconcile(&vault)), 0);
    assert_eq!(vault.book(), (70, 0));
}
