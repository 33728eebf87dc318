//! Runs of schedules on PocketIC: the replica's own code.

pub mod hog;
pub mod stand_in;
