//! A lock over a whole canister, for methods that await.

use super::Error;
use std::cell::Cell;

thread_local! {
    static IS_HELD: Cell<bool> = const { Cell::new(false) };
}

/// Held until it is dropped: at every return and, because ic-cdk drops what a method holds in a cleanup, after a trap
/// behind an await. It must have a name: `let _ = Lock::take()?` drops it at once.
pub struct Lock(());

impl Lock {
    /// Takes the lock, or says that it is taken.
    pub fn take() -> Result<Self, Error> {
        if IS_HELD.replace(true) { Err(Error::Busy) } else { Ok(Self(())) }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        IS_HELD.set(false);
    }
}

/// Whether somebody holds the lock.
pub fn is_held() -> bool {
    IS_HELD.get()
}
