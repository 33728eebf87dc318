//! Which engine executes, and a PocketIC server for those commands that ask for one.

#[cfg(feature = "pocket-ic")]
use canloom::engine::pocket_ic::stage::StageError;
#[cfg(feature = "pocket-ic")]
use canloom::engine::pocket_ic::{Program, Server};

use super::Failure;

/// Who executes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Engine {
    /// Our own engine: every order, fast.
    #[default]
    Embedded,
    /// The replica's own code, on a PocketIC server: the one that POCKET_IC_BIN names.
    PocketIc,
}

/// A server of this machine, started; it ends with this process.
#[cfg(feature = "pocket-ic")]
pub fn server() -> Result<Server, Failure> {
    let program = Program::find().map_err(Failure::outside)?;
    Server::start(&program).map_err(Failure::outside)
}

/// Says now what [`server`] would say after a long search.
#[cfg(feature = "pocket-ic")]
pub fn check() -> Result<(), Failure> {
    Program::find().map(drop).map_err(Failure::outside)
}

/// Likewise: there is none without the feature.
#[cfg(not(feature = "pocket-ic"))]
pub fn check() -> Result<(), Failure> {
    Err(missing())
}

/// A scenario that cannot be played on a replica.
#[cfg(feature = "pocket-ic")]
pub fn unplayable(error: StageError) -> Failure {
    use canloom::engine::embedded::EmbeddedError;
    match error {
        StageError::Replica(_) | StageError::Embedded(EmbeddedError::Machine(_)) => Failure::outside(error),
        StageError::Scenario(_) | StageError::Embedded(_) => Failure::input(error),
        StageError::NotExpressible(_) => Failure { exit: super::Exit::Inconclusive, text: error.to_string() },
        StageError::Diverged(_) => Failure { exit: super::Exit::Divergence, text: error.to_string() },
    }
}

/// What is said without the feature.
#[cfg(not(feature = "pocket-ic"))]
pub fn missing() -> Failure {
    Failure::outside(
        "this canloom was built without PocketIC; build it with the feature `pocket-ic`, which is on by default",
    )
}
