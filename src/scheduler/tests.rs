//! Schedulers on chains of messages without canisters.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Class, Experience, Extras, Offer, Pct, Pos, Random, Record, Scheduler};

/// A message of a chain: its number within the chain, and the canister that executes it.
fn offer(chain: u32, number: u32, canister: u16) -> Offer {
    Offer {
        event: u64::from(chain) * 100 + u64::from(number),
        class: Class::Message,
        is_root: number == 0,
        canister,
        chain,
        family: chain,
        multiplicity: 1,
        position: 0,
    }
}

/// The order of chains that a scheduler gives to independent chains of these lengths, where `canister` says where a message
/// of a chain is executed.
fn order(
    scheduler: &mut dyn Scheduler,
    schedule: u64,
    experience: &Arc<Experience>,
    lengths: &[u32],
    canister: fn(u32, u32) -> u16,
) -> Vec<u32> {
    scheduler.begin(schedule, experience);
    let mut made = vec![0; lengths.len()];
    let mut order = Vec::new();
    loop {
        let waits = |&chain: &u32| made[chain as usize] < lengths[chain as usize];
        let waiting = (0..lengths.len() as u32).filter(waits);
        let offers: Vec<Offer> = waiting
            .map(|chain| (chain, made[chain as usize]))
            .map(|(chain, number)| offer(chain, number, canister(chain, number)))
            .collect();
        if offers.is_empty() {
            return order;
        }
        let chain = offers[scheduler.next(&offers)].chain;
        made[chain as usize] += 1;
        order.push(chain);
    }
}

fn learned(lengths: &[u32]) -> Arc<Experience> {
    let mut experience = Experience::new(1);
    let chains = (0..).zip(lengths.iter().copied()).collect();
    experience.add(&Record { chains, messages: lengths.iter().sum(), opportunities: [0; 3] });
    experience.settle();
    Arc::new(experience)
}

fn counts(scheduler: &mut dyn Scheduler, experience: &Arc<Experience>, lengths: &[u32]) -> BTreeMap<Vec<u32>, u32> {
    let mut counts = BTreeMap::new();
    for schedule in 0..15_000 {
        *counts.entry(order(scheduler, schedule, experience, lengths, |_, _| 0)).or_default() += 1;
    }
    counts
}

#[test]
fn random_makes_all_15_orders_of_a_chain_of_2_and_a_chain_of_4_equally_likely() {
    let counts = counts(&mut Random::new(1), &learned(&[2, 4]), &[2, 4]);
    assert_eq!(counts.len(), 15);
    // 1,000 of each are expected, with a standard deviation of 31.
    assert!(counts.values().all(|count| (880..=1_120).contains(count)), "{counts:?}");
}

#[test]
fn random_without_experience_favours_short_chains() {
    let counts = counts(&mut Random::new(1), &Arc::new(Experience::new(1)), &[2, 4]);
    // Even choices: the short chain first and at once ends in a quarter of the schedules instead of a fifteenth.
    assert!((3_600..=3_900).contains(&counts[&vec![0, 0, 1, 1, 1, 1]]), "{counts:?}");
}

#[test]
fn random_counts_a_start_as_often_as_there_are_calls_that_it_stands_for() {
    let experience = learned(&[3, 3]);
    let mut random = Random::new(7);
    let offers = [Offer { multiplicity: 3, ..offer(0, 0, 0) }, offer(1, 0, 0)];
    let drawn = (0..8_000).filter(|&schedule| {
        random.begin(schedule, &experience);
        random.next(&offers) == 0
    });
    let drawn = drawn.count();
    assert!((5_850..=6_150).contains(&drawn), "{drawn}");
}

#[test]
fn pos_delays_a_message_until_something_that_races_with_it_more_often_than_even_choices_do() {
    // Chain 0 comes to canister 9 with its only message, chain 1 with its fifth. A walk with even choices has chain 1 there
    // first in one of 32 schedules.
    let canister = |chain: u32, number: u32| match (chain, number) {
        (0, 0) | (1, 4) => 9,
        (chain, _) => chain as u16,
    };
    let mut pos = Pos::new(3);
    let experience = Arc::new(Experience::new(6));
    let later = (0..6_000).filter(|&schedule| {
        let order = order(&mut pos, schedule, &experience, &[1, 5], canister);
        *order.last().expect("six messages") == 0
    });
    let later = later.count();
    // Five priorities must be higher than that of the only message, which is drawn once: one of six.
    assert!((900..=1_100).contains(&later), "{later}");
}

#[test]
fn pct_without_change_points_finishes_one_chain_after_the_other() {
    let mut pct = Pct::new(5);
    let experience = Arc::new(Experience::new(6));
    let mut without = 0;
    for schedule in 0..400 {
        let order = order(&mut pct, schedule, &experience, &[3, 3], |_, _| 0);
        without += u32::from(order == [0, 0, 0, 1, 1, 1] || order == [1, 1, 1, 0, 0, 0]);
        let switches = order.windows(2).filter(|pair| pair[0] != pair[1]).count();
        assert!(switches <= 4, "at most three change points and one end: {order:?}");
    }
    assert!((100..400).contains(&without), "a quarter has no change point: {without}");
}

#[test]
fn schedulers_make_the_same_schedule_again() {
    let experience = learned(&[3, 2, 4]);
    let schedulers = || super::Strategy::Turns.schedulers(11);
    for (mut first, mut again) in schedulers().into_iter().zip(schedulers()) {
        let all = |scheduler: &mut dyn Scheduler| {
            let orders = (0..20).map(|n| order(scheduler, n, &experience, &[3, 2, 4], |_, number| number as u16));
            orders.collect::<Vec<_>>()
        };
        let once = all(&mut *first);
        assert_eq!(once, all(&mut *again));
        let third = order(&mut *again, 3, &experience, &[3, 2, 4], |_, number| number as u16);
        assert_eq!(once[3], third, "whatever was made before");
        assert!(once.iter().any(|order| *order != once[0]), "schedules differ");
    }
}

#[test]
fn half_of_the_schedules_have_no_fault_and_faults_come_at_every_place() {
    let mut experience = Experience::new(1);
    experience.add(&Record { opportunities: [10, 0, 0], ..Record::default() });
    let fault = [Offer { class: Class::Fault, ..offer(0, 0, 0) }];
    let mut extras = Extras::new(1, [2, 0, 0]);
    let mut counts = [0; 3];
    let mut places = [0; 10];
    for schedule in 0..8_000 {
        extras.begin(schedule, &experience);
        let made: Vec<usize> = (0..10).filter(|_| extras.next(&fault, false).is_some()).collect();
        counts[made.len()] += 1;
        if let [place] = made[..] {
            places[place] += 1;
        }
    }
    assert!((3_850..=4_150).contains(&counts[0]), "{counts:?}");
    assert!((1_850..=2_150).contains(&counts[1]), "{counts:?}");
    assert!(places.iter().all(|place| (140..=260).contains(place)), "{places:?}");
}

#[test]
fn extra_steps_that_are_left_are_made_at_rest() {
    let experience = Experience::new(1_000);
    let time = [Offer { class: Class::Time, ..offer(0, 0, 0) }];
    let mut extras = Extras::new(1, [0, 3, 0]);
    let mut most = 0;
    for schedule in 0..100 {
        extras.begin(schedule, &experience);
        most = most.max((0..9).filter(|_| extras.next(&time, true).is_some()).count());
    }
    assert_eq!(most, 3);
}
