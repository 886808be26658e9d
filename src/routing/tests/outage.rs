//! Outages in virtual time: thousands of requests whose attempts take as long
//! as attempts do, so that many are under way when something breaks.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::{Duration, Instant};

use fastrand::Rng;

use super::{RETRY, fleet_since};
use crate::catalog::Target;
use crate::catalog::tests::targets;
use crate::config::{Balance, Retry};
use crate::routing::{Next, Outcome, Plan};

/// Tokens that a provider's retry budget holds, and those that come by
/// themselves in a second.
const BURST: usize = 50;
const TRICKLE: usize = 1;
/// The breaker's default.
const COOLDOWN_MS: u64 = 5000;

/// One attempt at a target, in milliseconds since the beginning.
#[derive(Clone, Copy)]
struct Attempt {
    target: usize,
    began: u64,
    ended: u64,
    failed: bool,
}

/// How a target answers: after so many milliseconds, and with which fault.
type Fate = (u64, Option<Outcome>);

/// What became of all requests.
#[derive(Default)]
struct Course {
    requests: Vec<u64>,
    attempts: Vec<Attempt>,
    /// When those arrived that got no answer.
    failed: Vec<u64>,
}

/// Three targets of one step get `rate` requests a second for so long.
fn play(retry: Retry, rate: u64, seconds: u64, fate: impl Fn(usize, u64) -> Fate) -> Course {
    let began = Instant::now();
    let fleet = fleet_since(began);
    let targets = targets(&[(0, 1), (0, 1), (0, 1)]);
    let mut rng = Rng::with_seed(5);
    let mut course = Course::default();
    let mut running = Vec::new();
    let mut due = BinaryHeap::new();
    let clock = |at: u64| began + Duration::from_millis(at);
    let mut ask = |place: usize, at: u64, due: &mut BinaryHeap<_>, request: usize| {
        let (took, fault) = fate(place, at);
        due.push(Reverse((at + took, request)));
        let attempt = Attempt {
            target: place,
            began: at,
            ended: at + took,
            failed: fault.is_some(),
        };
        course.attempts.push(attempt);
        fault
    };
    for number in 0..rate * seconds {
        let arrives = number * 1000 / rate;
        // What ends before the next request arrives is seen to first.
        while let Some(Reverse((at, request))) = due.peek().copied() {
            if at > arrives {
                break;
            }
            due.pop();
            let (plan, target, fault): &mut (Plan<'_>, &Target, Option<Outcome>) =
                &mut running[request];
            fleet.note(target, *fault, clock(at));
            let Some(outcome) = *fault else { continue };
            match plan.after(target, outcome, clock(at), &mut rng) {
                Next::Stop(_) => course.failed.push(course.requests[request]),
                Next::Try(next, _) => {
                    *target = next;
                    *fault = ask(next.credential, at, &mut due, request);
                }
            }
        }
        let mut plan = Plan::new(&fleet, &targets, retry, Balance::Weighted);
        let first = plan.first(clock(arrives), &mut rng).unwrap();
        let fault = ask(first.credential, arrives, &mut due, running.len());
        course.requests.push(arrives);
        running.push((plan, first, fault));
    }
    course
}

impl Course {
    fn arrived(&self, from: u64, to: u64) -> usize {
        let arrived = self.requests.iter();
        arrived.filter(|at| (from..to).contains(*at)).count()
    }

    fn attempts(&self, from: u64, to: u64) -> usize {
        let attempts = self.attempts.iter();
        attempts.filter(|it| (from..to).contains(&it.began)).count()
    }

    fn at(&self, target: usize, from: u64, to: u64) -> Vec<Attempt> {
        let attempts = self.attempts.iter().copied();
        attempts
            .filter(|it| it.target == target && (from..to).contains(&it.began))
            .collect()
    }

    /// No more attempts than a tenth above the requests, the burst aside.
    #[track_caller]
    fn assert_no_storm(&self, from: u64, to: u64) {
        let (arrived, attempts) = (self.arrived(from, to), self.attempts(from, to));
        let seconds = usize::try_from((to - from) / 1000 + 1).unwrap();
        let most = arrived + arrived / 10 + BURST + seconds * TRICKLE;
        assert!(attempts <= most, "{attempts} for {arrived} requests");
    }
}

/// Answers come after 20 to 59 ms, failures after 30.
fn up(at: u64) -> Fate {
    (20 + at % 40, None)
}

fn down() -> Fate {
    (30, Some(Outcome::Failed))
}

#[test]
fn one_of_three_fails_is_left_out_and_is_taken_back_by_a_single_probe() {
    let broken = 10_000..40_000;
    let fate = |place, at| {
        let is_down = place == 0 && broken.contains(&at);
        if is_down { down() } else { up(at) }
    };
    let course = play(RETRY, 300, 90, fate);
    assert_eq!(course.failed.len(), 0, "there were two healthy ones");
    course.assert_no_storm(0, 90_000);
    // Until the fifth fault is known, others are on their way.
    let before = course.at(0, 10_000, 10_500);
    assert!((5..30).contains(&before.len()), "{}", before.len());
    // From then on one at a time tries it out, each after a longer rest.
    let probes = course.at(0, 10_500, 40_000);
    assert!((1..=3).contains(&probes.len()), "{}", probes.len());
    assert!(probes.iter().all(|probe| probe.failed));
    let rests = probes.windows(2).map(|two| two[1].began - two[0].ended);
    assert!(rests.clone().is_sorted() && rests.min() > Some(COOLDOWN_MS));
    // It is back: a single request finds that out, and its share returns.
    let later = course.at(0, 40_000, 90_000);
    let probe = later.first().expect("nobody tried it out");
    assert!(!probe.failed && probe.began < 40_000 + 60_000);
    let with_it = course.at(0, probe.began, probe.ended);
    assert_eq!(with_it.len(), 1, "more than one tried it out");
    let shared = course.at(0, probe.ended, probe.ended + 3000).len();
    assert!((240..360).contains(&shared), "{shared} of 900");
}

#[test]
fn all_fail_and_the_first_that_works_again_is_found_at_once() {
    for recovers in [vec![0, 1, 2], vec![1]] {
        let fate = |place, at| {
            let is_down = at >= 10_000 && (at < 40_000 || !recovers.contains(&place));
            if is_down { down() } else { up(at) }
        };
        let course = play(RETRY, 300, 60, fate);
        course.assert_no_storm(0, 60_000);
        course.assert_no_storm(10_000, 40_000);
        let lost = course.failed.iter();
        assert!(lost.clone().all(|at| *at >= 9_900), "failed before");
        if recovers.len() == 3 {
            course.assert_no_storm(40_000, 41_000);
            assert!(lost.clone().all(|at| *at < 40_000), "failed after");
        }
        // Requests go on to all of them, so what is back is found, and soon
        // it is the one that all requests go to.
        let late = lost.filter(|at| **at >= 41_000).count();
        assert_eq!(late, 0, "{recovers:?}");
    }
}

#[test]
fn a_target_that_stalls_is_left_out_once_the_first_are_lost() {
    let retry = Retry {
        processed: true,
        ..RETRY
    };
    let fate = |place, at| {
        if place == 0 && at >= 5_000 {
            (2_000, Some(Outcome::MaybeProcessed))
        } else {
            up(at)
        }
    };
    let course = play(retry, 60, 60, fate);
    course.assert_no_storm(0, 60_000);
    // Those that were sent there before the first was lost, and its probes.
    let stalled = course.at(0, 5_000, 60_000).len();
    assert!((20..75).contains(&stalled), "{stalled}");
    let failed = course.failed.len();
    assert!(failed <= stalled.saturating_sub(BURST), "{failed}");
}

#[test]
fn what_flaps_brings_no_storm() {
    let fate = |place: usize, at: u64| {
        let is_down = (at / 300 + place as u64).is_multiple_of(2);
        if is_down { down() } else { up(at) }
    };
    let course = play(RETRY, 300, 60, fate);
    course.assert_no_storm(0, 60_000);
    for second in (0..60_000).step_by(5000) {
        course.assert_no_storm(second, second + 5000);
    }
}
