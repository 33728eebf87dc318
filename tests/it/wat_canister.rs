//! Small canisters as text: a head with the system API and a few helpers, and bodies written by the tests.
//!
//! Helpers leave no trace in memory, so that two worlds differ in nothing but what a test writes. Methods have names of one
//! letter; `'g'` stands for method `g` in `$to`.
//!
//! ```text
//! heap     0 DIDL nat32   12 DIDL nothing   32 ids, 16 bytes each   512 A to Z, a to z   1000 scratch   2048 free
//! $number  replies a nat32      $reply  replies nothing      $arg     first nat32 of the argument
//! $to      begins a call of a method of a canister, with one callback for reply and reject, argument (env : nat32)
//! $send    performs it          $stable_load, $stable_store   one i32 of stable memory
//! ```

use std::fmt::Write as _;

use super::stage::id;

const HEAD: &str = r#"
  (import "ic0" "msg_arg_data_size" (func $arg_size (result i32)))
  (import "ic0" "msg_arg_data_copy" (func $arg_copy (param i32 i32 i32)))
  (import "ic0" "msg_caller_size" (func $caller_size (result i32)))
  (import "ic0" "msg_caller_copy" (func $caller_copy (param i32 i32 i32)))
  (import "ic0" "msg_reject_code" (func $reject_code (result i32)))
  (import "ic0" "msg_reject_msg_size" (func $reject_size (result i32)))
  (import "ic0" "msg_reject_msg_copy" (func $reject_copy (param i32 i32 i32)))
  (import "ic0" "msg_reply_data_append" (func $append (param i32 i32)))
  (import "ic0" "msg_reply" (func $msg_reply))
  (import "ic0" "msg_reject" (func $msg_reject (param i32 i32)))
  (import "ic0" "msg_deadline" (func $deadline (result i64)))
  (import "ic0" "msg_cycles_available" (func $available (result i64)))
  (import "ic0" "msg_cycles_refunded" (func $refunded (result i64)))
  (import "ic0" "msg_cycles_accept" (func $accept (param i64) (result i64)))
  (import "ic0" "canister_cycle_balance128" (func $balance (param i32)))
  (import "ic0" "call_new" (func $call_new (param i32 i32 i32 i32 i32 i32 i32 i32)))
  (import "ic0" "call_on_cleanup" (func $on_cleanup (param i32 i32)))
  (import "ic0" "call_data_append" (func $data (param i32 i32)))
  (import "ic0" "call_with_best_effort_response" (func $bounded (param i32)))
  (import "ic0" "call_cycles_add" (func $add_cycles (param i64)))
  (import "ic0" "call_perform" (func $perform (result i32)))
  (import "ic0" "stable64_size" (func $size64 (result i64)))
  (import "ic0" "stable64_grow" (func $grow64 (param i64) (result i64)))
  (import "ic0" "stable64_read" (func $read64 (param i64 i64 i64)))
  (import "ic0" "stable64_write" (func $write64 (param i64 i64 i64)))
  (import "ic0" "global_timer_set" (func $timer_set (param i64) (result i64)))
  (import "ic0" "time" (func $time (result i64)))
  (import "ic0" "canister_status" (func $status (result i32)))
  (import "ic0" "debug_print" (func $print (param i32 i32)))
  (import "ic0" "trap" (func $trap (param i32 i32)))
"#;

const HELPERS: &str = r#"
  (data (i32.const 0) "DIDL\00\01\79")
  (data (i32.const 12) "DIDL\00\00")
  (data (i32.const 512) "ABCDEFGHIJKLMNOPQRSTUVWXYZ")
  (data (i32.const 544) "abcdefghijklmnopqrstuvwxyz")
  (func $reply (call $append (i32.const 12) (i32.const 6)) (call $msg_reply))
  (func $number (param i32)
    (i32.store (i32.const 7) (local.get 0))
    (call $append (i32.const 0) (i32.const 11))
    (i32.store (i32.const 7) (i32.const 0))
    (call $msg_reply))
  (func $arg (result i32) (local i32)
    (call $arg_copy (i32.const 1000) (i32.const 7) (i32.const 4))
    (local.set 0 (i32.load (i32.const 1000)))
    (i32.store (i32.const 1000) (i32.const 0))
    (local.get 0))
  (func $to (param $canister i32) (param $letter i32) (param $callback i32) (param $env i32)
    (call $call_new (i32.add (i32.const 32) (i32.mul (local.get $canister) (i32.const 16))) (i32.const 10)
      (i32.add (i32.const 512) (i32.sub (local.get $letter) (i32.const 65))) (i32.const 1)
      (local.get $callback) (local.get $env) (local.get $callback) (local.get $env))
    (i32.store (i32.const 7) (local.get $env))
    (call $data (i32.const 0) (i32.const 11))
    (i32.store (i32.const 7) (i32.const 0)))
  (func $stable_size (result i32) (i32.wrap_i64 (call $size64)))
  (func $stable_grow (param i32) (drop (call $grow64 (i64.extend_i32_u (local.get 0)))))
  (func $stable_load (param i32) (result i32) (local i32)
    (call $read64 (i64.const 1000) (i64.extend_i32_u (local.get 0)) (i64.const 4))
    (local.set 1 (i32.load (i32.const 1000)))
    (i32.store (i32.const 1000) (i32.const 0))
    (local.get 1))
  (func $stable_store (param i32 i32)
    (i32.store (i32.const 1000) (local.get 1))
    (call $write64 (i64.extend_i32_u (local.get 0)) (i64.const 1000) (i64.const 4))
    (i32.store (i32.const 1000) (i32.const 0)))
  (func $send (drop (call $perform)))
"#;

/// A canister with this body. Letters in `'x'` become their codes.
pub fn canister(body: &str) -> String {
    canister_with("", body)
}

/// Likewise, with more imports.
pub fn canister_with(imports: &str, body: &str) -> String {
    let mut ids = String::new();
    for canister in 0..8 {
        let at = 32 + 16 * canister;
        let _ = write!(ids, "  (data (i32.const {at}) \"");
        for byte in id(canister).as_slice() {
            let _ = write!(ids, "\\{byte:02x}");
        }
        ids.push_str("\")\n");
    }
    format!("(module\n{HEAD}{imports}  (memory 1)\n{HELPERS}{ids}{})\n", letters(body))
}

fn letters(body: &str) -> String {
    let mut out = String::new();
    let mut rest = body;
    while let Some(at) = rest.find('\'') {
        let letter = rest.as_bytes().get(at + 1).filter(|_| rest[at + 2..].starts_with('\''));
        let letter = letter.unwrap_or_else(|| panic!("'x' is a letter: {}", &rest[at..]));
        let _ = write!(out, "{}{letter}", &rest[..at]);
        rest = &rest[at + 3..];
    }
    out + rest
}

/// A ledger: `t` takes its argument from its total. As every transfer first triples the total, it tells their order.
pub fn ledger() -> String {
    canister(
        r#"(global $total (mut i32) (i32.const 100))
           (func (export "canister_update t")
             (global.set $total (i32.sub (i32.mul (global.get $total) (i32.const 3)) (call $arg)))
             (call $reply))
           (func (export "canister_query total") (call $number (global.get $total)))"#,
    )
}

/// How a caller waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// For a guaranteed response.
    Unbounded,
    /// Until a deadline.
    Bounded,
}

impl Wait {
    /// What is to be called between `$to` and `$send`.
    pub fn wat(self) -> &'static str {
        match self {
            Wait::Unbounded => "",
            Wait::Bounded => "(call $bounded (i32.const 10))",
        }
    }
}

/// A canister whose `w` and `t` await method `t` of these canisters, all at once, and reply when the last has answered.
///
/// The argument goes with each request. It names the counter of answers, so calls with several callees need distinct ones.
pub fn forwarder(callees: &[usize], wait: Wait) -> String {
    let wait = wait.wat();
    let mut calls = String::new();
    for callee in callees {
        let _ = writeln!(
            calls,
            "(call $to (i32.const {callee}) (i32.const 't') (i32.const 0) (local.get 0)) {wait} (call $send)"
        );
    }
    let others = callees.len() - 1;
    canister(&format!(
        r#"(table 1 funcref) (elem (i32.const 0) $answered)
           (func $left (param i32) (result i32) (i32.add (i32.const 2048) (i32.mul (local.get 0) (i32.const 4))))
           (func $answered (param i32) (local i32)
             (local.set 1 (i32.load (call $left (local.get 0))))
             (if (i32.eqz (local.get 1))
               (then (call $reply))
               (else (i32.store (call $left (local.get 0)) (i32.sub (local.get 1) (i32.const 1))))))
           (func $go (local i32)
             (local.set 0 (call $arg))
             (i32.store (call $left (local.get 0)) (i32.const {others}))
             {calls})
           (func (export "canister_update w") (call $go))
           (func (export "canister_update t") (call $go))"#
    ))
}
