//! The claim of the design, in this half: the outcomes of the model are those of `outcomes.txt`, which the search on the wasm
//! wrote.

use model::{Difference, Explored, compare, samples};

use crate::corpus;

/// Explores so many calls and compares all sections up to that number.
fn agree(name: &str, calls: u32) -> Explored {
    let explored = samples::model(corpus::scenario(name)).explore(calls as usize).unwrap();
    let file = corpus::outcomes(name);
    let differences = compare(&explored.outcomes, &file, calls);
    let differences: Vec<String> = differences.iter().map(Difference::to_string).collect();
    assert!(differences.is_empty(), "{name}:\n{}", differences.join("\n"));
    let sections = (1..=calls).flat_map(|calls| [(calls, 0), (calls, 1)]);
    assert!(sections.into_iter().all(|section| explored.outcomes.contains_key(&section)), "{name}");
    println!(
        "{name}, {calls} calls: {} interleavings, {} executions, {} of them cut, {} plans, {:.2} s",
        explored.interleavings,
        explored.executions,
        explored.cut,
        explored.plans,
        explored.elapsed.as_secs_f64()
    );
    explored
}

#[test]
fn outcomes_of_two_calls_are_those_of_the_corpus() {
    for name in ["counter", "counter-check", "vault-stale", "vault-rollback", "vault-sound"] {
        agree(name, 2);
    }
}

#[test]
fn outcomes_of_three_calls_to_the_counter_are_those_of_the_corpus() {
    for name in ["counter", "counter-check"] {
        let explored = agree(name, 3);
        assert_eq!(explored.violations, []);
        assert!(explored.unseen.is_empty(), "{:?}", explored.unseen);
    }
}

#[test]
fn outcomes_of_three_calls_to_the_stale_vault_are_those_of_the_corpus() {
    let explored = agree("vault-stale", 3);
    assert_eq!(explored.interleavings, 3300);
    assert!(explored.unseen.is_empty(), "{:?}", explored.unseen);
    assert_eq!(explored.violations.len(), 1);
}

#[test]
fn outcomes_of_three_calls_to_the_vault_that_rolls_back_are_those_of_the_corpus() {
    let explored = agree("vault-rollback", 3);
    assert_eq!(explored.interleavings, 17_586);
    assert!(explored.unseen.is_empty(), "{:?}", explored.unseen);
    assert_eq!(explored.violations.len(), 1);
}

#[test]
fn the_sound_vault_holds_in_every_order_of_three_calls() {
    let explored = agree("vault-sound", 3);
    assert_eq!(explored.interleavings, 1926);
    assert_eq!(explored.violations, []);
    assert!(explored.unseen.is_empty(), "{:?}", explored.unseen);
}
