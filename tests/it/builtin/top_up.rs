//! A top-up with the built-in ICP ledger and the built-in CMC, by real calls between them.

use crate::play::Play;
use crate::stage::Stage;

/// Alice pays 1 ICP for cycles of a canister, and notifies twice.
const TOP_UP: &str = r#"
[canister.ledger]
builtin = "icp-ledger"
init = '(record { balances = vec { record { principal "${alice}"; 300_000_000 } } })'

[canister.cmc]
builtin = "cmc"

[[call]]
id = "pay"
to = "ledger"
method = "icrc1_transfer"
by = ["alice"]
args = '(record { to = record { owner = principal "${cmc}"; subaccount = opt blob "\0a\00\00\00\00\00\00\00\63\01\01\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00" }; amount = 100_000_000; memo = blob "TPUP\00\00\00\00" })'

[[call]]
id = "notify"
to = "cmc"
method = "notify_top_up"
by = ["alice"]
args = '(record { block_index = 1; canister_id = principal "CANISTER" })'
max = 2
after = "pay"

[observe.alice_has]
from = "ledger"
query = "icrc1_balance_of"
args = '(record { owner = principal "${alice}" })'
"#;

/// The canister that is paid for: the one in the subaccount.
fn nobody() -> candid::Principal {
    candid::Principal::from_slice(&[0, 0, 0, 0, 0, 0, 0, 0x63, 1, 1])
}

/// A scenario that does not have this canister, so that its cycles come back.
pub fn stage() -> Stage {
    Stage::new(&[], &TOP_UP.replace("CANISTER", &nobody().to_text()))
}

/// Makes the only step that is possible for a call, again and again; returns its answer.
fn to_its_end(play: &mut Play, call: usize) -> String {
    while play.answer(call) == "open" {
        let possible = play.possible();
        let next = possible.split(' ').find(|step| step.starts_with(&format!("{call}."))).expect("a step of the call");
        play.steps(next);
    }
    play.answer(call)
}

#[test]
fn the_cmc_checks_the_block_on_the_ledger_and_pays_back_what_it_cannot_use() {
    let mut play = Play::new(&stage());
    assert_eq!(play.observe("alice_has"), "300000000");
    play.steps("0");
    assert_eq!((play.answer(0), play.observe("alice_has")), ("Ok(1)".to_string(), "199990000".to_string()));
    // The block, the deposit, the refund.
    play.steps("1 1.1 1.1r");
    let answer = to_its_end(&mut play, 1);
    assert!(
        answer.starts_with("Err(Refunded({block_index = 2, reason = \"Depositing cycles failed with code"),
        "{answer}"
    );
    // Less a fee for the payment, two for the failure and one for the refund.
    assert_eq!(play.observe("alice_has"), "299960000");
    play.steps("2 2.1 2.1r");
    assert_eq!(play.answer(2), answer);
}

#[test]
fn two_notifications_of_one_payment_never_get_more_than_one_answer_beside_processing() {
    let explored = stage().explore();
    let all = &explored.outcomes[&(3, 0)];
    assert!(all.iter().any(|outcome| outcome.contains("Err(Processing)")), "{all:?}");
    assert!(all.iter().all(|outcome| outcome.contains("alice_has = 299960000")), "{all:?}");
}

#[test]
fn a_canister_of_the_scenario_gets_the_cycles() {
    let target = format!("[canister.target]\nbuiltin = \"stub\"\nid = \"{}\"\n", nobody());
    let mut play = Play::new(&Stage::new(&[], &(TOP_UP.replace("CANISTER", &nobody().to_text()) + &target)));
    let before = play.balance(2);
    play.steps("0 1");
    // 1 ICP at 100 XDR, 10^12 cycles each.
    assert_eq!(to_its_end(&mut play, 1), "Ok(100000000000000)");
    assert_eq!(play.balance(2) - before, 100_000_000_000_000);
    assert_eq!(play.observe("alice_has"), "199990000");
    play.steps("2");
    assert_eq!(to_its_end(&mut play, 2), "Ok(100000000000000)");
    assert_eq!(play.balance(2) - before, 100_000_000_000_000);
}
