//! Many threads at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::{amount, at, cost, request, rule, rules, usage};
use crate::config::{LimitBy, LimitUnit, Period, Reserve};
use crate::limits::ExpectedUsage;

const THREADS: usize = 64;
const LIMIT: u64 = 10_000;

#[test]
fn threads_never_pass_a_limit() {
    let mut rule = rule(
        "budget",
        &[],
        &[amount(LimitUnit::Budget, LIMIT, Period::Total)],
    );
    rule.concurrent = Some(7);
    let set = Arc::new(rules(&[rule]));
    let running = AtomicU64::new(0);
    let spent: u64 = std::thread::scope(|scope| {
        let threads = (0..THREADS).map(|thread| {
            let (set, running) = (Arc::clone(&set), &running);
            scope.spawn(move || {
                let caller = set.caller(Some(thread % 3));
                let mut spent = 0;
                for round in 0..400_u64 {
                    let taken = caller.reserve(&request("m"), at(round), &usage(cost(3)));
                    let Ok(taken) = taken else {
                        continue;
                    };
                    assert!(running.fetch_add(1, Ordering::SeqCst) < 7);
                    running.fetch_sub(1, Ordering::SeqCst);
                    // Some are given up.
                    let used = round % 5;
                    if used < 4 {
                        spent += used;
                        taken.settle(at(round), &cost(used));
                    }
                }
                spent
            })
        });
        let threads: Vec<_> = threads.collect();
        threads.into_iter().map(|it| it.join().unwrap()).sum()
    });
    let reports = set.caller(Some(0)).report(at(0));
    assert_eq!(reports[0].quotas[0].used, spent);
    assert!(spent <= LIMIT, "{spent}");
    assert_eq!(reports[0].quotas[1].used, 0, "a permit is lost");
}

/// With the worst reserved, what is used and reserved stays within the limit at every
/// moment; and no money is left that a request could have had.
#[test]
fn the_worst_case_is_a_hard_bound() {
    const WORST: u64 = 50;
    let budget = [amount(LimitUnit::Budget, LIMIT, Period::Day)];
    let mut all = rule("all", &[], &budget);
    all.reserve = Reserve::Worst;
    let mut each = rule("each", &[LimitBy::Key, LimitBy::User], &budget);
    each.reserve = Reserve::Worst;
    let set = Arc::new(rules(&[all, each]));
    let expected = ExpectedUsage {
        expected: cost(1),
        worst: cost(WORST),
        has_own_limit: true,
    };
    let total = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let (set, total) = (Arc::clone(&set), &total);
            scope.spawn(move || {
                let caller = set.caller(Some(thread % 3));
                for round in 0..2_000_u64 {
                    let reports = set.report(at(round));
                    for quota in reports.iter().flat_map(|it| &it.quotas).take(4) {
                        assert!(quota.used <= LIMIT, "{quota:?}");
                    }
                    let taken = caller.reserve(&request("m"), at(round), &expected);
                    let Ok(taken) = taken else {
                        break;
                    };
                    let used = (round * 7 + thread as u64) % (WORST + 1);
                    total.fetch_add(used, Ordering::Relaxed);
                    taken.settle(at(round), &cost(used));
                }
            });
        }
    });
    let total = total.into_inner();
    assert!(
        (LIMIT - THREADS as u64 * WORST..=LIMIT).contains(&total),
        "{total}"
    );
}
