//! Calls of the management canister, as bytes.
//!
//! In: what is to happen to a canister. Out: method, argument and the canister whose subnet executes it: to be awaited in a set-up, or
//! submitted in a schedule.

use candid::{CandidType, Principal};
use serde::{Deserialize, Serialize};

/// A call of the management canister.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Management {
    /// The method.
    pub method: &'static str,
    /// Its argument, in Candid.
    pub arg: Vec<u8>,
    /// The canister that it is about.
    pub canister: Principal,
}

/// How code is installed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, CandidType, Serialize)]
pub enum Mode {
    /// Into an empty canister.
    #[serde(rename = "install")]
    Install,
    /// Whatever was there is gone.
    #[serde(rename = "reinstall")]
    Reinstall,
    /// Stable memory stays; the heap does if the options say so, as Motoko with enhanced orthogonal persistence demands.
    #[serde(rename = "upgrade")]
    Upgrade(Option<UpgradeOptions>),
}

/// Options of an upgrade.
#[derive(Clone, Copy, Debug, PartialEq, Eq, CandidType, Serialize)]
pub struct UpgradeOptions {
    /// Whether the heap stays.
    pub wasm_memory_persistence: Option<Persistence>,
}

/// What an upgrade does with the heap.
#[derive(Clone, Copy, Debug, PartialEq, Eq, CandidType, Serialize)]
pub enum Persistence {
    /// It stays.
    #[serde(rename = "keep")]
    Keep,
    /// It is new.
    #[serde(rename = "replace")]
    Replace,
}

impl Mode {
    /// An upgrade to a module that keeps the heap, or to one that does not.
    pub fn upgrade(keeps_heap: bool) -> Mode {
        let keep = UpgradeOptions { wasm_memory_persistence: Some(Persistence::Keep) };
        Mode::Upgrade(keeps_heap.then_some(keep))
    }
}

impl Management {
    /// Installs code. The argument is that of the canister's own method. A module of more than 2 MB does not fit into one message.
    pub fn install(canister: Principal, mode: Mode, wasm: &[u8], arg: &[u8]) -> Management {
        let code = InstallCode { mode, canister_id: canister, wasm_module: wasm.to_vec(), arg: arg.to_vec() };
        Management::of("install_code", canister, code)
    }

    /// Installs code whose parts have been uploaded to the canister. Hashes are SHA-256: of each part, and of the whole.
    pub fn install_parts(
        canister: Principal,
        mode: Mode,
        parts: Vec<Vec<u8>>,
        whole: Vec<u8>,
        arg: Vec<u8>,
    ) -> Management {
        let chunk_hashes_list = parts.into_iter().map(|hash| Part { hash }).collect();
        let code = InstallParts { mode, target_canister: canister, chunk_hashes_list, wasm_module_hash: whole, arg };
        Management::of("install_chunked_code", canister, code)
    }

    /// Uploads a part of a module, of 1 MiB at most.
    pub fn upload(canister: Principal, chunk: Vec<u8>) -> Management {
        Management::of("upload_chunk", canister, Upload { canister_id: canister, chunk })
    }

    /// Removes all parts.
    pub fn clear_parts(canister: Principal) -> Management {
        Management::of("clear_chunk_store", canister, About { canister_id: canister })
    }

    /// Removes code and state.
    pub fn uninstall(canister: Principal) -> Management {
        Management::of("uninstall_code", canister, About { canister_id: canister })
    }

    /// Lets it execute messages again.
    pub fn start(canister: Principal) -> Management {
        Management::of("start_canister", canister, About { canister_id: canister })
    }

    /// Is answered when no call context of it is open.
    pub fn stop(canister: Principal) -> Management {
        Management::of("stop_canister", canister, About { canister_id: canister })
    }

    /// Takes a snapshot; [`snapshot_of`] reads its number from the reply.
    pub fn snapshot(canister: Principal) -> Management {
        Management::of("take_canister_snapshot", canister, About { canister_id: canister })
    }

    /// Brings back the state of a snapshot.
    pub fn load(canister: Principal, snapshot: &[u8]) -> Management {
        Management::of(
            "load_canister_snapshot",
            canister,
            Load { canister_id: canister, snapshot_id: snapshot.to_vec() },
        )
    }

    /// Sets the time that a canister's cycles must last for it to execute anything, in seconds.
    pub fn freezing_threshold(canister: Principal, seconds: u64) -> Management {
        let settings = Freezing { freezing_threshold: Some(seconds.into()) };
        Management::of("update_settings", canister, Settings { canister_id: canister, settings })
    }

    fn of(method: &'static str, canister: Principal, arg: impl CandidType) -> Management {
        let arg = candid::encode_one(arg).expect("records of blobs and principals are values of Candid");
        Management { method, arg, canister }
    }
}

/// The number of the snapshot that was taken, from the reply; none if it is not such a reply.
pub fn snapshot_of(reply: &[u8]) -> Option<Vec<u8>> {
    candid::decode_one::<Taken>(reply).ok().map(|taken| taken.id)
}

#[derive(CandidType)]
struct About {
    canister_id: Principal,
}

#[derive(CandidType)]
struct Settings {
    canister_id: Principal,
    settings: Freezing,
}

#[derive(CandidType)]
struct Freezing {
    freezing_threshold: Option<candid::Nat>,
}

#[derive(CandidType)]
struct InstallCode {
    mode: Mode,
    canister_id: Principal,
    wasm_module: Vec<u8>,
    arg: Vec<u8>,
}

#[derive(CandidType)]
struct InstallParts {
    mode: Mode,
    target_canister: Principal,
    chunk_hashes_list: Vec<Part>,
    wasm_module_hash: Vec<u8>,
    arg: Vec<u8>,
}

#[derive(CandidType)]
struct Part {
    hash: Vec<u8>,
}

#[derive(CandidType)]
struct Upload {
    canister_id: Principal,
    chunk: Vec<u8>,
}

#[derive(CandidType)]
struct Load {
    canister_id: Principal,
    snapshot_id: Vec<u8>,
}

#[derive(CandidType, Deserialize)]
struct Taken {
    id: Vec<u8>,
}
