//! Any sequence of requests, ends and time, compared with a model that keeps every event.

use proptest::prelude::*;

use super::{amount, at, rule, rules, usage};
use crate::config::{LimitUnit, Period};
use crate::limits::{LimitUsage, Reservation};

const RATE: u64 = 60;
const DAY_LIMIT: u64 = 100;
const PERMITS: u64 = 3;
/// The start is within a day: it ends after this time.
const DAY_END_MS: u64 = (86_400 - 1_700_000_000 % 86_400) * 1_000;

#[derive(Clone, Debug)]
enum Step {
    /// A request that is expected to use so many tokens.
    Begin(u64),
    /// The oldest request ends, having used so many tokens.
    End(u64),
    /// So many milliseconds pass.
    Wait(u64),
}

/// All requests so far.
#[derive(Default)]
struct Model {
    now: u64,
    /// When each request began, what it counts now, and whether it runs.
    requests: Vec<ModelRequest>,
}

struct ModelRequest {
    began: u64,
    tokens: u64,
    runs: bool,
}

impl Model {
    fn day(time: u64) -> u64 {
        if time < DAY_END_MS {
            0
        } else {
            1 + (time - DAY_END_MS) / 86_400_000
        }
    }

    /// Requests of a rate of one a second that are not back yet, as a fluid.
    fn requests_in_use(&self) -> f64 {
        let (mut level, mut since) = (0.0_f64, 0);
        for request in &self.requests {
            level = (level - seconds(request.began - since)).max(0.0) + 1.0;
            since = request.began;
        }
        (level - seconds(self.now - since)).max(0.0)
    }

    fn tokens_today(&self) -> u64 {
        let today = Self::day(self.now);
        let of_today = self
            .requests
            .iter()
            .filter(|it| Self::day(it.began) == today);
        of_today.map(|it| it.tokens).sum()
    }

    fn running(&self) -> u64 {
        self.requests.iter().filter(|it| it.runs).count() as u64
    }

    fn has_room(&self, tokens: u64) -> bool {
        let today = self.tokens_today();
        self.requests_in_use() + 1.0 <= 60.0 + 1e-6
            && today < DAY_LIMIT
            && today + tokens.min(DAY_LIMIT) <= DAY_LIMIT
            && self.running() < PERMITS
    }
}

#[allow(clippy::cast_precision_loss, reason = "days in milliseconds")]
fn seconds(milliseconds: u64) -> f64 {
    milliseconds as f64 / 1_000.0
}

fn tokens(tokens: u64) -> LimitUsage {
    LimitUsage {
        requests: 1,
        output_tokens: tokens,
        ..LimitUsage::default()
    }
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (0_u64..40).prop_map(Step::Begin),
        3 => (0_u64..60).prop_map(Step::End),
        2 => (0_u64..5_000).prop_map(Step::Wait),
        1 => (1_u64..100_000_000).prop_map(Step::Wait),
    ];
    prop::collection::vec(step, 1..300)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn limits_allow_what_the_model_allows(steps in steps()) {
        let mut limit = rule("limit", &[], &[
            amount(LimitUnit::Requests, RATE, Period::Minute),
            amount(LimitUnit::OutputTokens, DAY_LIMIT, Period::Day),
        ]);
        limit.concurrent = Some(PERMITS);
        let set = rules(&[limit]);
        let caller = set.caller(Some(0));
        let mut model = Model::default();
        let mut held: Vec<(usize, Reservation)> = Vec::new();
        for step in steps {
            match step {
                Step::Wait(time) => model.now += time,
                Step::Begin(expected) => {
                    let taken = caller.reserve("m", at(model.now), &usage(tokens(expected)));
                    prop_assert_eq!(taken.is_ok(), model.has_room(expected));
                    if let Ok(reservation) = taken {
                        held.push((model.requests.len(), reservation));
                        model.requests.push(ModelRequest {
                            began: model.now,
                            tokens: expected.min(DAY_LIMIT),
                            runs: true,
                        });
                    }
                }
                Step::End(used) if !held.is_empty() => {
                    let (request, reservation) = held.remove(0);
                    reservation.settle(at(model.now), &tokens(used));
                    let request = &mut model.requests[request];
                    (request.tokens, request.runs) = (used, false);
                }
                Step::End(_) => {}
            }
            let report = &caller.report(at(model.now))[0];
            prop_assert_eq!(report.quotas[1].used, model.tokens_today());
            prop_assert_eq!(report.quotas[2].used, model.running());
        }
    }
}
