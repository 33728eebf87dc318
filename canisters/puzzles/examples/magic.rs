//! A panic after an await, for one argument of 2^64.

use ic_cdk::update;

/// The argument, compared as it came.
const CODE: u64 = 0x9d3b_7c02_51ee_4af6;

#[update]
async fn open(code: u64) -> u64 {
    puzzles::pause().await;
    assert!(code != CODE, "the safe is open");
    code
}

#[update]
fn nothing() {}
