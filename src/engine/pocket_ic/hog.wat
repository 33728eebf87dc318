;; Burns instructions: see hog.rs.
(module
  (import "ic0" "msg_arg_data_copy" (func $arg_copy (param i32 i32 i32)))
  (import "ic0" "msg_reply" (func $reply))
  (memory 1)
  (func (export "canister_update burn") (local $turns i64)
    ;; Behind what is filled.
    (call $arg_copy (i32.const 16384) (i32.const 0) (i32.const 8))
    (local.set $turns (i64.load (i32.const 16384)))
    (block $end
      (br_if $end (i64.eqz (local.get $turns)))
      (loop $turn
        ;; Constants 3, the filling 100 and its 9,888 bytes.
        (memory.fill (i32.const 0) (i32.const 0) (i32.const 9888))
        ;; 9 more, of which the branch is 2.
        (local.set $turns (i64.sub (local.get $turns) (i64.const 1)))
        (br_if $turn (i64.ne (local.get $turns) (i64.const 0)))))
    (call $reply)))
