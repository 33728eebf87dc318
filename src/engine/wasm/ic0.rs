//! The system API as a table: every function of module `ic0`, its type and where it may be called.
//!
//! Source: interface specification, section "System imports"; the letters are those of its table (docs/semantics.md).
//! In: a name. Out: its row. What the functions do is in `syscalls`.

/// Where an execution is; decides which system functions it may call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Mode {
    /// `start` function.
    Start = 1 << 0,
    /// `canister_init`, `canister_post_upgrade`.
    Init = 1 << 1,
    /// `canister_pre_upgrade`.
    PreUpgrade = 1 << 2,
    /// Update method.
    Update = 1 << 3,
    /// Query method called in replicated mode.
    ReplicatedQuery = 1 << 4,
    /// Query method called as a query.
    Query = 1 << 5,
    /// Reply callback.
    Reply = 1 << 6,
    /// Reject callback.
    Reject = 1 << 7,
    /// Cleanup callback.
    Cleanup = 1 << 8,
    /// `canister_heartbeat`.
    Heartbeat = 1 << 9,
    /// `canister_inspect_message`.
    Inspect = 1 << 10,
    /// `canister_global_timer`.
    Timer = 1 << 11,
    /// `canister_on_low_wasm_memory`.
    LowMemory = 1 << 12,
    /// Query method that transforms the response to an HTTP outcall.
    Transform = 1 << 13,
    /// Composite query method called as a query.
    CompositeQuery = 1 << 14,
    /// Reply callback of a composite query.
    CompositeReply = 1 << 15,
    /// Reject callback of a composite query.
    CompositeReject = 1 << 16,
    /// Cleanup callback of a composite query.
    CompositeCleanup = 1 << 17,
}

impl Mode {
    /// As the replica's error texts call it.
    pub fn name(self) -> &'static str {
        match self {
            Mode::Start => "start",
            Mode::Init => "init",
            Mode::PreUpgrade => "pre upgrade",
            Mode::Update => "update",
            Mode::ReplicatedQuery => "replicated query",
            Mode::Query => "non replicated query",
            Mode::Reply => "reply callback",
            Mode::Reject => "reject callback",
            Mode::Cleanup => "cleanup",
            Mode::Heartbeat => "heartbeat",
            Mode::Timer => "global timer",
            Mode::LowMemory => "on low Wasm memory",
            Mode::Transform => "non replicated query",
            Mode::CompositeQuery => "composite query",
            Mode::CompositeReply => "composite reply callback",
            Mode::CompositeReject => "composite reject callback",
            Mode::CompositeCleanup => "composite cleanup",
            Mode::Inspect => "inspect message",
        }
    }

    /// Whether all replicas of the subnet run the execution: `in_replicated_execution`.
    pub fn is_replicated(self) -> bool {
        let outside = NRQ | TQ | F | COMPOSITE | CC;
        self as u32 & outside == 0
    }

    /// Whether what the execution wrote is kept; of a composite query for its callbacks only.
    pub fn keeps_state(self) -> bool {
        !matches!(self, Mode::Query | Mode::ReplicatedQuery | Mode::Transform | Mode::Inspect)
    }
}

const I: u32 = Mode::Init as u32;
const G: u32 = Mode::PreUpgrade as u32;
const U: u32 = Mode::Update as u32;
const RQ: u32 = Mode::ReplicatedQuery as u32;
const NRQ: u32 = Mode::Query as u32;
const RY: u32 = Mode::Reply as u32;
const RT: u32 = Mode::Reject as u32;
const C: u32 = Mode::Cleanup as u32;
const T: u32 = Mode::Heartbeat as u32 | Mode::Timer as u32 | Mode::LowMemory as u32;
const TQ: u32 = Mode::Transform as u32;
const F: u32 = Mode::Inspect as u32;
const CQ: u32 = Mode::CompositeQuery as u32;
const CRY: u32 = Mode::CompositeReply as u32;
const CRT: u32 = Mode::CompositeReject as u32;
const CC: u32 = Mode::CompositeCleanup as u32;
const COMPOSITE: u32 = CQ | CRY | CRT;
const ALL: u32 = I | G | U | RQ | NRQ | TQ | RY | RT | C | T | F | COMPOSITE | CC;
const ALL_AND_START: u32 = ALL | Mode::Start as u32;
const ANSWERING: u32 = U | RQ | NRQ | RY | RT | COMPOSITE;
const PAYING: u32 = U | RY | RT | T;
const CALLING: u32 = PAYING | COMPOSITE;

/// One system function.
#[derive(Debug)]
pub struct Syscall {
    /// Name without `ic0.`.
    pub name: &'static str,
    /// One letter a parameter: `I` an address or size (i32, i64 with a 64-bit memory), `i` i32, `l` i64.
    pub params: &'static str,
    /// Likewise; empty or one letter.
    pub result: &'static str,
    /// Bits of [`Mode`] in which it may be called.
    pub modes: u32,
    /// Whether it exists only for 32-bit memories.
    pub only32: bool,
}

impl Syscall {
    /// Instructions that a call costs beside one for each byte that it moves, as in the replica
    /// (`embedders/src/wasmtime_embedder/system_api_complexity.rs`).
    pub fn cost(&self) -> u64 {
        match self.name {
            "stable_size" | "stable_read" | "stable_write" => 20,
            "stable64_size" | "stable64_read" | "stable64_write" => 20,
            "cycles_burn128" | "debug_print" => 100,
            "performance_counter" => 200,
            "is_controller" => 1_000,
            "call_new" => 1_500,
            "call_perform" => 5_000,
            _ => 500,
        }
    }
}

const fn syscall(name: &'static str, params: &'static str, result: &'static str, modes: u32) -> Syscall {
    Syscall { name, params, result, modes, only32: false }
}

const fn old(name: &'static str, params: &'static str, result: &'static str, modes: u32) -> Syscall {
    Syscall { name, params, result, modes, only32: true }
}

/// Every function of the specification (version 0.66, ic0 1.2), and `mint_cycles128` of the replica.
pub const SYSCALLS: &[Syscall] = &[
    syscall("msg_arg_data_size", "", "I", I | U | RQ | NRQ | TQ | RY | F | CQ | CRY),
    syscall("msg_arg_data_copy", "III", "", I | U | RQ | NRQ | TQ | RY | F | CQ | CRY),
    syscall("msg_caller_size", "", "I", ALL),
    syscall("msg_caller_copy", "III", "", ALL),
    syscall("msg_caller_info_data_size", "", "I", ANSWERING | C | F | CC),
    syscall("msg_caller_info_data_copy", "III", "", ANSWERING | C | F | CC),
    syscall("msg_caller_info_signer_size", "", "I", ANSWERING | C | F | CC),
    syscall("msg_caller_info_signer_copy", "III", "", ANSWERING | C | F | CC),
    syscall("msg_reject_code", "", "i", RY | RT | C | CRY | CRT | CC),
    syscall("msg_reject_msg_size", "", "I", RT | CRT),
    syscall("msg_reject_msg_copy", "III", "", RT | CRT),
    syscall("msg_deadline", "", "l", ANSWERING),
    syscall("msg_reply_data_append", "II", "", ANSWERING | TQ),
    syscall("msg_reply", "", "", ANSWERING | TQ),
    syscall("msg_reject", "II", "", ANSWERING | TQ),
    syscall("msg_cycles_available128", "I", "", U | RQ | RY | RT),
    old("msg_cycles_available", "", "l", U | RQ | RY | RT),
    syscall("msg_cycles_refunded128", "I", "", RY | RT),
    old("msg_cycles_refunded", "", "l", RY | RT),
    syscall("msg_cycles_accept128", "llI", "", U | RQ | RY | RT),
    old("msg_cycles_accept", "l", "l", U | RQ | RY | RT),
    syscall("cycles_burn128", "llI", "", I | G | U | RQ | RY | RT | C | T),
    syscall("mint_cycles128", "llI", "", U | RY | RT | T),
    syscall("canister_self_size", "", "I", ALL),
    syscall("canister_self_copy", "III", "", ALL),
    syscall("canister_cycle_balance128", "I", "", ALL),
    old("canister_cycle_balance", "", "l", ALL),
    syscall("canister_liquid_cycle_balance128", "I", "", ALL),
    syscall("canister_status", "", "i", ALL),
    syscall("canister_version", "", "l", ALL),
    syscall("subnet_self_size", "", "I", ALL),
    syscall("subnet_self_copy", "III", "", ALL),
    syscall("subnet_self_node_count", "", "i", ALL),
    syscall("msg_method_name_size", "", "I", F),
    syscall("msg_method_name_copy", "III", "", F),
    syscall("accept_message", "", "", F),
    syscall("call_new", "IIIIIIII", "", CALLING),
    syscall("call_on_cleanup", "II", "", CALLING),
    syscall("call_data_append", "II", "", CALLING),
    syscall("call_with_best_effort_response", "i", "", CALLING),
    syscall("call_cycles_add128", "ll", "", PAYING),
    old("call_cycles_add", "l", "", PAYING),
    syscall("call_perform", "", "i", CALLING),
    syscall("stable64_size", "", "l", ALL_AND_START),
    syscall("stable64_grow", "l", "l", ALL_AND_START),
    syscall("stable64_read", "lll", "", ALL_AND_START),
    syscall("stable64_write", "lll", "", ALL_AND_START),
    old("stable_size", "", "i", ALL_AND_START),
    old("stable_grow", "i", "i", ALL_AND_START),
    old("stable_read", "iii", "", ALL_AND_START),
    old("stable_write", "iii", "", ALL_AND_START),
    syscall("root_key_size", "", "I", I | G | U | RQ | RY | RT | C | T),
    syscall("root_key_copy", "III", "", I | G | U | RQ | RY | RT | C | T),
    syscall("certified_data_set", "II", "", I | G | U | RY | RT | T),
    syscall("data_certificate_present", "", "i", ALL),
    syscall("data_certificate_size", "", "I", NRQ | CQ),
    syscall("data_certificate_copy", "III", "", NRQ | CQ),
    syscall("time", "", "l", ALL),
    syscall("global_timer_set", "l", "l", I | G | U | RY | RT | C | T),
    syscall("performance_counter", "i", "l", ALL_AND_START),
    syscall("is_controller", "II", "i", ALL_AND_START),
    syscall("in_replicated_execution", "", "i", ALL_AND_START),
    syscall("cost_call", "llI", "", ALL_AND_START),
    syscall("cost_create_canister", "I", "", ALL_AND_START),
    syscall("cost_http_request", "llI", "", ALL_AND_START),
    syscall("cost_http_request_v2", "III", "", ALL_AND_START),
    syscall("cost_sign_with_ecdsa", "IIiI", "i", ALL_AND_START),
    syscall("cost_sign_with_schnorr", "IIiI", "i", ALL_AND_START),
    syscall("cost_vetkd_derive_key", "IIiI", "i", ALL_AND_START),
    syscall("env_var_count", "", "I", ALL),
    syscall("env_var_name_size", "I", "I", ALL),
    syscall("env_var_name_copy", "IIII", "", ALL),
    syscall("env_var_name_exists", "II", "i", ALL),
    syscall("env_var_value_size", "II", "I", ALL),
    syscall("env_var_value_copy", "IIIII", "", ALL),
    syscall("debug_print", "II", "", ALL_AND_START),
    syscall("trap", "II", "", ALL_AND_START),
];

/// The row of a function.
pub fn find(name: &str) -> Option<&'static Syscall> {
    SYSCALLS.iter().find(|syscall| syscall.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_function_stands_twice_in_the_table() {
        for (at, syscall) in SYSCALLS.iter().enumerate() {
            assert_eq!(SYSCALLS.iter().position(|other| other.name == syscall.name), Some(at), "{}", syscall.name);
        }
    }
}
