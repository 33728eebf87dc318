//! A wish to end early, from another thread: a run that is interrupted says what it found so far.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use wasmtime::{Engine, EngineWeak};

/// Whether a run should end. Clones share it.
#[derive(Clone, Default)]
pub struct Interrupt(Arc<Shared>);

#[derive(Default)]
struct Shared {
    requested: AtomicBool,
    engines: Mutex<Vec<EngineWeak>>,
}

impl Interrupt {
    /// Asks for the end. Executions that run now are stopped; what they would have done stays unknown.
    pub fn request(&self) {
        self.0.requested.store(true, Ordering::SeqCst);
        let engines = self.0.engines.lock().unwrap_or_else(PoisonError::into_inner);
        engines.iter().filter_map(EngineWeak::upgrade).for_each(|engine| engine.increment_epoch());
    }

    /// Whether the end was asked for.
    pub fn is_requested(&self) -> bool {
        self.0.requested.load(Ordering::Relaxed)
    }

    /// What runs in this engine is stopped, too.
    pub(super) fn stops(&self, engine: &Engine) {
        let mut engines = self.0.engines.lock().unwrap_or_else(PoisonError::into_inner);
        engines.retain(|other| other.upgrade().is_some_and(|other| !Engine::same(&other, engine)));
        engines.push(engine.weak());
    }
}

impl fmt::Debug for Interrupt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Interrupt").field(&self.is_requested()).finish()
    }
}
