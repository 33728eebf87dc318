//! The older methods of the ICP ledger, and what it does otherwise than other ledgers.

use candid::{Nat, Principal, encode_args, encode_one};

use super::super::books::{DRIFT_NS, WINDOW_NS};
use super::super::ledger::{ApproveArgs, ApproveError, TransferArg};
use super::super::stage::{ALICE, BOB, NOW_NS, Stage, value};
use super::types::{TimeStamp, TransferFee};
use super::*;

const MINTER: Principal = Principal::from_slice(&[7]);

type Sent = Result<u64, TransferError>;

/// A ledger with the fee of mainnet on which Alice has an ICP, whose tokens come from the minter.
fn ledger() -> Stage<IcpLedger> {
    let init = IcpInit {
        balances: Some(vec![(ALICE, Nat::from(100_000_000u64))]),
        minting_account: Some(Account::of(MINTER)),
        ..IcpInit::default()
    };
    Stage::new(IcpLedger::install(&encode_one(init).unwrap()).unwrap())
}

fn address(owner: Principal) -> Vec<u8> {
    Account::of(owner).id().unwrap().address()
}

fn e8s(e8s: u64) -> Tokens {
    Tokens { e8s }
}

fn transfer(to: Principal, amount: u64) -> Transfer {
    Transfer {
        memo: 5,
        amount: e8s(amount),
        fee: e8s(FEE_E8S),
        from_subaccount: None,
        to: address(to),
        created_at_time: Some(TimeStamp { timestamp_nanos: NOW_NS }),
    }
}

fn send(ledger: &mut Stage<IcpLedger>, arg: Transfer) -> Sent {
    ledger.ask("transfer", (arg,))
}

fn balance(ledger: &mut Stage<IcpLedger>, owner: Principal) -> u64 {
    let arg = types::AccountBalance { account: address(owner) };
    value::<Tokens>(&ledger.query("account_balance", (arg,))).e8s
}

#[test]
fn both_kinds_of_methods_share_the_books() {
    let mut ledger = ledger();
    assert_eq!(send(&mut ledger, transfer(BOB, 30_000_000)), Ok(1));
    let arg = TransferArg {
        from_subaccount: None,
        to: Account::of(BOB),
        amount: Nat::from(1u8),
        fee: None,
        memo: None,
        created_at_time: None,
    };
    let sent: Result<Nat, super::super::ledger::TransferError> = ledger.ask("icrc1_transfer", (arg,));
    assert_eq!(sent, Ok(Nat::from(2u8)));
    assert_eq!((balance(&mut ledger, ALICE), balance(&mut ledger, BOB)), (69_979_999, 30_000_001));
    let of_bob: Nat = value(&ledger.query("icrc1_balance_of", (Account::of(BOB),)));
    assert_eq!(of_bob, Nat::from(30_000_001u64));
}

#[test]
fn a_transfer_needs_the_fee_and_the_funds() {
    let mut ledger = ledger();
    let refused = send(&mut ledger, Transfer { fee: e8s(0), ..transfer(BOB, 1) });
    assert_eq!(refused, Err(TransferError::BadFee { expected_fee: e8s(FEE_E8S) }));
    let refused = send(&mut ledger, transfer(BOB, 99_990_001));
    assert_eq!(refused, Err(TransferError::InsufficientFunds { balance: e8s(100_000_000) }));
}

#[test]
fn a_transfer_is_refused_when_it_is_old_new_or_known() {
    let mut ledger = ledger();
    let at = |timestamp_nanos| Transfer { created_at_time: Some(TimeStamp { timestamp_nanos }), ..transfer(BOB, 1) };
    let too_old = Err(TransferError::TxTooOld { allowed_window_nanos: 86_400_000_000_000 });
    assert_eq!(send(&mut ledger, at(NOW_NS - WINDOW_NS - 1)), too_old);
    assert_eq!(send(&mut ledger, at(NOW_NS - WINDOW_NS)), Ok(1));
    assert_eq!(send(&mut ledger, at(NOW_NS + DRIFT_NS + 1)), Err(TransferError::TxCreatedInFuture));
    assert_eq!(send(&mut ledger, at(NOW_NS + DRIFT_NS)), Ok(2));
    assert_eq!(send(&mut ledger, at(NOW_NS + DRIFT_NS)), Err(TransferError::TxDuplicate { duplicate_of: 2 }));
    assert_eq!(send(&mut ledger, Transfer { memo: 6, ..at(NOW_NS + DRIFT_NS) }), Ok(3));
}

#[test]
fn a_transfer_without_a_time_has_that_of_the_call() {
    let mut ledger = ledger();
    let arg = Transfer { created_at_time: None, ..transfer(BOB, 1) };
    assert_eq!(send(&mut ledger, arg.clone()), Ok(1));
    assert_eq!(send(&mut ledger, arg.clone()), Err(TransferError::TxDuplicate { duplicate_of: 1 }));
    ledger.time_ns += 1;
    assert_eq!(send(&mut ledger, arg), Ok(2));
}

#[test]
fn a_written_fee_and_none_are_one_for_repetitions() {
    let mut ledger = ledger();
    let arg = |fee| TransferArg {
        from_subaccount: None,
        to: Account::of(BOB),
        amount: Nat::from(1u8),
        fee,
        memo: None,
        created_at_time: Some(NOW_NS),
    };
    type Icrc = Result<Nat, super::super::ledger::TransferError>;
    assert_eq!(ledger.ask::<Icrc>("icrc1_transfer", (arg(None),)), Ok(Nat::from(1u8)));
    let again: Icrc = ledger.ask("icrc1_transfer", (arg(Some(Nat::from(FEE_E8S))),));
    assert_eq!(again, Err(super::super::ledger::TransferError::Duplicate { duplicate_of: Nat::from(1u8) }));
}

#[test]
fn an_identifier_that_is_none_makes_a_transfer_trap() {
    let mut ledger = ledger();
    let mut to = address(BOB);
    to[31] ^= 1;
    let text = ledger.trap("transfer", (Transfer { to, ..transfer(BOB, 1) },));
    assert!(text.starts_with("IC0503: Invalid account identifier: the checksum of this account"), "{text}");
    let text = ledger.trap("transfer", (Transfer { to: vec![1], ..transfer(BOB, 1) },));
    assert_eq!(text, "IC0503: Invalid account identifier: an account identifier has 32 bytes, this one has 1");
}

#[test]
fn the_anonymous_principal_sends_nothing() {
    let mut ledger = ledger();
    ledger.caller = Principal::anonymous();
    assert_eq!(ledger.trap("transfer", (transfer(BOB, 1),)), "IC0503: Sending from 2vxsx-fae is not allowed");
    let arg = TransferArg {
        from_subaccount: None,
        to: Account::of(BOB),
        amount: Nat::from(1u8),
        fee: None,
        memo: None,
        created_at_time: None,
    };
    let text = ledger.trap("icrc1_transfer", (arg,));
    assert_eq!(text, "IC0503: Anonymous principal cannot hold tokens on the ledger.");
}

#[test]
fn burns_and_mints_cost_nothing_and_trap_where_they_are_wrong() {
    let mut ledger = ledger();
    let burn = |fee, amount| Transfer { fee: e8s(fee), ..transfer(MINTER, amount) };
    assert_eq!(ledger.trap("transfer", (burn(FEE_E8S, 10_000),)), "IC0503: Fee for burning should be zero");
    assert_eq!(ledger.trap("transfer", (burn(0, 9_999),)), "IC0503: Burns lower than 10_000 are not allowed");
    assert_eq!(send(&mut ledger, burn(0, 10_000)), Ok(1));
    ledger.caller = MINTER;
    assert_eq!(ledger.trap("transfer", (transfer(BOB, 3),)), "IC0503: Fee for minting should be zero");
    let to_itself = Transfer { fee: e8s(0), ..transfer(MINTER, 3) };
    assert_eq!(ledger.trap("transfer", (to_itself,)), "IC0503: It is illegal to mint to a minting_account");
    assert_eq!(send(&mut ledger, Transfer { fee: e8s(0), ..transfer(BOB, 3) }), Ok(2));
    assert_eq!((balance(&mut ledger, ALICE), balance(&mut ledger, BOB)), (99_990_000, 3));
    ledger.caller = BOB;
    assert_eq!(ledger.trap("transfer", (burn(0, 3),)), "IC0503: Burns lower than 10_000 are not allowed");
}

#[test]
fn approvals_have_64_bits() {
    let mut ledger = ledger();
    let arg = ApproveArgs {
        from_subaccount: None,
        spender: Account::of(BOB),
        amount: Nat::from(u128::MAX),
        expected_allowance: None,
        expires_at: None,
        fee: None,
        memo: None,
        created_at_time: None,
    };
    let approved: Result<Nat, ApproveError> = ledger.ask("icrc2_approve", (arg.clone(),));
    assert_eq!(approved, Ok(Nat::from(1u8)));
    let again = ApproveArgs { expected_allowance: Some(Nat::from(0u8)), ..arg };
    let refused: Result<Nat, ApproveError> = ledger.ask("icrc2_approve", (again,));
    assert_eq!(refused, Err(ApproveError::AllowanceChanged { current_allowance: Nat::from(u64::MAX) }));
}

#[test]
fn an_amount_that_no_one_can_have_is_more_than_the_funds() {
    let mut ledger = ledger();
    ledger.caller = MINTER;
    let arg = TransferArg {
        from_subaccount: None,
        to: Account::of(BOB),
        amount: Nat::from(u128::MAX),
        fee: None,
        memo: None,
        created_at_time: None,
    };
    let refused: Result<Nat, super::super::ledger::TransferError> = ledger.ask("icrc1_transfer", (arg,));
    let balance = Nat::from(0u8);
    assert_eq!(refused, Err(super::super::ledger::TransferError::InsufficientFunds { balance }));
}

#[test]
fn blocks_can_be_read_from_the_mints_of_the_installation_on() {
    let mut ledger = ledger();
    send(&mut ledger, transfer(BOB, 7)).unwrap();
    let read = |ledger: &mut Stage<IcpLedger>, start, length| {
        let blocks: Blocks = value(&ledger.query("query_blocks", (GetBlocks { start, length },)));
        (blocks.chain_length, blocks.first_block_index, blocks.blocks)
    };
    let (length, first, blocks) = read(&mut ledger, 0, 10);
    assert_eq!((length, first, blocks.len()), (2, 0, 2));
    let minted = types::Operation::Mint { to: address(ALICE), amount: e8s(100_000_000) };
    assert_eq!(blocks[0].transaction.operation, Some(minted));
    let sent = types::Operation::Transfer {
        from: address(ALICE),
        to: address(BOB),
        amount: e8s(7),
        fee: e8s(FEE_E8S),
        spender: None,
    };
    assert_eq!((blocks[1].transaction.memo, &blocks[1].transaction.operation), (5, &Some(sent)));
    assert_eq!(blocks[1].timestamp.timestamp_nanos, NOW_NS);
    assert_eq!(read(&mut ledger, 1, 1), (2, 1, vec![blocks[1].clone()]));
    assert_eq!(read(&mut ledger, 2, 5), (2, 2, vec![]));
}

#[test]
fn the_token_is_icp_unless_told_otherwise() {
    let mut ledger = Stage::new(IcpLedger::install(&encode_args(()).unwrap()).unwrap());
    assert_eq!(value::<types::Symbol>(&ledger.query("symbol", ())).symbol, "ICP");
    assert_eq!(value::<types::Name>(&ledger.query("name", ())).name, "Internet Computer");
    assert_eq!(value::<types::Decimals>(&ledger.query("decimals", ())).decimals, 8);
    #[derive(CandidType)]
    struct Nothing {}
    assert_eq!(value::<TransferFee>(&ledger.query("transfer_fee", (Nothing {},))).transfer_fee, e8s(10_000));
    let id: Vec<u8> = value(&ledger.query("account_identifier", (Account::of(BOB),)));
    assert_eq!(id, address(BOB));
}

#[test]
fn what_does_not_fit_into_64_bits_is_refused_at_the_installation() {
    let most = (ALICE, Nat::from(u64::MAX));
    let init = IcpInit { balances: Some(vec![most, (BOB, Nat::from(1u8))]), ..IcpInit::default() };
    let problem = IcpLedger::install(&encode_one(init).unwrap()).err().unwrap();
    assert_eq!(problem, "18_446_744_073_709_551_616 e8s do not fit into 64 bits");
}
