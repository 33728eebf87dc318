//! Arguments and replies of the management canister, as Candid (interface specification, "The IC management canister").
//! Fields of arguments that nothing here depends on are left out: Candid skips them.

use candid::{CandidType, Deserialize, Nat, Principal};

use super::super::system::Status;

#[derive(CandidType, Deserialize)]
pub(super) struct CanisterArg {
    pub canister_id: Principal,
}

#[derive(CandidType, Deserialize)]
pub(super) struct CreateArg {
    pub settings: Option<Settings>,
}

#[derive(CandidType, Deserialize)]
pub(super) struct UpdateSettingsArg {
    pub canister_id: Principal,
    pub settings: Settings,
}

#[derive(CandidType, Deserialize)]
pub(super) struct Settings {
    pub controllers: Option<Vec<Principal>>,
}

#[derive(CandidType, Deserialize)]
pub(super) enum InstallMode {
    #[serde(rename = "install")]
    Install,
    #[serde(rename = "reinstall")]
    Reinstall,
    #[serde(rename = "upgrade")]
    Upgrade(Option<UpgradeOptions>),
}

#[derive(CandidType, Deserialize)]
pub(super) struct UpgradeOptions {
    pub skip_pre_upgrade: Option<bool>,
}

#[derive(CandidType, Deserialize)]
pub(super) struct InstallArg {
    pub mode: InstallMode,
    pub canister_id: Principal,
    pub wasm_module: Vec<u8>,
    pub arg: Vec<u8>,
}

#[derive(CandidType, Deserialize)]
pub(super) enum StatusWord {
    #[serde(rename = "running")]
    Running,
    #[serde(rename = "stopping")]
    Stopping,
    #[serde(rename = "stopped")]
    Stopped,
}

impl From<Status> for StatusWord {
    fn from(status: Status) -> StatusWord {
        match status {
            Status::Running => StatusWord::Running,
            Status::Stopping => StatusWord::Stopping,
            Status::Absent | Status::Stopped => StatusWord::Stopped,
        }
    }
}

#[derive(CandidType, Deserialize)]
pub(super) enum LogVisibility {
    #[serde(rename = "controllers")]
    Controllers,
}

/// Settings as they are reported. None but the controllers is modelled; the others are the defaults of the IC.
#[derive(CandidType)]
pub(super) struct DefiniteSettings {
    pub controllers: Vec<Principal>,
    pub compute_allocation: Nat,
    pub memory_allocation: Nat,
    pub freezing_threshold: Nat,
    pub reserved_cycles_limit: Nat,
    pub log_visibility: LogVisibility,
    pub wasm_memory_limit: Nat,
    pub wasm_memory_threshold: Nat,
    pub environment_variables: Vec<HttpHeader>,
}

impl DefiniteSettings {
    pub(super) fn of(controllers: &[Principal]) -> DefiniteSettings {
        DefiniteSettings {
            controllers: controllers.to_vec(),
            compute_allocation: 0u8.into(),
            memory_allocation: 0u8.into(),
            freezing_threshold: 2_592_000u32.into(),
            reserved_cycles_limit: 5_000_000_000_000u64.into(),
            log_visibility: LogVisibility::Controllers,
            wasm_memory_limit: 3_221_225_472u64.into(),
            wasm_memory_threshold: 0u8.into(),
            environment_variables: Vec::new(),
        }
    }
}

/// Statistics of queries, which change no state: always zero.
#[derive(CandidType)]
pub(super) struct QueryStats {
    pub num_calls_total: Nat,
    pub num_instructions_total: Nat,
    pub request_payload_bytes_total: Nat,
    pub response_payload_bytes_total: Nat,
}

impl QueryStats {
    pub(super) fn none() -> QueryStats {
        let zero = || Nat::from(0u8);
        QueryStats {
            num_calls_total: zero(),
            num_instructions_total: zero(),
            request_payload_bytes_total: zero(),
            response_payload_bytes_total: zero(),
        }
    }
}

#[derive(CandidType)]
pub(super) struct CanisterStatus {
    pub status: StatusWord,
    pub version: u64,
    pub settings: DefiniteSettings,
    pub module_hash: Option<Vec<u8>>,
    pub memory_size: Nat,
    pub cycles: Nat,
    pub reserved_cycles: Nat,
    pub idle_cycles_burned_per_day: Nat,
    pub query_stats: QueryStats,
}

/// History is not kept: the list of changes is empty, as the IC's is for a caller that asks for none.
#[derive(CandidType)]
pub(super) struct CanisterInfo {
    pub total_num_changes: u64,
    pub recent_changes: Vec<()>,
    pub module_hash: Option<Vec<u8>>,
    pub controllers: Vec<Principal>,
}

#[derive(Clone, CandidType, Deserialize)]
pub(super) struct HttpHeader {
    pub name: String,
    pub value: String,
}

#[derive(Clone, CandidType, Deserialize)]
pub(super) struct HttpResponse {
    pub status: Nat,
    pub headers: Vec<HttpHeader>,
    pub body: Vec<u8>,
}

#[derive(CandidType, Deserialize)]
pub(super) struct TransformArgs {
    pub response: HttpResponse,
    pub context: Vec<u8>,
}

candid::define_function!(pub(super) TransformFunction : (TransformArgs) -> (HttpResponse) query);

#[derive(CandidType, Deserialize)]
pub(super) struct Transform {
    pub function: TransformFunction,
    pub context: Vec<u8>,
}

#[derive(CandidType, Deserialize)]
pub(super) struct HttpArg {
    pub url: String,
    pub max_response_bytes: Option<u64>,
    pub transform: Option<Transform>,
}

#[derive(CandidType, Deserialize)]
pub(super) struct KeyId {
    pub name: String,
}

#[derive(CandidType, Deserialize)]
pub(super) struct SignArg {
    pub message_hash: Option<Vec<u8>>,
    pub message: Option<Vec<u8>>,
    pub derivation_path: Vec<Vec<u8>>,
    pub key_id: KeyId,
}

#[derive(CandidType)]
pub(super) struct SignReply {
    pub signature: Vec<u8>,
}

#[derive(CandidType, Deserialize)]
pub(super) struct PublicKeyArg {
    pub canister_id: Option<Principal>,
    pub derivation_path: Vec<Vec<u8>>,
    pub key_id: KeyId,
}

#[derive(CandidType)]
pub(super) struct PublicKeyReply {
    pub public_key: Vec<u8>,
    pub chain_code: Vec<u8>,
}
