//! The kernel's tables of values that are kept once, shared by all its forks.

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
    pub(super) trees: Interner<KeptTree>,
    pub(super) systems: Interner<SystemState>,
    pub(super) controllers: Interner<Arc<[Principal]>>,
}

/// A tree with the hash of what it says, which unlike its ids is the same in every run.
#[derive(PartialEq, Eq)]
pub(super) struct KeptTree {
    pub(super) tree: Arc<CallTree>,
    pub(super) hash: u128,
}

impl Tables {
    pub(super) fn new() -> Tables {
        let trees = Interner::default();
        let mark = KeptTree { tree: Arc::default(), hash: 0 };
        assert_eq!(trees.intern_hashed(mark, 0), NOT_STARTED, "bug in canloom: the first tree stands for no tree");
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

    /// The id of a tree.
    pub(super) fn intern_tree(&self, tree: CallTree) -> u32 {
        let hash = self.content(&tree);
        self.trees.intern_hashed(KeptTree { tree: Arc::new(tree), hash }, hash)
    }

    /// The tree of an id.
    pub(super) fn tree(&self, id: u32) -> &Arc<CallTree> {
        &self.trees.value(id).tree
    }

    /// Hash of what a tree says: ids stand for their values.
    pub(super) fn tree_hash(&self, id: u32) -> u128 {
        self.trees.value(id).hash
    }

    pub(super) fn intern_call(&self, method: &str, arg: &[u8]) -> u32 {
        let method = self.names.intern(method.to_string());
        let arg = self.blobs.intern(Arc::from(arg));
        self.messages.intern(Message::Call { method, arg })
    }

    pub(super) fn intern_query(&self, method: &str, arg: &[u8]) -> u32 {
        let method = self.names.intern(method.to_string());
        let arg = self.blobs.intern(Arc::from(arg));
        self.messages.intern(Message::Query { method, arg })
    }

    pub(super) fn intern_getter(&self, method: &str, arg: &[u8]) -> u32 {
        let method = self.names.intern(method.to_string());
        let arg = self.blobs.intern(Arc::from(arg));
        self.messages.intern(Message::Getter { method, arg })
    }

    pub(super) fn input(&self, message: u32) -> Input<'_> {
        match self.messages.value(message) {
            Message::Call { method, arg } | Message::Getter { method, arg } => {
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
