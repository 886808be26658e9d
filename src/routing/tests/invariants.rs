//! Invariants of every plan, for any state of the fleet, any outcomes of the attempts
//! and any durations:
//!
//! - There is always a first attempt, and never more than allowed.
//! - After an attempt that may have been processed without a response, no other
//!   starts, unless `retry.non_idempotent` allows it.
//! - No target is tried again before all others were tried.
//! - A hedge goes to another, available target.
//! - A request fails for lack of targets only after it tried all of them. So a
//!   healthy target responds if the limit allows as many attempts as there are
//!   targets, no attempt may have been processed, and the budget holds.

use std::time::{Duration, Instant};

use bytes::Bytes;
use fastrand::Rng;
use proptest::collection::vec;
use proptest::prelude::*;

use super::{fleet_since, outcomes};
use crate::catalog::Target;
use crate::catalog::tests::targets;
use crate::config::{Balance, Retry};
use crate::routing::{AttemptOutcome, Fleet, HedgeDecision, Next, Plan, StopReason};

/// How an attempt at each target ends, during one period.
type Period = Vec<Option<AttemptOutcome>>;

#[derive(Debug, Clone)]
struct Case {
    shape: Vec<(usize, u64)>,
    retry: Retry,
    balance: Balance,
    periods: Vec<Period>,
    request_interval_ms: u64,
    attempt_ms: u64,
    hedges: bool,
    seed: u64,
}

fn cases() -> impl Strategy<Value = Case> {
    let shape = vec((0usize..3, 1u64..5), 1..6);
    let retry =
        (1usize..8, any::<bool>(), 0u64..3).prop_map(|(attempts, non_idempotent, wait)| Retry {
            attempts,
            non_idempotent,
            max_wait: Duration::from_secs(wait),
        });
    let balance = prop_oneof![Just(Balance::Weighted), Just(Balance::LeastLoaded)];
    shape.prop_flat_map(move |shape| {
        let periods = vec(vec(outcomes(), shape.len()), 1..6);
        let others = (0u64..4000, 0u64..2000, any::<bool>(), any::<u64>());
        let all = (Just(shape), retry.clone(), balance.clone(), periods, others);
        all.prop_map(|(shape, retry, balance, periods, others)| Case {
            shape,
            retry,
            balance,
            periods,
            request_interval_ms: others.0,
            attempt_ms: others.1,
            hedges: others.2,
            seed: others.3,
        })
    })
}

/// The credentials that one request tried, and how it ended.
struct RequestLog {
    tried: Vec<usize>,
    outcomes: Vec<Option<AttemptOutcome>>,
    stop: Option<StopReason>,
}

struct Simulation<'w> {
    case: &'w Case,
    fleet: &'w Fleet,
    targets: &'w [Target],
    now: Instant,
    rng: Rng,
}

impl<'w> Simulation<'w> {
    fn end_attempt(
        &mut self,
        target: &Target,
        period: &Period,
        log: &mut RequestLog,
    ) -> Option<AttemptOutcome> {
        let outcome = period[target.credential];
        self.now += Duration::from_millis(self.case.attempt_ms);
        self.fleet.record_result(target, outcome, self.now);
        log.outcomes.push(outcome);
        outcome
    }

    fn serve(&mut self, period: &Period) -> RequestLog {
        let (case, fleet, targets) = (self.case, self.fleet, self.targets);
        let mut plan = Plan::new(fleet, targets, case.retry, case.balance);
        let mut target = plan
            .first(self.now, &mut self.rng)
            .expect("no first target");
        let mut log = RequestLog {
            tried: vec![target.credential],
            outcomes: Vec::new(),
            stop: None,
        };
        loop {
            let second = if case.hedges && plan.may_hedge(target) {
                self.hedge(&mut plan, target, &mut log)
            } else {
                None
            };
            if let Some(second) = second {
                let Some(outcome) = self.end_attempt(target, period, &mut log) else {
                    return log;
                };
                let must_report =
                    plan.record_concurrent_failure(target, outcome, self.now, &mut self.rng);
                let maybe_processed = log.outcomes.contains(&Some(AttemptOutcome::MaybeProcessed));
                assert_eq!(must_report, maybe_processed && !case.retry.non_idempotent);
                target = second;
            }
            let Some(outcome) = self.end_attempt(target, period, &mut log) else {
                return log;
            };
            let has_next = plan.has_next();
            match plan.after(target, outcome, self.now, &mut self.rng) {
                Next::Stop(stop) => {
                    log.stop = Some(stop);
                    return log;
                }
                Next::Try(next, pause) => {
                    assert!(has_next, "an attempt that `has_next` excluded");
                    self.now += pause;
                    log.tried.push(next.credential);
                    target = next;
                }
            }
        }
    }

    fn hedge(
        &mut self,
        plan: &mut Plan<'w>,
        first: &'w Target,
        log: &mut RequestLog,
    ) -> Option<&'w Target> {
        match plan.hedge(first, self.now, &mut self.rng) {
            HedgeDecision::Start(second) => {
                assert!(self.fleet.is_available(second, self.now), "not available");
                assert!(!log.tried.contains(&second.credential), "tried already");
                log.tried.push(second.credential);
                Some(second)
            }
            HedgeDecision::OverBudget(_) | HedgeDecision::None => None,
        }
    }
}

fn distinct(credentials: &[usize]) -> usize {
    let mut credentials = credentials.to_vec();
    credentials.sort_unstable();
    credentials.dedup();
    credentials.len()
}

fn check(case: &Case, period: &Period, log: &RequestLog) -> Result<(), TestCaseError> {
    let count = case.shape.len();
    let tried = &log.tried;
    prop_assert!(
        tried.len() <= case.retry.attempts,
        "more attempts than allowed"
    );
    // Of two concurrent attempts, the cancelled one has no outcome.
    let cancelled = tried.len() - log.outcomes.len();
    prop_assert!(cancelled <= usize::from(case.hedges));
    let round = tried.len().min(count);
    prop_assert_eq!(
        distinct(&tried[..round]),
        round,
        "retried before all were tried"
    );
    if case.retry.max_wait.is_zero() {
        prop_assert_eq!(distinct(tried), tried.len(), "a target was tried twice");
    }
    let maybe_processed = log
        .outcomes
        .iter()
        .position(|it| *it == Some(AttemptOutcome::MaybeProcessed));
    if let (Some(position), false) = (maybe_processed, case.retry.non_idempotent) {
        // At most the concurrent attempt ends after it.
        prop_assert!(log.outcomes.len() <= position + 2, "sent again");
        if log.outcomes.len() == position + 2 {
            prop_assert!(case.hedges, "sent again");
        }
    }
    match log.stop {
        None => prop_assert_eq!(log.outcomes.last(), Some(&None)),
        Some(StopReason::MaybeProcessed) => {
            prop_assert!(maybe_processed.is_some() && !case.retry.non_idempotent);
        }
        Some(StopReason::Attempts) => prop_assert_eq!(tried.len(), case.retry.attempts),
        Some(StopReason::Targets) => {
            prop_assert_eq!(distinct(tried), count, "a target was not tried");
        }
        Some(StopReason::Budget) => {
            prop_assert!(log.outcomes.iter().flatten().any(|it| it.was_sent()));
        }
    }
    let is_healthy = period.iter().any(Option::is_none);
    if is_healthy && case.retry.attempts >= count {
        let is_allowed = matches!(
            log.stop,
            None | Some(StopReason::MaybeProcessed | StopReason::Budget)
        );
        prop_assert!(is_allowed, "a healthy target was not found");
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_request_keeps_the_invariants(case in cases()) {
        let started = Instant::now();
        let fleet = fleet_since(started);
        let mut targets = targets(&case.shape);
        for target in &mut targets {
            target.encoded_model = Bytes::from(format!("\"{}\"", target.credential));
        }
        let mut simulation = Simulation {
            case: &case,
            fleet: &fleet,
            targets: &targets,
            now: started,
            rng: Rng::with_seed(case.seed),
        };
        for number in 0..40 {
            let period = &case.periods[number * case.periods.len() / 40];
            let log = simulation.serve(period);
            check(&case, period, &log)?;
            simulation.now += Duration::from_millis(case.request_interval_ms);
        }
    }
}
