//! The host of a handler under the model.
//!
//! In: what the handler asks of its [`Host`]. Out: requests in a [`Mailbox`], one for each call context. A call is an await
//! point and nothing more: it leaves its request in the mailbox and is pending until the world puts the answer there. No
//! operation of loom happens here; the order of deliveries is decided where messages are delivered.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::rc::Rc;
use std::task::Poll;

use candid::Principal;

use crate::canister::Answer;
use crate::host::{CallError, Host, Wait};

/// Time at which every execution takes place: the model has no clock that advances.
pub(crate) const NOW_NS: u64 = 1_620_633_600_000_000_000;

/// The world as one call context of one canister sees it.
pub struct LoomHost<S> {
    state: Rc<RefCell<S>>,
    mailbox: Rc<RefCell<Mailbox>>,
}

/// Requests of a call context that are not sent yet, and answers that are not consumed yet.
#[derive(Debug, Default)]
pub(crate) struct Mailbox {
    /// Requests of the delivery that is being made, in the order of sending.
    pub outbox: Vec<Outgoing>,
    /// Answers by ticket.
    pub answers: BTreeMap<u32, Answer>,
    tickets: u32,
}

/// A request that leaves a call context.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Outgoing {
    /// Under which its answer is put into the mailbox.
    pub ticket: u32,
    pub callee: Principal,
    pub method: String,
    pub arg: Vec<u8>,
    /// Whether the caller waits until a deadline only.
    pub is_bounded: bool,
}

impl<S> LoomHost<S> {
    pub(crate) fn new(state: Rc<RefCell<S>>) -> (LoomHost<S>, Rc<RefCell<Mailbox>>) {
        let mailbox = Rc::new(RefCell::new(Mailbox::default()));
        (LoomHost { state, mailbox: mailbox.clone() }, mailbox)
    }
}

impl<S> Host for LoomHost<S> {
    type State = S;

    fn state<R>(&self, access: impl FnOnce(&mut S) -> R) -> R {
        access(&mut self.state.borrow_mut())
    }

    fn call(
        &self,
        callee: Principal,
        method: &str,
        arg: Vec<u8>,
        wait: Wait,
    ) -> impl Future<Output = Result<Vec<u8>, CallError>> {
        let is_bounded = wait == Wait::Bounded;
        let mut unsent = Some((method.to_string(), arg));
        let mut ticket = 0;
        poll_fn(move |_| {
            let mut mailbox = self.mailbox.borrow_mut();
            if let Some((method, arg)) = unsent.take() {
                mailbox.tickets += 1;
                ticket = mailbox.tickets;
                mailbox.outbox.push(Outgoing { ticket, callee, method, arg, is_bounded });
            }
            mailbox.answers.remove(&ticket).map_or(Poll::Pending, Poll::Ready)
        })
    }

    fn now_ns(&self) -> u64 {
        NOW_NS
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Waker};

    use super::*;

    #[test]
    fn a_call_is_pending_until_its_own_answer_is_there() {
        let (host, mailbox) = LoomHost::new(Rc::new(RefCell::new(0u8)));
        let mut first = pin!(host.call(Principal::anonymous(), "a", vec![1], Wait::Bounded));
        let mut second = pin!(host.call(Principal::anonymous(), "b", vec![2], Wait::Unbounded));
        let mut context = Context::from_waker(Waker::noop());
        assert!(first.as_mut().poll(&mut context).is_pending());
        assert!(second.as_mut().poll(&mut context).is_pending());
        let sent: Vec<(u32, bool)> =
            mailbox.borrow().outbox.iter().map(|request| (request.ticket, request.is_bounded)).collect();
        assert_eq!(sent, [(1, true), (2, false)]);
        mailbox.borrow_mut().answers.insert(2, Ok(vec![7]));
        assert!(first.as_mut().poll(&mut context).is_pending());
        assert_eq!(second.as_mut().poll(&mut context), Poll::Ready(Ok(vec![7])));
    }
}
