//! One instance of PocketIC: subnets with canisters, whose rounds happen when they are asked for.
//!
//! In: a server, and what is to happen. Out: what the replica answered. Two failures are kept apart: [`Rejected`] is an answer, part of
//! results; [`ReplicaError`] says that there was none.

use candid::Principal;
use pocket_ic::common::rest::{
    CanisterHttpHeader, CanisterHttpReject, CanisterHttpReply, CanisterHttpRequest, CanisterHttpResponse,
    MockCanisterHttpResponse, RawEffectivePrincipal, RawMessageId, Topology,
};
use pocket_ic::{
    CanisterSettings, CreateCanisterParams, CreateCanisterPlacement, PocketIcBuilder, RejectResponse, Time,
};
use sha2::{Digest, Sha256};

use super::client::{Client, REQUEST_LIMIT};
use super::management::{Management, Mode, snapshot_of};
use super::{ReplicaError, Server};

/// Modules and arguments that take more bytes than this do not fit into one message.
const ONE_MESSAGE: usize = 2_000_000;
/// Bytes in one part of a larger module.
const PART: usize = 1 << 20;

/// The outer error: nothing was answered. The inner one: the answer is a reject.
pub type Answer<T> = Result<Result<T, Rejected>, ReplicaError>;

/// A reject, as the replica put it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejected {
    /// Reject code, 1 to 6.
    pub code: u32,
    /// Reject message.
    pub text: String,
    /// Error code of the replica, of which the first digit is the reject code.
    pub error_code: u32,
}

impl From<RejectResponse> for Rejected {
    fn from(reject: RejectResponse) -> Rejected {
        let RejectResponse { reject_code, reject_message, error_code, certified: _ } = reject;
        Rejected { code: reject_code as u32, text: reject_message, error_code: error_code as u32 }
    }
}

/// A message that was accepted. It is executed in a later round.
#[derive(Clone, Debug)]
pub struct Submitted(RawMessageId);

/// A HTTP request of a canister that waits for an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcall {
    /// The subnet of the canister.
    pub subnet: Principal,
    /// Its number there.
    pub request: u64,
    /// `GET`, `POST`, ...
    pub method: String,
    /// Where to.
    pub url: String,
    /// Names and values.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
    /// Bytes that the response may have, if the canister said so.
    pub max_bytes: Option<u64>,
}

/// An answer to an outcall, the same from all nodes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Response {
    /// A HTTP response.
    Reply {
        /// HTTP status.
        status: u16,
        /// Names and values.
        headers: Vec<(String, String)>,
        /// The body.
        body: Vec<u8>,
    },
    /// There was none.
    Reject {
        /// Reject code, 1 to 6.
        code: u32,
        /// Reject message.
        text: String,
    },
}

/// An instance. It is removed when this is dropped.
pub struct Replica {
    client: Client,
    subnets: Vec<Principal>,
}

impl Replica {
    /// An instance with so many application subnets; and where canisters are to have ids of mainnet, with NNS, SNS, II, fiduciary and
    /// Bitcoin subnet, which is five subnets more that execute in each round.
    pub fn new(server: &Server, subnets: usize, mainnet: bool) -> Result<Replica, ReplicaError> {
        let url = server.url().to_owned();
        let client = Client::new(move || {
            let url = url.parse().expect("the address of a server is an address");
            let mut builder = PocketIcBuilder::new().with_server_url(url).with_max_request_time_ms(Some(REQUEST_LIMIT));
            if mainnet {
                builder = builder.with_nns_subnet().with_sns_subnet().with_ii_subnet();
                builder = builder.with_fiduciary_subnet().with_bitcoin_subnet();
            }
            (0..subnets).fold(builder, |builder, _| builder.with_application_subnet()).build()
        });
        let client = client.map_err(about_proxies)?;
        let subnets = in_order(&client.call(|client| client.topology())?);
        Ok(Replica { client, subnets })
    }

    /// The application subnets it was made with, in the order in which they were made: the same in all instances that are made alike.
    pub fn subnets(&self) -> &[Principal] {
        &self.subnets
    }

    /// The subnet of a canister; none if there is no such canister.
    pub fn subnet_of(&self, canister: Principal) -> Result<Option<Principal>, ReplicaError> {
        self.client.call(move |client| client.get_subnet(canister))
    }

    /// Creates a canister on an application subnet.
    pub fn create(&self, subnet: usize, controllers: &[Principal], cycles: u128) -> Result<Principal, ReplicaError> {
        let Some(&id) = self.subnets.get(subnet) else {
            let there = self.subnets.len();
            return Err(ReplicaError(format!("there is no subnet {subnet}, only {there} from 0 on")));
        };
        self.created(CreateCanisterPlacement::SubnetId(id), controllers, cycles)
    }

    /// Creates a canister with an id of mainnet. If no subnet has it and it is neither of NNS nor II, a subnet is made
    /// for it. Ids that [`create`](Replica::create) could hand out are refused.
    pub fn create_with_id(
        &self,
        id: Principal,
        controllers: &[Principal],
        cycles: u128,
    ) -> Result<Principal, ReplicaError> {
        self.created(CreateCanisterPlacement::CanisterId(id), controllers, cycles)
    }

    fn created(
        &self,
        placement: CreateCanisterPlacement,
        controllers: &[Principal],
        cycles: u128,
    ) -> Result<Principal, ReplicaError> {
        let settings = CanisterSettings { controllers: Some(controllers.to_vec()), ..CanisterSettings::default() };
        let wanted =
            CreateCanisterParams { cycles: Some(cycles), settings: Some(settings), placement: Some(placement) };
        self.client.call(|client| client.create_canister_with_params(None, wanted))?.map_err(ReplicaError)
    }

    /// Installs code into an empty canister.
    pub fn install(&self, id: Principal, wasm: &[u8], arg: &[u8], sender: Principal) -> Answer<()> {
        self.put(id, Mode::Install, wasm, arg, sender)
    }

    /// Installs code as if the canister were empty.
    pub fn reinstall(&self, id: Principal, wasm: &[u8], arg: &[u8], sender: Principal) -> Answer<()> {
        self.put(id, Mode::Reinstall, wasm, arg, sender)
    }

    /// Upgrades to a module; the heap is kept where its compiler wants that.
    pub fn upgrade(&self, id: Principal, wasm: &[u8], keeps_heap: bool, arg: &[u8], sender: Principal) -> Answer<()> {
        self.put(id, Mode::upgrade(keeps_heap), wasm, arg, sender)
    }

    fn put(&self, id: Principal, mode: Mode, wasm: &[u8], arg: &[u8], sender: Principal) -> Answer<()> {
        if wasm.len() + arg.len() < ONE_MESSAGE {
            return Ok(self.manage(&Management::install(id, mode, wasm, arg), sender)?.map(drop));
        }
        let parts: Vec<&[u8]> = wasm.chunks(PART).collect();
        let uploads = parts.iter().map(|part| Management::upload(id, part.to_vec()));
        for step in std::iter::once(Management::clear_parts(id)).chain(uploads) {
            if let Err(rejected) = self.manage(&step, sender)? {
                return Ok(Err(rejected));
            }
        }
        let hash = |bytes: &[u8]| Sha256::digest(bytes).to_vec();
        let hashes = parts.into_iter().map(hash).collect();
        let all = Management::install_parts(id, mode, hashes, hash(wasm), arg.to_vec());
        Ok(self.manage(&all, sender)?.map(drop))
    }

    /// Takes a snapshot; its number.
    pub fn snapshot(&self, id: Principal, sender: Principal) -> Answer<Vec<u8>> {
        match self.manage(&Management::snapshot(id), sender)? {
            Ok(reply) => match snapshot_of(&reply) {
                Some(snapshot) => Ok(Ok(snapshot)),
                None => Err(ReplicaError("the reply to take_canister_snapshot has no snapshot in it".to_owned())),
            },
            Err(rejected) => Ok(Err(rejected)),
        }
    }

    /// A call of the management canister, with as many rounds as it takes.
    pub fn manage(&self, call: &Management, sender: Principal) -> Answer<Vec<u8>> {
        let Management { method, arg, canister } = call.clone();
        let there = effective(canister);
        let nobody = Principal::management_canister();
        self.answered(move |client| client.update_call_with_effective_principal(nobody, there, sender, method, arg))
    }

    /// Submits a call of the management canister.
    pub fn submit_management(&self, call: &Management, sender: Principal) -> Answer<Submitted> {
        let Management { method, arg, canister } = call.clone();
        let there = effective(canister);
        let nobody = Principal::management_canister();
        let submitted = self
            .answered(move |client| client.submit_call_with_effective_principal(nobody, there, sender, method, arg));
        Ok(submitted?.map(Submitted))
    }

    /// Submits a call. It may be rejected at once: by inspect_message, or because the canister is stopped, or without
    /// cycles. That it has no such method shows when it executes.
    pub fn submit(&self, canister: Principal, sender: Principal, method: &str, arg: &[u8]) -> Answer<Submitted> {
        let (method, arg) = (method.to_owned(), arg.to_vec());
        let submitted = self.answered(move |client| client.submit_call(canister, sender, &method, arg));
        Ok(submitted?.map(Submitted))
    }

    /// How a call ended; none as long as it did not.
    pub fn status(&self, call: &Submitted) -> Result<Option<Result<Vec<u8>, Rejected>>, ReplicaError> {
        let call = call.0.clone();
        let status = self.client.call(|client| client.ingress_status(call))?;
        Ok(status.map(|ended| ended.map_err(Rejected::from)))
    }

    /// A call, with as many rounds as it takes, 100 at most.
    pub fn call(&self, canister: Principal, sender: Principal, method: &str, arg: &[u8]) -> Answer<Vec<u8>> {
        let (method, arg) = (method.to_owned(), arg.to_vec());
        self.answered(move |client| client.update_call(canister, sender, &method, arg))
    }

    /// A query of the state after the last round.
    pub fn query(&self, canister: Principal, sender: Principal, method: &str, arg: &[u8]) -> Answer<Vec<u8>> {
        let (method, arg) = (method.to_owned(), arg.to_vec());
        self.answered(move |client| client.query_call(canister, sender, &method, arg))
    }

    fn answered<T: Send + 'static>(
        &self,
        call: impl FnOnce(&pocket_ic::PocketIc) -> Result<T, RejectResponse> + Send + 'static,
    ) -> Answer<T> {
        Ok(self.client.call(call)?.map_err(Rejected::from))
    }

    /// The time of all subnets, in nanoseconds since 1970.
    pub fn time(&self) -> Result<u64, ReplicaError> {
        self.client.call(|client| client.get_time().as_nanos_since_unix_epoch())
    }

    /// The next round is at this time, in nanoseconds since 1970, unless the last one was. Time does not go back.
    pub fn set_time(&self, nanoseconds: u64) -> Result<(), ReplicaError> {
        self.client.call(move |client| client.set_time(Time::from_nanos_since_unix_epoch(nanoseconds)))
    }

    /// A round on each subnet.
    pub fn tick(&self) -> Result<(), ReplicaError> {
        self.client.call(|client| client.tick())
    }

    /// Outcalls that wait for an answer. They show one round after the message that made them.
    pub fn outcalls(&self) -> Result<Vec<Outcall>, ReplicaError> {
        let requests = self.client.call(|client| client.get_canister_http())?;
        Ok(requests.into_iter().map(outcall).collect())
    }

    /// Answers an outcall. The canister has it some rounds later.
    pub fn answer(&self, outcall: &Outcall, response: Response) -> Result<(), ReplicaError> {
        let header = |(name, value)| CanisterHttpHeader { name, value };
        let response = match response {
            Response::Reply { status, headers, body } => {
                let headers = headers.into_iter().map(header).collect();
                CanisterHttpResponse::CanisterHttpReply(CanisterHttpReply { status, headers, body })
            }
            Response::Reject { code, text } => {
                let reject = CanisterHttpReject { reject_code: code.into(), message: text };
                CanisterHttpResponse::CanisterHttpReject(reject)
            }
        };
        let (subnet_id, request_id) = (outcall.subnet, outcall.request);
        let all = MockCanisterHttpResponse { subnet_id, request_id, response, additional_responses: Vec::new() };
        self.client.call(|client| client.mock_canister_http_response(all))
    }

    /// All bytes of stable memory.
    pub fn stable_memory(&self, canister: Principal) -> Result<Vec<u8>, ReplicaError> {
        self.client.call(move |client| client.get_stable_memory(canister))
    }

    /// Balance of a canister.
    pub fn cycles(&self, canister: Principal) -> Result<u128, ReplicaError> {
        self.client.call(move |client| client.cycle_balance(canister))
    }

    /// Gives cycles to a canister; its new balance.
    pub fn add_cycles(&self, canister: Principal, cycles: u128) -> Result<u128, ReplicaError> {
        self.client.call(move |client| client.add_cycles(canister, cycles))
    }
}

fn effective(canister: Principal) -> RawEffectivePrincipal {
    RawEffectivePrincipal::CanisterId(canister.as_slice().to_vec())
}

/// Application subnets in the order in which they were made: the server gives each the highest range of ids that is free.
fn in_order(topology: &Topology) -> Vec<Principal> {
    let first = |subnet: &Principal| {
        let ranges = &topology.subnet_configs[subnet].canister_ranges;
        ranges.iter().map(|range| range.start.canister_id.clone()).max()
    };
    let mut subnets = topology.get_app_subnets();
    subnets.sort_by_key(|subnet| std::cmp::Reverse(first(subnet)));
    subnets
}

fn outcall(request: CanisterHttpRequest) -> Outcall {
    Outcall {
        subnet: request.subnet_id,
        request: request.request_id,
        method: format!("{:?}", request.http_method),
        url: request.url,
        headers: request.headers.into_iter().map(|header| (header.name, header.value)).collect(),
        body: request.body,
        max_bytes: request.max_response_bytes,
    }
}

/// The client sends even what stays on this machine through a proxy, if one is set.
fn about_proxies(error: ReplicaError) -> ReplicaError {
    let set = |name: &&str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    match ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"].iter().find(|name| set(name)) {
        Some(name) => ReplicaError(format!("{}; {name} is set: add 127.0.0.1 to NO_PROXY", error.0)),
        None => error,
    }
}
