//! Where requests belong that have something in common.

use std::time::{Duration, Instant};

use fastrand::Rng;
use proptest::prelude::*;

use super::{RETRY, fleet, fleet_since};
use crate::catalog::Target;
use crate::catalog::tests::targets;
use crate::config::Balance;
use crate::routing::{Fleet, InFlight, Kept, Kinship, Outcome, Plan};

fn kinship(name: &str, max_load: Option<u32>) -> Kinship {
    Kinship::of(&[name.as_bytes()], max_load).unwrap()
}

/// Where the first attempt goes.
fn first<'p>(fleet: &'p Fleet, targets: &'p [Target], kinship: Kinship) -> (&'p Target, Kept) {
    first_at(fleet, targets, kinship, Instant::now())
}

fn first_at<'p>(
    fleet: &'p Fleet,
    targets: &'p [Target],
    kinship: Kinship,
    now: Instant,
) -> (&'p Target, Kept) {
    let mut plan = Plan::new(fleet, targets, RETRY, Balance::Weighted).with_affinity(Some(kinship));
    let target = plan.first(now, &mut Rng::with_seed(1)).unwrap();
    (target, plan.keeps_to(target).unwrap())
}

fn home(fleet: &Fleet, targets: &[Target], name: &str) -> usize {
    let (target, kept) = first(fleet, targets, kinship(name, Some(125)));
    assert_eq!(kept, Kept::Kept);
    target.credential
}

#[test]
fn the_choice_is_the_same_in_every_process() {
    let targets = targets(&[(0, 1), (0, 1), (0, 2), (1, 9)]);
    let fleet = fleet();
    let homes = [
        "alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi",
    ];
    let homes = homes.map(|name| home(&fleet, &targets, name));
    assert_eq!(homes, [0, 2, 2, 2, 2, 1, 2, 1]);
    let key = Kinship::of(&[b"ab", b"c"], None);
    assert_ne!(key, Kinship::of(&[b"a", b"bc"], None));
    assert_eq!(Kinship::of(&[b"", b""], None), None);
}

#[test]
fn each_target_has_its_share_by_weight() {
    let targets = targets(&[(0, 1), (0, 2), (0, 5)]);
    let fleet = fleet();
    let mut counts = [0; 3];
    for name in 0..8000 {
        counts[home(&fleet, &targets, &name.to_string())] += 1;
    }
    for (count, weight) in counts.into_iter().zip([1, 2, 5]) {
        // Five standard deviations are at most 225.
        assert!(
            (weight * 1000 - 225..=weight * 1000 + 225).contains(&count),
            "{counts:?}"
        );
    }
}

#[test]
fn a_request_that_says_nothing_goes_by_balance() {
    let targets = targets(&[(0, 1), (0, 1)]);
    let fleet = fleet();
    let mut counts = [0; 2];
    for seed in 0..400 {
        let mut plan = Plan::new(&fleet, &targets, RETRY, Balance::Weighted).with_affinity(None);
        let target = plan
            .first(Instant::now(), &mut Rng::with_seed(seed))
            .unwrap();
        assert_eq!(plan.keeps_to(target), Some(Kept::Unknown));
        counts[target.credential] += 1;
    }
    assert!(counts.iter().all(|count| *count > 100), "{counts:?}");
    let plan = Plan::new(&fleet, &targets, RETRY, Balance::Weighted);
    assert_eq!(plan.keeps_to(&targets[0]), None);
}

#[test]
fn a_target_that_is_left_out_gets_its_own_back() {
    let began = Instant::now();
    let targets = targets(&[(0, 1), (0, 1), (0, 1)]);
    let fleet = fleet_since(began);
    let at = |seconds| began + Duration::from_secs(seconds);
    let key = kinship("somebody", None);
    let (home, _) = first_at(&fleet, &targets, key, at(0));
    for _ in 0..5 {
        fleet.note(home, Some(Outcome::Failed), at(1));
    }
    let (other, kept) = first_at(&fleet, &targets, key, at(2));
    assert_eq!(kept, Kept::Moved);
    assert_ne!(other.slot, home.slot);
    assert_eq!(first_at(&fleet, &targets, key, at(3)).0.slot, other.slot);
    // The ejection has lapsed: this one tries it out, and it is well.
    assert_eq!(first_at(&fleet, &targets, key, at(7)).0.slot, home.slot);
    fleet.note(home, None, at(7));
    assert_eq!(first_at(&fleet, &targets, key, at(8)).1, Kept::Kept);
}

proptest! {
    #[test]
    fn a_target_that_goes_moves_only_its_own(
        weights in proptest::collection::vec(1u64..9, 2..10),
        gone: prop::sample::Index,
        names in proptest::collection::vec(any::<u64>(), 1..60),
    ) {
        let shape: Vec<_> = weights.iter().map(|weight| (0, *weight)).collect();
        let all = targets(&shape);
        let gone = gone.index(all.len());
        let left: Vec<_> = all.iter().filter(|it| it.credential != gone).cloned().collect();
        let fleet = fleet();
        for name in names {
            let before = home(&fleet, &all, &name.to_string());
            let after = home(&fleet, &left, &name.to_string());
            prop_assert!(before == gone || before == after);
        }
    }

    #[test]
    fn no_target_has_more_than_its_bound(
        weights in proptest::collection::vec(1u64..9, 1..8),
        percent in 100u32..400,
        turns in proptest::collection::vec((0u8..4, any::<prop::sample::Index>(), 0u8..3), 1..200),
    ) {
        let shape: Vec<_> = weights.iter().map(|weight| (0, *weight)).collect();
        let targets = targets(&shape);
        let whole: u64 = weights.iter().sum();
        let fleet = fleet();
        let mut held: Vec<(usize, InFlight)> = Vec::new();
        for (name, place, turn) in turns {
            if turn == 0 && !held.is_empty() {
                held.swap_remove(place.index(held.len()));
                continue;
            }
            // Few names, so that all want the same places.
            let key = kinship(&name.to_string(), Some(percent));
            let (target, _) = first(&fleet, &targets, key);
            held.push((target.credential, fleet.enter(target).unwrap()));
            let here = held.iter().filter(|(place, _)| *place == target.credential).count();
            let bound = held.len() as u64 * u64::from(percent) * target.weight;
            prop_assert!(here as u64 <= bound.div_ceil(100 * whole));
        }
    }
}
