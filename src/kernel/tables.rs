//! The kernel's tables of values that are kept once.

use std::sync::Arc;

use candid::Principal;

use super::intern::Interner;
use super::world::NOT_STARTED;
use super::{CallTree, Input, Message, Response, SystemState};

/// Values kept once.
pub(super) struct Tables {
    pub(super) names: Interner<String>,
    pub(super) blobs: Interner<Arc<[u8]>>,
    pub(super) principals: Interner<Principal>,
    pub(super) responses: Interner<Response>,
    pub(super) messages: Interner<Message>,
    pub(super) trees: Interner<Arc<CallTree>>,
    pub(super) systems: Interner<SystemState>,
    pub(super) controllers: Interner<Arc<[Principal]>>,
}

impl Tables {
    pub(super) fn new() -> Tables {
        let mut trees = Interner::default();
        let mark = CallTree { answer: Some(u32::MAX), ..CallTree::default() };
        assert_eq!(trees.intern(Arc::new(mark)), NOT_STARTED, "bug in canloom: the first tree stands for no tree");
        Tables {
            names: Interner::default(),
            blobs: Interner::default(),
            principals: Interner::default(),
            responses: Interner::default(),
            messages: Interner::default(),
            trees,
            systems: Interner::default(),
            controllers: Interner::default(),
        }
    }

    pub(super) fn intern_call(&mut self, method: &str, arg: &[u8]) -> u32 {
        let method = self.names.intern(method.to_string());
        let arg = self.blobs.intern(Arc::from(arg));
        self.messages.intern(Message::Call { method, arg })
    }

    pub(super) fn intern_query(&mut self, method: &str, arg: &[u8]) -> u32 {
        let method = self.names.intern(method.to_string());
        let arg = self.blobs.intern(Arc::from(arg));
        self.messages.intern(Message::Query { method, arg })
    }

    pub(super) fn input(&self, message: u32) -> Input<'_> {
        match self.messages.value(message) {
            Message::Call { method, arg } => {
                Input::Call { method: self.names.value(*method), arg: self.blobs.value(*arg) }
            }
            Message::Query { method, arg } => {
                Input::Query { method: self.names.value(*method), arg: self.blobs.value(*arg) }
            }
            Message::Callback { function, response } => {
                Input::Callback { function: *function, response: self.responses.value(*response) }
            }
            Message::CompositeCallback { function, response } => {
                Input::CompositeCallback { function: *function, response: self.responses.value(*response) }
            }
            Message::CompositeCleanup { function, response } => {
                Input::CompositeCleanup { function: *function, response: self.responses.value(*response) }
            }
            Message::Task(task) => Input::Task(*task),
            Message::Transform { method, arg } => {
                Input::Transform { method: self.names.value(*method), arg: self.blobs.value(*arg) }
            }
            Message::Inspect { method, arg } => {
                Input::Inspect { method: self.names.value(*method), arg: self.blobs.value(*arg) }
            }
            Message::Init { arg } => Input::Init { arg: self.blobs.value(*arg) },
            Message::PreUpgrade => Input::PreUpgrade,
            Message::PostUpgrade { arg } => Input::PostUpgrade { arg: self.blobs.value(*arg) },
            Message::Cleanup { function, response } => {
                Input::Cleanup { function: *function, response: self.responses.value(*response) }
            }
        }
    }
}
