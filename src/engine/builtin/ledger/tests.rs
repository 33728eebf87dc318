//! Each rule and each error of ICRC-1 and ICRC-2, through their Candid methods.

use candid::{Nat, Principal, encode_one};

use super::super::books::{DRIFT_NS, WINDOW_NS};
use super::super::stage::{ALICE, BOB, NOW_NS, Stage, value};
use super::*;

const MINTER: Principal = Principal::from_slice(&[7]);
const CAROL: Principal = Principal::from_slice(&[8]);

type Settled<E> = Result<Nat, E>;

fn nat(n: u64) -> Nat {
    Nat::from(n)
}

/// A ledger with a fee of 10 on which Alice has 1000, and whose tokens come from the minter.
fn ledger(has_approvals: bool) -> Stage<Ledger> {
    let init = Init {
        fee: nat(10),
        balances: vec![(ALICE, nat(1_000))],
        account_balances: None,
        minting_account: Some(Account::of(MINTER)),
        name: None,
        symbol: None,
        decimals: None,
    };
    Stage::new(Ledger::install(&encode_one(init).unwrap(), has_approvals).unwrap())
}

fn transfer(to: Principal, amount: u64) -> TransferArg {
    let to = Account::of(to);
    TransferArg { from_subaccount: None, to, amount: nat(amount), fee: None, memo: None, created_at_time: None }
}

fn send(ledger: &mut Stage<Ledger>, arg: TransferArg) -> Settled<TransferError> {
    ledger.ask("icrc1_transfer", (arg,))
}

fn approval(amount: u64) -> ApproveArgs {
    ApproveArgs {
        from_subaccount: None,
        spender: Account::of(BOB),
        amount: nat(amount),
        expected_allowance: None,
        expires_at: None,
        fee: None,
        memo: None,
        created_at_time: None,
    }
}

fn approve(ledger: &mut Stage<Ledger>, arg: ApproveArgs) -> Settled<ApproveError> {
    ledger.caller = ALICE;
    ledger.ask("icrc2_approve", (arg,))
}

fn pull(amount: u64) -> TransferFromArgs {
    TransferFromArgs {
        spender_subaccount: None,
        from: Account::of(ALICE),
        to: Account::of(CAROL),
        amount: nat(amount),
        fee: None,
        memo: None,
        created_at_time: None,
    }
}

/// A transfer by Bob.
fn take(ledger: &mut Stage<Ledger>, arg: TransferFromArgs) -> Settled<TransferFromError> {
    ledger.caller = BOB;
    ledger.ask("icrc2_transfer_from", (arg,))
}

fn allowance(ledger: &mut Stage<Ledger>) -> (Nat, Option<u64>) {
    let arg = AllowanceArgs { account: Account::of(ALICE), spender: Account::of(BOB) };
    let reply: AllowanceReply = value(&ledger.query("icrc2_allowance", (arg,)));
    (reply.allowance, reply.expires_at)
}

fn balance(ledger: &mut Stage<Ledger>, owner: Principal) -> Nat {
    value(&ledger.query("icrc1_balance_of", (Account::of(owner),)))
}

/// What Alice, Bob, Carol and all together hold.
fn holdings(ledger: &mut Stage<Ledger>) -> [Nat; 4] {
    let [alice, bob, carol] = [ALICE, BOB, CAROL].map(|owner| balance(ledger, owner));
    [alice, bob, carol, value(&ledger.query("icrc1_total_supply", ()))]
}

#[test]
fn a_transfer_moves_the_amount_and_burns_the_fee() {
    let mut ledger = ledger(false);
    assert_eq!(send(&mut ledger, transfer(BOB, 100)), Ok(nat(0)));
    assert_eq!(send(&mut ledger, TransferArg { fee: Some(nat(10)), ..transfer(BOB, 100) }), Ok(nat(1)));
    assert_eq!(holdings(&mut ledger), [780, 200, 0, 980].map(nat));
}

#[test]
fn a_transfer_with_another_fee_or_without_funds_moves_nothing() {
    let mut ledger = ledger(false);
    let refused = send(&mut ledger, TransferArg { fee: Some(nat(9)), ..transfer(BOB, 1) });
    assert_eq!(refused, Err(TransferError::BadFee { expected_fee: nat(10) }));
    let refused = send(&mut ledger, transfer(BOB, 991));
    assert_eq!(refused, Err(TransferError::InsufficientFunds { balance: nat(1_000) }));
    assert_eq!(ledger.memory.0, 0);
    assert_eq!(send(&mut ledger, transfer(BOB, 990)), Ok(nat(0)));
    assert_eq!(holdings(&mut ledger), [0, 990, 0, 990].map(nat));
}

#[test]
fn a_transfer_twice_with_one_creation_time_is_a_duplicate() {
    let mut ledger = ledger(false);
    let arg = TransferArg { created_at_time: Some(NOW_NS), ..transfer(BOB, 600) };
    assert_eq!(send(&mut ledger, arg.clone()), Ok(nat(0)));
    // Although the funds would not suffice.
    assert_eq!(send(&mut ledger, arg.clone()), Err(TransferError::Duplicate { duplicate_of: nat(0) }));
    let zeros = TransferArg { from_subaccount: Some(vec![0; 32]), ..arg.clone() };
    assert_eq!(send(&mut ledger, zeros), Err(TransferError::Duplicate { duplicate_of: nat(0) }));
    let other_memo = TransferArg { memo: Some(vec![1]), ..arg.clone() };
    assert_eq!(send(&mut ledger, other_memo), Err(TransferError::InsufficientFunds { balance: nat(390) }));
    let other_fee = TransferArg { fee: Some(nat(10)), ..arg };
    assert_eq!(send(&mut ledger, other_fee), Err(TransferError::InsufficientFunds { balance: nat(390) }));
}

#[test]
fn a_transfer_twice_without_creation_time_is_two_transfers() {
    let mut ledger = ledger(false);
    assert_eq!([transfer(BOB, 5), transfer(BOB, 5)].map(|arg| send(&mut ledger, arg)), [Ok(nat(0)), Ok(nat(1))]);
}

#[test]
fn a_transfer_is_too_old_after_window_and_drift_and_too_new_after_the_drift() {
    let mut ledger = ledger(false);
    let at = |created_ns| TransferArg { created_at_time: Some(created_ns), ..transfer(BOB, 1) };
    let refused = send(&mut ledger, at(NOW_NS + DRIFT_NS + 1));
    assert_eq!(refused, Err(TransferError::CreatedInFuture { ledger_time: NOW_NS }));
    assert_eq!(send(&mut ledger, at(NOW_NS + DRIFT_NS)), Ok(nat(0)));
    assert_eq!(send(&mut ledger, at(NOW_NS - WINDOW_NS - DRIFT_NS - 1)), Err(TransferError::TooOld));
    assert_eq!(send(&mut ledger, at(NOW_NS - WINDOW_NS - DRIFT_NS)), Ok(nat(1)));
}

#[test]
fn a_fee_is_checked_before_the_age_and_a_repetition_before_the_funds() {
    let mut ledger = ledger(false);
    let old = TransferArg { created_at_time: Some(0), ..transfer(BOB, 5_000) };
    let bad = send(&mut ledger, TransferArg { fee: Some(nat(0)), ..old.clone() });
    assert_eq!(bad, Err(TransferError::BadFee { expected_fee: nat(10) }));
    assert_eq!(send(&mut ledger, old), Err(TransferError::TooOld));
}

#[test]
fn what_is_remembered_is_forgotten_when_a_repetition_would_be_too_old() {
    let mut ledger = ledger(false);
    let arg = |created_ns| TransferArg { created_at_time: Some(created_ns), ..transfer(BOB, 1) };
    send(&mut ledger, arg(NOW_NS)).unwrap();
    ledger.time_ns = NOW_NS + WINDOW_NS + DRIFT_NS;
    assert_eq!(send(&mut ledger, arg(NOW_NS)), Err(TransferError::Duplicate { duplicate_of: nat(0) }));
    ledger.time_ns += 1;
    assert_eq!(send(&mut ledger, arg(NOW_NS)), Err(TransferError::TooOld));
}

#[test]
fn subaccounts_are_separate_and_have_32_bytes() {
    let mut ledger = ledger(false);
    let one = Account { owner: BOB, subaccount: Some(vec![1; 32]) };
    assert_eq!(send(&mut ledger, TransferArg { to: one.clone(), ..transfer(BOB, 100) }), Ok(nat(0)));
    assert_eq!(balance(&mut ledger, BOB), nat(0));
    assert_eq!(value::<Nat>(&ledger.query("icrc1_balance_of", (one,))), nat(100));
    ledger.caller = BOB;
    let back = TransferArg { from_subaccount: Some(vec![1; 32]), ..transfer(ALICE, 90) };
    assert_eq!(send(&mut ledger, back), Ok(nat(1)));
    let short = Account { owner: BOB, subaccount: Some(vec![1]) };
    let text = ledger.trap("icrc1_transfer", (TransferArg { to: short, ..transfer(BOB, 1) },));
    assert_eq!(text, "IC0503: a subaccount has 32 bytes, this one has 1");
}

#[test]
fn a_memo_has_32_bytes_at_most() {
    let mut ledger = ledger(true);
    assert_eq!(send(&mut ledger, TransferArg { memo: Some(vec![0; 32]), ..transfer(BOB, 1) }), Ok(nat(0)));
    let text = ledger.trap("icrc1_transfer", (TransferArg { memo: Some(vec![0; 33]), ..transfer(BOB, 1) },));
    assert_eq!(text, "IC0503: the memo field size of 33 bytes is above the allowed limit of 32 bytes");
    let text = ledger.trap("icrc2_approve", (ApproveArgs { memo: Some(vec![0; 33]), ..approval(1) },));
    assert_eq!(text, "IC0503: the memo field is too large");
}

#[test]
fn a_transfer_from_the_minting_account_creates_tokens_without_a_fee() {
    let mut ledger = ledger(false);
    ledger.caller = MINTER;
    assert_eq!(send(&mut ledger, transfer(BOB, 50)), Ok(nat(0)));
    let refused = send(&mut ledger, TransferArg { fee: Some(nat(10)), ..transfer(BOB, 1) });
    assert_eq!(refused, Err(TransferError::BadFee { expected_fee: nat(0) }));
    assert_eq!(holdings(&mut ledger), [1_000, 50, 0, 1_050].map(nat));
    assert_eq!(balance(&mut ledger, MINTER), nat(0));
}

#[test]
fn a_transfer_to_the_minting_account_burns_at_least_the_fee_and_costs_none() {
    let mut ledger = ledger(false);
    let refused = send(&mut ledger, transfer(MINTER, 9));
    assert_eq!(refused, Err(TransferError::BadBurn { min_burn_amount: nat(10) }));
    let refused = send(&mut ledger, TransferArg { fee: Some(nat(10)), ..transfer(MINTER, 10) });
    assert_eq!(refused, Err(TransferError::BadFee { expected_fee: nat(0) }));
    assert_eq!(send(&mut ledger, transfer(MINTER, 995)), Ok(nat(0)));
    assert_eq!(holdings(&mut ledger), [5, 0, 0, 5].map(nat));
    // What is left is less than the fee, and can be burned as a whole.
    let refused = send(&mut ledger, transfer(MINTER, 4));
    assert_eq!(refused, Err(TransferError::BadBurn { min_burn_amount: nat(5) }));
    assert_eq!(send(&mut ledger, transfer(MINTER, 5)), Ok(nat(1)));
    let refused = send(&mut ledger, transfer(MINTER, 0));
    assert_eq!(refused, Err(TransferError::BadBurn { min_burn_amount: nat(10) }));
    let refused = send(&mut ledger, transfer(MINTER, 10));
    assert_eq!(refused, Err(TransferError::InsufficientFunds { balance: nat(0) }));
}

#[test]
fn an_approved_spender_transfers_until_amounts_and_fees_are_used_up() {
    let mut ledger = ledger(true);
    assert_eq!(approve(&mut ledger, approval(120)), Ok(nat(0)));
    assert_eq!(allowance(&mut ledger), (nat(120), None));
    assert_eq!(take(&mut ledger, pull(100)), Ok(nat(1)));
    assert_eq!(allowance(&mut ledger), (nat(10), None));
    let refused = take(&mut ledger, pull(1));
    assert_eq!(refused, Err(TransferFromError::InsufficientAllowance { allowance: nat(10) }));
    assert_eq!(take(&mut ledger, pull(0)), Ok(nat(2)));
    assert_eq!(allowance(&mut ledger), (nat(0), None));
    assert_eq!(holdings(&mut ledger), [870, 0, 100, 970].map(nat));
}

#[test]
fn a_spender_without_approval_is_refused_before_the_funds_are_looked_at() {
    let mut ledger = ledger(true);
    let refused = take(&mut ledger, pull(5_000));
    assert_eq!(refused, Err(TransferFromError::InsufficientAllowance { allowance: nat(0) }));
    approve(&mut ledger, approval(9_000)).unwrap();
    let refused = take(&mut ledger, pull(5_000));
    assert_eq!(refused, Err(TransferFromError::InsufficientFunds { balance: nat(990) }));
    assert_eq!(allowance(&mut ledger), (nat(9_000), None));
}

#[test]
fn the_owner_spends_without_an_allowance() {
    let mut ledger = ledger(true);
    let own: Settled<TransferFromError> = ledger.ask("icrc2_transfer_from", (pull(100),));
    assert_eq!(own, Ok(nat(0)));
}

#[test]
fn a_spenders_transfer_is_checked_as_one_of_the_owner() {
    let mut ledger = ledger(true);
    approve(&mut ledger, approval(900)).unwrap();
    let refused = take(&mut ledger, TransferFromArgs { fee: Some(nat(1)), ..pull(1) });
    assert_eq!(refused, Err(TransferFromError::BadFee { expected_fee: nat(10) }));
    let refused = take(&mut ledger, TransferFromArgs { to: Account::of(MINTER), ..pull(9) });
    assert_eq!(refused, Err(TransferFromError::BadBurn { min_burn_amount: nat(10) }));
    let refused = take(&mut ledger, TransferFromArgs { created_at_time: Some(0), ..pull(1) });
    assert_eq!(refused, Err(TransferFromError::TooOld));
    let refused = take(&mut ledger, TransferFromArgs { created_at_time: Some(u64::MAX), ..pull(1) });
    assert_eq!(refused, Err(TransferFromError::CreatedInFuture { ledger_time: NOW_NS }));
    let now = TransferFromArgs { created_at_time: Some(NOW_NS), ..pull(1) };
    assert_eq!(take(&mut ledger, now.clone()), Ok(nat(1)));
    assert_eq!(take(&mut ledger, now), Err(TransferFromError::Duplicate { duplicate_of: nat(1) }));
    let burn = TransferFromArgs { to: Account::of(MINTER), ..pull(800) };
    assert_eq!(take(&mut ledger, burn), Ok(nat(2)));
    assert_eq!(allowance(&mut ledger), (nat(89), None));
    let mint = TransferFromArgs { from: Account::of(MINTER), ..pull(1) };
    assert_eq!(ledger.trap("icrc2_transfer_from", (mint,)), "IC0503: the minter account cannot delegate mints");
}

#[test]
fn an_approval_costs_the_fee_and_replaces_the_one_before() {
    let mut ledger = ledger(true);
    assert_eq!(approve(&mut ledger, approval(50)), Ok(nat(0)));
    let next = ApproveArgs { expires_at: Some(NOW_NS + 1), fee: Some(nat(10)), ..approval(70) };
    assert_eq!(approve(&mut ledger, next), Ok(nat(1)));
    assert_eq!(allowance(&mut ledger), (nat(70), Some(NOW_NS + 1)));
    assert_eq!(approve(&mut ledger, approval(0)), Ok(nat(2)));
    assert_eq!(allowance(&mut ledger), (nat(0), None));
    assert_eq!(holdings(&mut ledger), [970, 0, 0, 970].map(nat));
}

#[test]
fn an_allowance_ends_when_it_expires() {
    let mut ledger = ledger(true);
    let expires_at = Some(NOW_NS + 5);
    approve(&mut ledger, ApproveArgs { expires_at, ..approval(500) }).unwrap();
    ledger.time_ns = NOW_NS + 4;
    assert_eq!(take(&mut ledger, pull(1)), Ok(nat(1)));
    ledger.time_ns = NOW_NS + 5;
    assert_eq!(allowance(&mut ledger), (nat(0), None));
    let refused = take(&mut ledger, pull(1));
    assert_eq!(refused, Err(TransferFromError::InsufficientAllowance { allowance: nat(0) }));
    assert_eq!(approve(&mut ledger, ApproveArgs { expected_allowance: Some(nat(0)), ..approval(7) }), Ok(nat(2)));
}

#[test]
fn an_approval_is_refused_for_each_of_its_reasons_in_this_order() {
    let mut ledger = ledger(true);
    // All reasons at once; each refusal removes the first of them.
    let arg = ApproveArgs {
        fee: Some(nat(1)),
        created_at_time: Some(0),
        expires_at: Some(NOW_NS),
        expected_allowance: Some(nat(3)),
        ..approval(1)
    };
    let refused = approve(&mut ledger, arg.clone());
    assert_eq!(refused, Err(ApproveError::BadFee { expected_fee: nat(10) }));
    let arg = ApproveArgs { fee: None, ..arg };
    assert_eq!(approve(&mut ledger, arg.clone()), Err(ApproveError::TooOld));
    let refused = approve(&mut ledger, ApproveArgs { created_at_time: Some(u64::MAX), ..arg.clone() });
    assert_eq!(refused, Err(ApproveError::CreatedInFuture { ledger_time: NOW_NS }));
    let arg = ApproveArgs { created_at_time: Some(NOW_NS), ..arg };
    let poor = Account { owner: ALICE, subaccount: Some(vec![9; 32]) };
    let refused = approve(&mut ledger, ApproveArgs { from_subaccount: poor.subaccount, ..arg.clone() });
    assert_eq!(refused, Err(ApproveError::InsufficientFunds { balance: nat(0) }));
    assert_eq!(approve(&mut ledger, arg.clone()), Err(ApproveError::Expired { ledger_time: NOW_NS }));
    let arg = ApproveArgs { expires_at: None, ..arg };
    let refused = approve(&mut ledger, arg.clone());
    assert_eq!(refused, Err(ApproveError::AllowanceChanged { current_allowance: nat(0) }));
    assert_eq!(ledger.memory.0, 0);
    let arg = ApproveArgs { expected_allowance: Some(nat(0)), ..arg };
    assert_eq!(approve(&mut ledger, arg.clone()), Ok(nat(0)));
    assert_eq!(approve(&mut ledger, arg), Err(ApproveError::Duplicate { duplicate_of: nat(0) }));
}

#[test]
fn nobody_approves_oneself_and_the_minting_account_approves_nobody() {
    let mut ledger = ledger(true);
    let spender = Account { owner: ALICE, subaccount: Some(vec![1; 32]) };
    let text = ledger.trap("icrc2_approve", (ApproveArgs { spender, ..approval(1) },));
    assert_eq!(text, "IC0503: self approval is not allowed");
    ledger.caller = MINTER;
    assert_eq!(ledger.trap("icrc2_approve", (approval(1),)), "IC0503: the minting account cannot delegate mints");
}

#[test]
fn a_ledger_of_icrc_1_has_no_method_of_icrc_2() {
    let mut ledger = ledger(false);
    for method in ["icrc2_approve", "icrc2_transfer_from", "icrc2_allowance"] {
        assert_eq!(ledger.trap(method, ()), format!("IC0536: Canister has no update method '{method}'"));
    }
    let standards: Vec<types::Standard> = value(&ledger.query("icrc1_supported_standards", ()));
    assert_eq!(standards, [types::Standard::icrc(1)]);
    let standards: Vec<types::Standard> = value(&self::ledger(true).query("icrc1_supported_standards", ()));
    assert_eq!(standards, [types::Standard::icrc(1), types::Standard::icrc(2)]);
}

#[test]
fn metadata_says_what_the_single_queries_say() {
    let mut ledger = ledger(false);
    let metadata: Vec<(String, Value)> = value(&ledger.query("icrc1_metadata", ()));
    let text = |text: &str| Value::Text(text.to_string());
    let wanted = [
        ("icrc1:decimals", Value::Nat(nat(8))),
        ("icrc1:name", text("Built-in token")),
        ("icrc1:symbol", text("BIT")),
        ("icrc1:fee", Value::Nat(nat(10))),
        ("icrc1:max_memo_length", Value::Nat(nat(32))),
    ];
    assert_eq!(metadata, wanted.map(|(key, value)| (key.to_string(), value)));
    assert_eq!(value::<u8>(&ledger.query("icrc1_decimals", ())), 8);
    assert_eq!(value::<String>(&ledger.query("icrc1_name", ())), "Built-in token");
    assert_eq!(value::<String>(&ledger.query("icrc1_symbol", ())), "BIT");
    assert_eq!(value::<Nat>(&ledger.query("icrc1_fee", ())), nat(10));
    let minter: Option<Account> = value(&ledger.query("icrc1_minting_account", ()));
    assert_eq!(minter, Some(Account::of(MINTER)));
}

#[test]
fn an_installation_may_give_tokens_to_every_account_but_the_minting_one() {
    let account = Account { owner: BOB, subaccount: Some(vec![1; 32]) };
    let init = Init {
        fee: nat(0),
        balances: vec![(ALICE, nat(1)), (ALICE, nat(2))],
        account_balances: Some(vec![(account.clone(), nat(4))]),
        minting_account: None,
        name: Some("Token".to_string()),
        symbol: Some("T".to_string()),
        decimals: Some(2),
    };
    let install = |init: &Init| Ledger::install(&encode_one(init).unwrap(), false);
    let mut ledger = Stage::new(install(&init).unwrap());
    assert_eq!(holdings(&mut ledger), [3, 0, 0, 7].map(nat));
    assert_eq!(value::<u8>(&ledger.query("icrc1_decimals", ())), 2);
    let minting = Init { minting_account: Some(account), ..init };
    let wanted = format!("`init` gives tokens to {BOB}, the minting account, which holds none");
    assert_eq!(install(&minting).err(), Some(wanted));
    let nothing = Ledger::install(&candid::encode_args(()).unwrap(), false).err().unwrap();
    assert!(nothing.starts_with("`init` must be (record { fee : nat; balances : vec record { principal; nat } }): "));
}
