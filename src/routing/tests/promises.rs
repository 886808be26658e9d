//! What holds of every plan, whatever the fleet has learned before, however the
//! attempts end and whatever time they take:
//!
//! - There is always a first attempt, and never more than allowed.
//! - After an attempt that may have been processed without an answer none is
//!   begun, unless the config allows it.
//! - No target is asked again before all others were asked.
//! - A second attempt beside the first is at another place, which is well.
//! - A request fails for want of targets only when it has asked all of them.
//!   So a healthy target answers if the limit allows as many attempts as there
//!   are targets, nothing was lost, and the budget holds.

use std::time::{Duration, Instant};

use bytes::Bytes;
use fastrand::Rng;
use proptest::collection::vec;
use proptest::prelude::*;

use super::{fleet_since, outcomes};
use crate::catalog::Target;
use crate::catalog::tests::targets;
use crate::config::{Balance, Retry};
use crate::routing::{Fleet, Next, Outcome, Plan, Second, Stop};

/// How an attempt at each target ends, from one moment to the next.
type Weather = Vec<Option<Outcome>>;

#[derive(Debug, Clone)]
struct Case {
    shape: Vec<(usize, u64)>,
    retry: Retry,
    balance: Balance,
    weather: Vec<Weather>,
    /// Milliseconds between two requests, and within an attempt.
    pace: (u64, u64),
    hedges: bool,
    seed: u64,
}

fn cases() -> impl Strategy<Value = Case> {
    let shape = vec((0usize..3, 1u64..5), 1..6);
    let retry = (1usize..8, any::<bool>(), 0u64..3).prop_map(|(attempts, processed, wait)| Retry {
        attempts,
        processed,
        max_wait: Duration::from_secs(wait),
    });
    let balance = prop_oneof![Just(Balance::Weighted), Just(Balance::LeastLoaded)];
    shape.prop_flat_map(move |shape| {
        let weather = vec(vec(outcomes(), shape.len()), 1..6);
        let rest = (0u64..4000, 0u64..2000, any::<bool>(), any::<u64>());
        let all = (Just(shape), retry.clone(), balance.clone(), weather, rest);
        all.prop_map(|(shape, retry, balance, weather, rest)| Case {
            shape,
            retry,
            balance,
            weather,
            pace: (rest.0, rest.1),
            hedges: rest.2,
            seed: rest.3,
        })
    })
}

/// One request: what it asked, and how it ended.
struct Told {
    asked: Vec<usize>,
    outcomes: Vec<Option<Outcome>>,
    stop: Option<Stop>,
}

struct World<'w> {
    case: &'w Case,
    fleet: &'w Fleet,
    targets: &'w [Target],
    now: Instant,
    rng: Rng,
}

impl<'w> World<'w> {
    /// One attempt that has ended: the fleet learns of it.
    fn ends(&mut self, target: &Target, weather: &Weather, told: &mut Told) -> Option<Outcome> {
        let outcome = weather[target.credential];
        self.now += Duration::from_millis(self.case.pace.1);
        self.fleet.note(target, outcome, self.now);
        told.outcomes.push(outcome);
        outcome
    }

    fn serve(&mut self, weather: &Weather) -> Told {
        let (case, fleet, targets) = (self.case, self.fleet, self.targets);
        let mut plan = Plan::new(fleet, targets, case.retry, case.balance);
        let mut target = plan.first(self.now, &mut self.rng).expect("a first one");
        let mut told = Told {
            asked: vec![target.credential],
            outcomes: Vec::new(),
            stop: None,
        };
        loop {
            let second = if case.hedges && plan.may_hedge(target) {
                self.hedge(&mut plan, target, &mut told)
            } else {
                None
            };
            if let Some(second) = second {
                let Some(outcome) = self.ends(target, weather, &mut told) else {
                    return told;
                };
                let must_be_told = plan.failed_beside(target, outcome, self.now, &mut self.rng);
                let is_lost = told.outcomes.contains(&Some(Outcome::MaybeProcessed));
                assert_eq!(must_be_told, is_lost && !case.retry.processed);
                target = second;
            }
            let Some(outcome) = self.ends(target, weather, &mut told) else {
                return told;
            };
            let could = plan.may_go_on();
            match plan.after(target, outcome, self.now, &mut self.rng) {
                Next::Stop(stop) => {
                    told.stop = Some(stop);
                    return told;
                }
                Next::Try(next, pause) => {
                    assert!(could, "an attempt that was not foreseen");
                    self.now += pause;
                    told.asked.push(next.credential);
                    target = next;
                }
            }
        }
    }

    fn hedge(
        &mut self,
        plan: &mut Plan<'w>,
        first: &'w Target,
        told: &mut Told,
    ) -> Option<&'w Target> {
        match plan.hedge(first, self.now, &mut self.rng) {
            Second::Try(second) => {
                assert!(self.fleet.is_fit(second, self.now), "one that is not well");
                assert!(!told.asked.contains(&second.credential), "the same place");
                told.asked.push(second.credential);
                Some(second)
            }
            Second::Withheld(_) | Second::None => None,
        }
    }
}

fn distinct(places: &[usize]) -> usize {
    let mut places = places.to_vec();
    places.sort_unstable();
    places.dedup();
    places.len()
}

fn judge(case: &Case, weather: &Weather, told: &Told) -> Result<(), TestCaseError> {
    let count = case.shape.len();
    let asked = &told.asked;
    prop_assert!(asked.len() <= case.retry.attempts, "more than allowed");
    // Of two at a time, the one that is given up has no end.
    let given_up = asked.len() - told.outcomes.len();
    prop_assert!(given_up <= usize::from(case.hedges));
    let round = asked.len().min(count);
    prop_assert_eq!(distinct(&asked[..round]), round, "again before its turn");
    if case.retry.max_wait.is_zero() {
        prop_assert_eq!(distinct(asked), asked.len(), "a target came twice");
    }
    let lost = told
        .outcomes
        .iter()
        .position(|it| *it == Some(Outcome::MaybeProcessed));
    if let (Some(lost), false) = (lost, case.retry.processed) {
        // At most the one that was under way already ends after it.
        prop_assert!(told.outcomes.len() <= lost + 2, "sent again");
        if told.outcomes.len() == lost + 2 {
            prop_assert!(case.hedges, "sent again");
        }
    }
    match told.stop {
        None => prop_assert_eq!(told.outcomes.last(), Some(&None)),
        Some(Stop::MaybeProcessed) => prop_assert!(lost.is_some() && !case.retry.processed),
        Some(Stop::Attempts) => prop_assert_eq!(asked.len(), case.retry.attempts),
        Some(Stop::Targets) => prop_assert_eq!(distinct(asked), count, "one was left out"),
        Some(Stop::Budget) => prop_assert!(told.outcomes.iter().flatten().any(|it| it.was_sent())),
    }
    let is_healthy = weather.iter().any(Option::is_none);
    if is_healthy && case.retry.attempts >= count {
        let excused = matches!(told.stop, None | Some(Stop::MaybeProcessed | Stop::Budget));
        prop_assert!(excused, "a healthy target was not found");
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_request_of_many_is_treated_so(case in cases()) {
        let began = Instant::now();
        let fleet = fleet_since(began);
        let mut targets = targets(&case.shape);
        for target in &mut targets {
            target.encoded_model = Bytes::from(format!("\"{}\"", target.credential));
        }
        let mut world = World {
            case: &case,
            fleet: &fleet,
            targets: &targets,
            now: began,
            rng: Rng::with_seed(case.seed),
        };
        for turn in 0..40 {
            let weather = &case.weather[turn * case.weather.len() / 40];
            let told = world.serve(weather);
            judge(&case, weather, &told)?;
            world.now += Duration::from_millis(case.pace.0);
        }
    }
}
