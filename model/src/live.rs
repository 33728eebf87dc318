//! Canisters with their state types hidden: installed ones, which every execution starts from, and live ones.
//!
//! In: a [`Canister`]. Out: executions of its handlers as futures that the world polls by hand, and answers of queries, which
//! run on a copy of the state and change nothing.

use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use crate::canister::{Answer, Canister, Message};
use crate::loom_host::{LoomHost, Mailbox};

/// An installed canister in its first state. Every execution of the model boots a copy.
pub(crate) trait Installed: Send + Sync {
    fn boot(&self) -> Box<dyn Live>;
}

/// A canister within one execution.
pub(crate) trait Live {
    /// Begins to execute a message; the handler runs when it is polled.
    fn begin(&self, message: Message) -> Handler;

    /// What a query answers in the state of now; the state stays as it is.
    fn query(&self, message: Message) -> Result<Vec<u8>, String>;

    /// The canister in its state of now, as the first state of other executions.
    fn install(&self) -> Box<dyn Installed>;
}

/// A handler that has not ended, with the mailbox of its call context.
pub(crate) struct Handler {
    pub mailbox: Rc<RefCell<Mailbox>>,
    future: Pin<Box<dyn Future<Output = Answer>>>,
}

impl Handler {
    /// Runs the handler to its end or to its next await.
    pub fn poll(&mut self) -> Option<Answer> {
        match self.future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(answer) => Some(answer),
            Poll::Pending => None,
        }
    }
}

/// Installs a canister with its `init` argument.
pub(crate) fn install<C: Canister>(arg: &[u8]) -> Result<Box<dyn Installed>, String> {
    Ok(Box::new(First::<C>(C::init(arg)?)))
}

struct First<C: Canister>(C::State);

impl<C: Canister> Installed for First<C> {
    fn boot(&self) -> Box<dyn Live> {
        Box::new(Running::<C>(Rc::new(RefCell::new(self.0.clone()))))
    }
}

struct Running<C: Canister>(Rc<RefCell<C::State>>);

impl<C: Canister> Running<C> {
    fn begin_on(state: Rc<RefCell<C::State>>, message: Message) -> Handler {
        let (host, mailbox) = LoomHost::new(state);
        Handler { mailbox, future: Box::pin(C::call(host, message)) }
    }
}

impl<C: Canister> Live for Running<C> {
    fn begin(&self, message: Message) -> Handler {
        Self::begin_on(self.0.clone(), message)
    }

    fn query(&self, message: Message) -> Result<Vec<u8>, String> {
        let copy = Rc::new(RefCell::new(self.0.borrow().clone()));
        match Self::begin_on(copy, message).poll() {
            Some(Ok(bytes)) => Ok(bytes),
            Some(Err(error)) => Err(error.to_string()),
            None => Err("a query cannot make calls".to_string()),
        }
    }

    fn install(&self) -> Box<dyn Installed> {
        Box::new(First::<C>(self.0.borrow().clone()))
    }
}
