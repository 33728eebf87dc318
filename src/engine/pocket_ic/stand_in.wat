;; Holds calls: see stand_in.rs, which adds `$request_size` and `$digits`, the request at 0, the marker at 1072, and the
;; methods.
;;
;; heap   0 request   1024 "http_request"   1040 cycles accepted   1072 marker   1088 texts of traps   2048 records
;; record open : i32   size : i32   and then `size` bytes as `canloom_pending` tells them:
;;        number : i32   method : i32   caller : i8 and bytes   cycles : i128   argument : i32 and bytes

(import "ic0" "msg_arg_data_size" (func $arg_size (result i32)))
(import "ic0" "msg_arg_data_copy" (func $arg_copy (param i32 i32 i32)))
(import "ic0" "msg_caller_size" (func $caller_size (result i32)))
(import "ic0" "msg_caller_copy" (func $caller_copy (param i32 i32 i32)))
(import "ic0" "msg_cycles_available128" (func $available (param i32)))
(import "ic0" "msg_cycles_accept128" (func $accept (param i64 i64 i32)))
(import "ic0" "msg_reply_data_append" (func $append (param i32 i32)))
(import "ic0" "msg_reply" (func $reply))
(import "ic0" "msg_reject" (func $reject (param i32 i32)))
(import "ic0" "call_new" (func $call_new (param i32 i32 i32 i32 i32 i32 i32 i32)))
(import "ic0" "call_on_cleanup" (func $on_cleanup (param i32 i32)))
(import "ic0" "call_data_append" (func $data (param i32 i32)))
(import "ic0" "call_cycles_add128" (func $add_cycles (param i64 i64)))
(import "ic0" "call_perform" (func $perform (result i32)))
(import "ic0" "trap" (func $trap (param i32 i32)))

(memory 1)
(table 3 funcref)
(elem (i32.const 0) $answered $ask $ended)
(data (i32.const 1024) "http_request")
(data (i32.const 1088) "the call cannot be held: no outcall")
(data (i32.const 1152) "no instruction in the outcall's answer")

;; End of the last record. What lies behind is free for a while.
(global $top (mut i32) (i32.const 2048))

;; Makes the heap reach to here.
(func $room (param $end i32) (local $pages i32)
  (local.set $pages
    (i32.sub (i32.shr_u (i32.add (local.get $end) (i32.const 65535)) (i32.const 16)) (memory.size)))
  (if (i32.gt_s (local.get $pages) (i32.const 0))
    (then (if (i32.eq (memory.grow (local.get $pages)) (i32.const -1)) (then (unreachable))))))

;; A call of this method came: records it and asks what to answer.
(func $hold (param $method i32) (local $at i32) (local $caller i32) (local $size i32) (local $next i32)
  (local.set $at (global.get $top))
  (local.set $caller (call $caller_size))
  (local.set $size (call $arg_size))
  (call $room (i32.add (i32.add (local.get $at) (i32.const 37)) (i32.add (local.get $caller) (local.get $size))))
  (global.set $count (i32.add (global.get $count) (i32.const 1)))
  (i32.store (local.get $at) (i32.const 1))
  (i32.store offset=4 (local.get $at) (i32.add (i32.const 29) (i32.add (local.get $caller) (local.get $size))))
  (i32.store offset=8 (local.get $at) (global.get $count))
  (i32.store offset=12 (local.get $at) (local.get $method))
  (i32.store8 offset=16 (local.get $at) (local.get $caller))
  (call $caller_copy (i32.add (local.get $at) (i32.const 17)) (i32.const 0) (local.get $caller))
  (local.set $next (i32.add (i32.add (local.get $at) (i32.const 17)) (local.get $caller)))
  (call $available (local.get $next))
  (i32.store offset=16 (local.get $next) (local.get $size))
  (local.set $next (i32.add (local.get $next) (i32.const 20)))
  (call $arg_copy (local.get $next) (i32.const 0) (local.get $size))
  (global.set $top (i32.add (local.get $next) (local.get $size)))
  (call $ask (local.get $at)))

;; Makes the outcall of a record, and makes it again when it was rejected.
(func $ask (param $at i32) (local $number i32) (local $place i32)
  (local.set $number (i32.load offset=8 (local.get $at)))
  (local.set $place (i32.const 10))
  (loop $digit
    (local.set $place (i32.sub (local.get $place) (i32.const 1)))
    (i32.store8 (i32.add (global.get $digits) (local.get $place))
      (i32.add (i32.const 48) (i32.rem_u (local.get $number) (i32.const 10))))
    (local.set $number (i32.div_u (local.get $number) (i32.const 10)))
    (br_if $digit (local.get $place)))
  (call $call_new (i32.const 0) (i32.const 0) (i32.const 1024) (i32.const 12)
    (i32.const 0) (local.get $at) (i32.const 1) (local.get $at))
  (call $on_cleanup (i32.const 2) (local.get $at))
  (call $data (i32.const 0) (global.get $request_size))
  (call $add_cycles (i64.const 0) (global.get $price))
  (if (call $perform) (then (call $trap (i32.const 1088) (i32.const 35)))))

;; The outcall of a record was answered: does what the instruction behind the marker says.
(func $answered (param $at i32) (local $here i32) (local $end i32) (local $size i32) (local $kind i32)
  (local.set $here (global.get $top))
  (local.set $size (call $arg_size))
  (local.set $end (i32.add (local.get $here) (local.get $size)))
  (call $room (local.get $end))
  (call $arg_copy (local.get $here) (i32.const 0) (local.get $size))
  (block $found
    (loop $search
      ;; Marker 16, size 4, kind 1, cycles 16.
      (if (i32.lt_u (i32.sub (local.get $end) (local.get $here)) (i32.const 37)) (then (call $lost)))
      (if (i64.eq (i64.load (local.get $here)) (i64.load (i32.const 1072)))
        (then (br_if $found (i64.eq (i64.load offset=8 (local.get $here)) (i64.load (i32.const 1080))))))
      (local.set $here (i32.add (local.get $here) (i32.const 1)))
      (br $search)))
  (local.set $size (i32.load offset=16 (local.get $here)))
  (if (i32.lt_u (local.get $size) (i32.const 17)) (then (call $lost)))
  (if (i32.gt_u (local.get $size) (i32.sub (i32.sub (local.get $end) (local.get $here)) (i32.const 20)))
    (then (call $lost)))
  (local.set $size (i32.sub (local.get $size) (i32.const 17)))
  (local.set $kind (i32.load8_u offset=20 (local.get $here)))
  (call $accept (i64.load offset=29 (local.get $here)) (i64.load offset=21 (local.get $here)) (i32.const 1040))
  (call $ended (local.get $at))
  (local.set $here (i32.add (local.get $here) (i32.const 37)))
  (if (i32.eqz (local.get $kind))
    (then
      (call $append (local.get $here) (local.get $size))
      (call $reply)
      (return)))
  (if (i32.eq (local.get $kind) (i32.const 1))
    (then
      (call $reject (local.get $here) (local.get $size))
      (return)))
  (if (i32.eq (local.get $kind) (i32.const 2)) (then (call $trap (local.get $here) (local.get $size))))
  (call $lost))

(func $lost (call $trap (i32.const 1152) (i32.const 38)))

;; The call of a record is answered. Also the cleanup, since a trap answers a call as well.
(func $ended (param $at i32) (i32.store (local.get $at) (i32.const 0)))

;; Tells the open calls with numbers above that in the argument, as many as a reply can bear.
(func (export "canister_query canloom_pending")
  (local $at i32) (local $above i32) (local $size i32) (local $told i32)
  (if (i32.ge_u (call $arg_size) (i32.const 4))
    (then
      (call $arg_copy (i32.const 1040) (i32.const 0) (i32.const 4))
      (local.set $above (i32.load (i32.const 1040)))))
  (local.set $at (i32.const 2048))
  (block $end
    (loop $record
      (br_if $end (i32.ge_u (local.get $at) (global.get $top)))
      (local.set $size (i32.load offset=4 (local.get $at)))
      (if (i32.and (i32.load (local.get $at)) (i32.gt_u (i32.load offset=8 (local.get $at)) (local.get $above)))
        (then
          (local.set $told (i32.add (local.get $told) (local.get $size)))
          ;; One record of the largest argument always fits.
          (br_if $end (i32.gt_u (local.get $told) (i32.const 2200000)))
          (call $append (i32.add (local.get $at) (i32.const 8)) (local.get $size))))
      (local.set $at (i32.add (i32.add (local.get $at) (i32.const 8)) (local.get $size)))
      (br $record)))
  (call $reply))
