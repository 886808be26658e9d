//! Affinity over made-up targets.

use std::time::{Duration, Instant};

use fastrand::Rng;
use proptest::prelude::*;

use super::{RETRY, fleet, fleet_since};
use crate::catalog::Target;
use crate::catalog::tests::targets;
use crate::config::Balance;
use crate::routing::{AffinityKey, AffinityResult, AttemptOutcome, Fleet, InFlightGuard, Plan};

fn key(name: &str, max_load: Option<u32>) -> AffinityKey {
    AffinityKey::new(&[name.as_bytes()], max_load).unwrap()
}

fn first<'p>(
    fleet: &'p Fleet,
    targets: &'p [Target],
    key: AffinityKey,
) -> (&'p Target, AffinityResult) {
    first_at(fleet, targets, key, Instant::now())
}

fn first_at<'p>(
    fleet: &'p Fleet,
    targets: &'p [Target],
    key: AffinityKey,
    now: Instant,
) -> (&'p Target, AffinityResult) {
    let mut plan = Plan::new(fleet, targets, RETRY, Balance::Weighted).with_affinity(Some(key));
    let target = plan.first(now, &mut Rng::with_seed(1)).unwrap();
    (target, plan.affinity_result(target).unwrap())
}

/// The credential of the affine target.
fn preferred(fleet: &Fleet, targets: &[Target], name: &str) -> usize {
    let (target, result) = first(fleet, targets, key(name, Some(125)));
    assert_eq!(result, AffinityResult::Hit);
    target.credential
}

#[test]
fn the_choice_is_the_same_in_every_process() {
    let targets = targets(&[(0, 1), (0, 1), (0, 2), (1, 9)]);
    let fleet = fleet();
    let names = [
        "alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi",
    ];
    let preferred = names.map(|name| preferred(&fleet, &targets, name));
    assert_eq!(preferred, [0, 2, 2, 2, 2, 1, 2, 1]);
    let key = AffinityKey::new(&[b"ab", b"c"], None);
    assert_ne!(key, AffinityKey::new(&[b"a", b"bc"], None));
    assert_eq!(AffinityKey::new(&[b"", b""], None), None);
}

#[test]
fn keys_are_distributed_by_weight() {
    let targets = targets(&[(0, 1), (0, 2), (0, 5)]);
    let fleet = fleet();
    let mut counts = [0; 3];
    for name in 0..8000 {
        counts[preferred(&fleet, &targets, &name.to_string())] += 1;
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
fn a_request_without_a_key_is_balanced() {
    let targets = targets(&[(0, 1), (0, 1)]);
    let fleet = fleet();
    let mut counts = [0; 2];
    for seed in 0..400 {
        let mut plan = Plan::new(&fleet, &targets, RETRY, Balance::Weighted).with_affinity(None);
        let target = plan
            .first(Instant::now(), &mut Rng::with_seed(seed))
            .unwrap();
        assert_eq!(plan.affinity_result(target), Some(AffinityResult::NoKey));
        counts[target.credential] += 1;
    }
    assert!(counts.iter().all(|count| *count > 100), "{counts:?}");
    let plan = Plan::new(&fleet, &targets, RETRY, Balance::Weighted);
    assert_eq!(plan.affinity_result(&targets[0]), None);
}

#[test]
fn a_target_gets_its_keys_back_after_an_ejection() {
    let started = Instant::now();
    let targets = targets(&[(0, 1), (0, 1), (0, 1)]);
    let fleet = fleet_since(started);
    let at = |seconds| started + Duration::from_secs(seconds);
    let key = key("alice", None);
    let (preferred, _) = first_at(&fleet, &targets, key, at(0));
    for _ in 0..5 {
        fleet.record_result(preferred, Some(AttemptOutcome::Failed), at(1));
    }
    let (other, result) = first_at(&fleet, &targets, key, at(2));
    assert_eq!(result, AffinityResult::Moved);
    assert_ne!(other.state_index, preferred.state_index);
    assert_eq!(
        first_at(&fleet, &targets, key, at(3)).0.state_index,
        other.state_index
    );
    // The ejection has lapsed: this request is the probe, and succeeds.
    assert_eq!(
        first_at(&fleet, &targets, key, at(7)).0.state_index,
        preferred.state_index
    );
    fleet.record_result(preferred, None, at(7));
    assert_eq!(
        first_at(&fleet, &targets, key, at(8)).1,
        AffinityResult::Hit
    );
}

proptest! {
    #[test]
    fn removing_a_target_moves_only_its_keys(
        weights in proptest::collection::vec(1u64..9, 2..10),
        removed: prop::sample::Index,
        names in proptest::collection::vec(any::<u64>(), 1..60),
    ) {
        let shape: Vec<_> = weights.iter().map(|weight| (0, *weight)).collect();
        let all = targets(&shape);
        let removed = removed.index(all.len());
        let remaining: Vec<_> = all.iter().filter(|it| it.credential != removed).cloned().collect();
        let fleet = fleet();
        for name in names {
            let before = preferred(&fleet, &all, &name.to_string());
            let after = preferred(&fleet, &remaining, &name.to_string());
            prop_assert!(before == removed || before == after);
        }
    }

    #[test]
    fn no_target_exceeds_its_bound(
        weights in proptest::collection::vec(1u64..9, 1..8),
        percent in 100u32..400,
        steps in proptest::collection::vec((0u8..4, any::<prop::sample::Index>(), 0u8..3), 1..200),
    ) {
        let shape: Vec<_> = weights.iter().map(|weight| (0, *weight)).collect();
        let targets = targets(&shape);
        let total: u64 = weights.iter().sum();
        let fleet = fleet();
        let mut held: Vec<(usize, InFlightGuard)> = Vec::new();
        for (name, index, action) in steps {
            if action == 0 && !held.is_empty() {
                held.swap_remove(index.index(held.len()));
                continue;
            }
            // Few names, so that many requests share a target.
            let key = key(&name.to_string(), Some(percent));
            let (target, _) = first(&fleet, &targets, key);
            held.push((target.credential, fleet.track_request(target).unwrap()));
            let here = held.iter().filter(|(credential, _)| *credential == target.credential).count();
            let bound = held.len() as u64 * u64::from(percent) * target.weight;
            prop_assert!(here as u64 <= bound.div_ceil(100 * total));
        }
    }
}
