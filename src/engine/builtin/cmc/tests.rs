//! Top-ups from notification to answer, with the ledger and the management canister played by hand.

use candid::{CandidType, encode_args, encode_one};

use super::super::icp::types::TimeStamp;
use super::super::stage::{ALICE, BOB, OWN, Stage, replied, value};
use super::*;
use crate::kernel::guest::{Execution, Outgoing};

const LEDGER: Principal = Principal::from_slice(&[0, 0, 0, 0, 0, 0, 0, 2, 1, 1]);
const BLOCK: u64 = 4;

/// A CMC with a rate of 2 XDR for an ICP.
fn cmc() -> Stage<Cmc> {
    let init = Init { xdr_permyriad_per_icp: Some(20_000), ..Init::default() };
    Stage::new(Cmc::install(&encode_one(init).unwrap()).unwrap())
}

fn account(owner: Principal, subaccount: Option<Vec<u8>>) -> Vec<u8> {
    Account { owner, subaccount }.id().unwrap().address()
}

fn sender() -> Vec<u8> {
    account(ALICE, None)
}

/// The account of the CMC to which payments for Bob go.
fn receiver() -> Vec<u8> {
    account(OWN, Some(subaccount(BOB)))
}

fn payment(to: Vec<u8>, e8s: u64) -> Operation {
    Operation::Transfer { from: sender(), to, amount: Tokens { e8s }, fee: Tokens { e8s: FEE_E8S }, spender: None }
}

/// The ledger's reply with this block.
fn found(memo: u64, operation: Operation) -> Response {
    block(Transaction {
        memo,
        icrc1_memo: None,
        operation: Some(operation),
        created_at_time: TimeStamp { timestamp_nanos: 0 },
    })
}

fn block(transaction: Transaction) -> Response {
    let block = Block { parent_hash: None, transaction, timestamp: TimeStamp { timestamp_nanos: 0 } };
    replied((FoundBlocks { blocks: vec![block] },))
}

fn reject(code: u8, text: &str) -> Response {
    Response::Reject { code, text: text.into() }
}

/// Notifies of a payment for Bob; returns the request to the ledger.
fn notify(cmc: &mut Stage<Cmc>, block_index: u64) -> Outgoing {
    request(cmc.call("notify_top_up", (NotifyTopUp { block_index, canister_id: BOB },)))
}

fn request(execution: Execution) -> Outgoing {
    assert_eq!((&execution.trap, &execution.response), (&None, &None));
    let [request] = &execution.requests[..] else { panic!("one request") };
    request.clone()
}

/// The result of a notification whose block is this, when nothing more happens.
fn result_of(response: Response) -> TopUp {
    let mut cmc = cmc();
    let fetch = notify(&mut cmc, BLOCK);
    value(&cmc.answer(fetch.on_reply, &response))
}

fn bytes(arg: impl CandidType) -> Vec<u8> {
    encode_one(arg).unwrap()
}

#[test]
fn a_payment_becomes_cycles_of_the_canister() {
    let mut cmc = cmc();
    let fetch = notify(&mut cmc, BLOCK);
    assert_eq!((fetch.callee, fetch.method.as_str(), fetch.cycles), (LEDGER, "query_blocks", 0));
    assert_eq!(fetch.arg, bytes(GetBlocks { start: BLOCK, length: 1 }));
    let deposit = request(cmc.answer(fetch.on_reply, &found(TOP_UP, payment(receiver(), 150_000_000))));
    // 1.5 ICP are 3 XDR.
    assert_eq!((deposit.method.as_str(), deposit.cycles), ("deposit_cycles", 3_000_000_000_000));
    assert_eq!(deposit.callee, Principal::management_canister());
    assert_eq!(deposit.arg, bytes(CanisterId { canister_id: BOB }));
    let answer: TopUp = value(&cmc.answer(deposit.on_reply, &replied(())));
    assert_eq!(answer, Ok(Nat::from(3_000_000_000_000u64)));
}

#[test]
fn a_block_is_used_once() {
    let mut cmc = cmc();
    let fetches = [notify(&mut cmc, BLOCK), notify(&mut cmc, BLOCK), notify(&mut cmc, BLOCK)];
    let reply = found(TOP_UP, payment(receiver(), 100));
    let deposit = request(cmc.answer(fetches[0].on_reply, &reply));
    assert_eq!(value::<TopUp>(&cmc.answer(fetches[1].on_reply, &reply)), Err(NotifyError::Processing));
    assert_eq!(value::<TopUp>(&cmc.answer(deposit.on_reply, &replied(()))), Ok(Nat::from(2_000_000u64)));
    assert_eq!(value::<TopUp>(&cmc.answer(fetches[2].on_reply, &reply)), Ok(Nat::from(2_000_000u64)));
}

#[test]
fn calls_on_their_way_have_the_lowest_numbers() {
    let mut cmc = cmc();
    let points = [1, 2, 3].map(|block| notify(&mut cmc, block).on_reply.env);
    assert_eq!(points, [0, 1, 2]);
    let missing = replied((FoundBlocks { blocks: vec![] },));
    cmc.answer(crate::kernel::Function { index: 0, env: 1 }, &missing);
    assert_eq!(notify(&mut cmc, 5).on_reply.env, 1);
}

#[test]
fn block_0_is_too_old_from_the_start() {
    let mut cmc = cmc();
    let fetch = notify(&mut cmc, 0);
    let result: TopUp = value(&cmc.answer(fetch.on_reply, &found(TOP_UP, payment(receiver(), 100))));
    assert_eq!(result, Err(NotifyError::TransactionTooOld(1)));
}

#[test]
fn a_block_that_is_no_payment_for_the_canister_is_an_invalid_transaction() {
    let invalid = |text: &str| Err(NotifyError::InvalidTransaction(text.to_string()));
    assert_eq!(result_of(replied((FoundBlocks { blocks: vec![] },))), invalid("Block 4 not found"));
    let mint = Operation::Mint { to: receiver(), amount: Tokens { e8s: 1 } };
    assert_eq!(result_of(found(TOP_UP, mint)), invalid("Notification transaction must be of type Transfer"));
    let text = format!(
        "Destination account in the block ({}) different than in the notification ({})",
        hex(&sender()),
        hex(&subaccount(BOB))
    );
    assert_eq!(result_of(found(TOP_UP, payment(sender(), 1))), invalid(&text));
    let text = "The memo (CreateCanister (1095062083)) in the transaction does not match the expected memo (TopUp \
                (1347768404)) for the operation.";
    assert_eq!(result_of(found(0x4145_5243, payment(receiver(), 1))), invalid(text));
}

#[test]
fn a_memo_may_also_be_the_8_bytes_of_icrc_1() {
    let mut cmc = cmc();
    let fetch = notify(&mut cmc, BLOCK);
    let transaction = Transaction {
        memo: 0,
        icrc1_memo: Some(TOP_UP.to_le_bytes().to_vec()),
        operation: Some(payment(receiver(), 1)),
        created_at_time: TimeStamp { timestamp_nanos: 0 },
    };
    assert_eq!(request(cmc.answer(fetch.on_reply, &block(transaction))).method, "deposit_cycles");
}

#[test]
fn a_ledger_that_does_not_answer_with_a_block_can_be_asked_again() {
    let error =
        |error_message: &str| Err(NotifyError::Other { error_code: 2, error_message: error_message.to_string() });
    assert_eq!(result_of(reject(3, "No route")), error("Failed to fetch block: No route"));
    let Err(NotifyError::Other { error_code: 2, error_message }) = result_of(replied((5u8,))) else {
        panic!("an error");
    };
    assert!(error_message.starts_with("Failed to decode block: "), "{error_message}");
}

#[test]
fn a_payment_is_sent_back_less_three_fees_if_the_canister_takes_no_cycles() {
    let mut cmc = cmc();
    let fetch = notify(&mut cmc, BLOCK);
    let reply = found(TOP_UP, payment(receiver(), 100_000));
    let deposit = request(cmc.answer(fetch.on_reply, &reply));
    let refund = request(cmc.answer(deposit.on_reject, &reject(3, "no such canister")));
    assert_eq!((refund.callee, refund.method.as_str(), refund.cycles), (LEDGER, "transfer", 0));
    let transfer = Transfer {
        memo: 0,
        amount: Tokens { e8s: 70_000 },
        fee: Tokens { e8s: FEE_E8S },
        from_subaccount: Some(subaccount(BOB)),
        to: sender(),
        created_at_time: None,
    };
    assert_eq!(refund.arg, bytes(transfer));
    let again = notify(&mut cmc, BLOCK);
    assert_eq!(value::<TopUp>(&cmc.answer(again.on_reply, &reply)), Err(NotifyError::Processing));
    let sent = replied((Ok::<u64, TransferError>(9),));
    let reason = "Depositing cycles failed with code 3: \"no such canister\"".to_string();
    let refunded = Err(NotifyError::Refunded { reason, block_index: Some(9) });
    assert_eq!(value::<TopUp>(&cmc.answer(refund.on_reply, &sent)), refunded);
    let again = notify(&mut cmc, BLOCK);
    assert_eq!(value::<TopUp>(&cmc.answer(again.on_reply, &reply)), refunded);
}

#[test]
fn a_payment_not_above_three_fees_is_kept() {
    let mut cmc = cmc();
    let fetch = notify(&mut cmc, BLOCK);
    let deposit = request(cmc.answer(fetch.on_reply, &found(TOP_UP, payment(receiver(), 30_000))));
    let reason = "Depositing cycles failed with code 5: \"no\"".to_string();
    let kept = Err(NotifyError::Refunded { reason, block_index: None });
    assert_eq!(value::<TopUp>(&cmc.answer(deposit.on_reject, &reject(5, "no"))), kept);
}

#[test]
fn a_payment_with_a_memo_that_means_nothing_is_sent_back_less_one_fee() {
    let mut cmc = cmc();
    let fetch = notify(&mut cmc, BLOCK);
    let reply = found(0, payment(receiver(), 10_001));
    let refund = request(cmc.answer(fetch.on_reply, &reply));
    let transfer: Transfer = candid::decode_one(&refund.arg).unwrap();
    assert_eq!((refund.method.as_str(), transfer.amount.e8s), ("transfer", 1));
    let sent = replied((Ok::<u64, TransferError>(9),));
    let reason = "Memo (0x000000) in the incoming ICP transfer does not correspond to any of the operations that the \
                  Cycles Minting canister offers."
        .to_string();
    let refunded = Err(NotifyError::Refunded { reason, block_index: Some(9) });
    assert_eq!(value::<TopUp>(&cmc.answer(refund.on_reply, &sent)), refunded);
    let again = notify(&mut cmc, BLOCK);
    assert_eq!(value::<TopUp>(&cmc.answer(again.on_reply, &reply)), refunded);
}

#[test]
fn a_refund_that_fails_can_be_tried_again() {
    let no_funds = TransferError::InsufficientFunds { balance: Tokens { e8s: 0 } };
    let cases = [
        (reject(2, "busy"), "Refund failed with code 2: busy"),
        (
            replied((Err::<u64, TransferError>(no_funds),)),
            "Refund failed: InsufficientFunds { balance: Tokens { e8s: 0 } }",
        ),
    ];
    for (response, text) in cases {
        let mut cmc = cmc();
        let fetch = notify(&mut cmc, BLOCK);
        let reply = found(TOP_UP, payment(receiver(), 100_000));
        let deposit = request(cmc.answer(fetch.on_reply, &reply));
        let refund = request(cmc.answer(deposit.on_reject, &reject(3, "no")));
        let failed = Err(NotifyError::Other { error_code: 3, error_message: text.to_string() });
        assert_eq!(value::<TopUp>(&cmc.answer(refund.on_reply, &response)), failed);
        let again = notify(&mut cmc, BLOCK);
        assert_eq!(request(cmc.answer(again.on_reply, &reply)).method, "deposit_cycles");
    }
}

#[test]
fn a_call_that_cannot_be_made_is_as_good_as_rejected() {
    let mut cmc = cmc();
    let fetch = notify(&mut cmc, BLOCK);
    cmc.perform_fails = 1;
    // The deposit fails to be made; the refund is the second call of the message.
    let refund = request(cmc.answer(fetch.on_reply, &found(TOP_UP, payment(receiver(), 100_000))));
    assert_eq!(refund.method, "transfer");
    let execution = cmc.call("notify_top_up", (NotifyTopUp { block_index: BLOCK, canister_id: BOB },));
    let error_message = "Failed to fetch block: call_perform failed".to_string();
    assert_eq!(value::<TopUp>(&execution), Err(NotifyError::Other { error_code: 2, error_message }));
}

#[test]
fn more_cycles_than_the_canister_has_are_not_sent() {
    let mut cmc = cmc();
    let fetch = notify(&mut cmc, BLOCK);
    let execution = cmc.answer(fetch.on_reply, &found(TOP_UP, payment(receiver(), u64::MAX)));
    let text = "368934881474191032300000 cycles are more than the canister has";
    assert_eq!(execution.trap.unwrap().text, text);
}

#[test]
fn the_rate_is_that_of_the_installation() {
    let rate = |stage: &mut Stage<Cmc>| -> Rate {
        value::<ConversionRate>(&stage.query("get_icp_xdr_conversion_rate", ())).data
    };
    assert_eq!(rate(&mut cmc()), Rate { timestamp_seconds: 1_620_633_600, xdr_permyriad_per_icp: 20_000 });
    let mut default = Stage::new(Cmc::install(&encode_args(()).unwrap()).unwrap());
    assert_eq!(rate(&mut default).xdr_permyriad_per_icp, 1_000_000);
}
