//! Any sequence of requests, ends, time, reloads, restarts and an operator's hand,
//! compared with a model that keeps every event.

use std::sync::Arc;

use proptest::prelude::*;

use super::{START_SECONDS, access, amount, at, request, rule, usage};
use crate::config::{LimitBy, LimitRule, LimitUnit, Period};
use crate::limits::{
    LimitClock, LimitSet, LimitUsage, QuotaKind, Reservation, StoredWindows, UsedAmount,
};

const PERMITS: u64 = 3;
const DAY_MS: i64 = 86_400_000;
/// Parts of a request of the rate, of which two come back in a millisecond at 60 a minute.
const PARTS: u64 = 2_000;

#[derive(Clone, Debug)]
enum Step {
    /// A request that is expected to use so many tokens.
    Begin(u64),
    /// The oldest request ends, having used so many tokens.
    End(u64),
    /// The newest request is given up before anything was sent.
    Cancel,
    /// So many milliseconds pass.
    Wait(u64),
    /// The wall clock is moved.
    SetClock(i64),
    /// The amounts change: of the day, and whether the rate is halved.
    Reload(u64, bool),
    /// An operator sets what was used of the day.
    SetUsed(u64),
    /// Another process goes on with what is stored.
    Restart,
    /// The rule is removed and put back.
    Remove,
}

/// All that has happened.
struct Model {
    now: u64,
    wall_offset: i64,
    day: i64,
    day_limit: u64,
    is_halved: bool,
    /// Of the rate.
    level: u64,
    requests: Vec<ModelRequest>,
    /// What an operator has added to a day.
    corrections: Vec<(i64, i64)>,
}

struct ModelRequest {
    day: i64,
    tokens: u64,
    runs: bool,
}

impl Model {
    fn new() -> Self {
        let mut model = Self {
            now: 0,
            wall_offset: 0,
            day: i64::MIN,
            day_limit: 100,
            is_halved: false,
            level: 0,
            requests: Vec::new(),
            corrections: Vec::new(),
        };
        model.refresh();
        model
    }

    fn clock(&self) -> LimitClock {
        let clock = at(self.now);
        LimitClock {
            seconds: START_SECONDS + self.wall_ms().div_euclid(1_000),
            ..clock
        }
    }

    fn wall_ms(&self) -> i64 {
        i64::try_from(self.now).unwrap() + self.wall_offset
    }

    fn wall_day(&self) -> i64 {
        (START_SECONDS * 1_000 + self.wall_ms()).div_euclid(DAY_MS)
    }

    /// A window never begins again.
    fn refresh(&mut self) {
        self.day = self.day.max(self.wall_day());
    }

    fn pass(&mut self, milliseconds: u64) {
        let parts = if self.is_halved { 1 } else { 2 };
        self.level = self.level.saturating_sub(milliseconds * parts);
        self.now += milliseconds;
        self.refresh();
    }

    fn tokens(&self, is_counted: impl Fn(&ModelRequest) -> bool) -> i64 {
        let of_day = self.requests.iter().filter(|it| it.day == self.day);
        let tokens: u64 = of_day.filter(|it| is_counted(it)).map(|it| it.tokens).sum();
        i64::try_from(tokens).unwrap()
    }

    fn tokens_today(&self) -> u64 {
        let days = self.corrections.iter().filter(|it| it.0 == self.day);
        let corrected: i64 = days.map(|it| it.1).sum();
        u64::try_from(self.tokens(|_| true) + corrected).unwrap()
    }

    fn set_used(&mut self, used: u64) {
        self.corrections.retain(|it| it.0 != self.day);
        let ended = self.tokens(|it| !it.runs);
        let used = i64::try_from(used).unwrap();
        self.corrections.push((self.day, used - ended));
    }

    fn running(&self) -> u64 {
        self.requests.iter().filter(|it| it.runs).count() as u64
    }

    fn rate(&self) -> u64 {
        if self.is_halved { 30 } else { 60 }
    }

    fn has_room(&self, tokens: u64) -> bool {
        let wanted = tokens.min(self.day_limit).max(1);
        self.level + PARTS <= self.rate() * PARTS
            && self.tokens_today() + wanted <= self.day_limit
            && self.running() < PERMITS
    }

    /// The process that held the requests is gone; what they had reserved counts.
    fn restart(&mut self) {
        self.level = 0;
        for request in &mut self.requests {
            request.runs = false;
        }
    }

    fn rules(&self) -> [LimitRule; 1] {
        let rate = amount(LimitUnit::Requests, self.rate(), Period::Minute);
        let day = amount(LimitUnit::OutputTokens, self.day_limit, Period::Day);
        let mut limit = rule("limit", &[LimitBy::Key], &[rate, day]);
        limit.concurrent = Some(PERMITS);
        [limit]
    }
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
        16 => (0_u64..40).prop_map(Step::Begin),
        10 => (0_u64..60).prop_map(Step::End),
        2 => Just(Step::Cancel),
        8 => (0_u64..5_000).prop_map(Step::Wait),
        2 => (1_u64..100_000_000).prop_map(Step::Wait),
        1 => (-100_000_000_i64..100_000_000).prop_map(Step::SetClock),
        2 => (20_u64..200, any::<bool>()).prop_map(|(day, halved)| Step::Reload(day, halved)),
        1 => (0_u64..120).prop_map(Step::SetUsed),
        1 => Just(Step::Restart),
        1 => Just(Step::Remove),
    ];
    prop::collection::vec(step, 1..300)
}

/// The real thing, beside the model.
struct Gateway {
    model: Model,
    set: LimitSet,
    stored: Arc<StoredWindows>,
    held: Vec<(usize, Reservation)>,
}

impl Gateway {
    fn new() -> Self {
        let (model, stored) = (Model::new(), Arc::new(StoredWindows::default()));
        let set = LimitSet::new(&model.rules(), &access(), None, Some(&stored));
        // The window of the model begins now.
        let _ = set.report(model.clock());
        Self {
            held: Vec::new(),
            model,
            set,
            stored,
        }
    }

    fn begin(&mut self, expected: u64) -> Result<(), TestCaseError> {
        let (model, caller) = (&mut self.model, self.set.caller(Some(0)));
        let taken = caller.reserve(&request("m"), model.clock(), &usage(tokens(expected)));
        prop_assert_eq!(taken.is_ok(), model.has_room(expected));
        if let Ok(reservation) = taken {
            self.held.push((model.requests.len(), reservation));
            model.level += PARTS;
            model.requests.push(ModelRequest {
                day: model.day,
                tokens: expected.min(model.day_limit),
                runs: true,
            });
        }
        Ok(())
    }

    fn end(&mut self, index: usize, used: LimitUsage) {
        let (request, reservation) = self.held.remove(index);
        let model = &mut self.model;
        reservation.settle(model.clock(), &used);
        let request = &mut model.requests[request];
        (request.tokens, request.runs) = (used.output_tokens, false);
        if used.requests == 0 {
            model.level = model.level.saturating_sub(PARTS);
        }
    }

    fn reload(&mut self, day_limit: u64, is_halved: bool) {
        let model = &mut self.model;
        // Whole requests are in use after it, if the rate has changed or not.
        model.level = model.level.div_ceil(PARTS) * PARTS;
        (model.day_limit, model.is_halved) = (day_limit, is_halved);
        let before = Some(&self.set);
        self.set = LimitSet::new(&model.rules(), &access(), before, Some(&self.stored));
        // The new amounts are in force with the first look.
        let _ = self.set.report(model.clock());
    }

    fn set_used(&mut self, used: u64) {
        self.model.set_used(used);
        let amount = UsedAmount {
            rule: "limit",
            subject: "key a",
            model: None,
            user: None,
            provider: None,
            of: LimitUnit::OutputTokens,
            period: Period::Day,
            used,
        };
        self.set.set_used(&amount, self.model.clock()).unwrap();
    }

    fn restart(&mut self, is_removed: bool) {
        let model = &mut self.model;
        if model.wall_day() != model.day {
            return;
        }
        self.stored.update(self.set.windows(model.clock()));
        model.restart();
        let empty = LimitSet::new(&[], &access(), None, Some(&self.stored));
        let before = is_removed.then_some(&empty);
        let rules = model.rules();
        self.set = LimitSet::new(&rules, &access(), before, Some(&self.stored));
        // They end where they began.
        for (_, reservation) in self.held.drain(..) {
            reservation.settle(model.clock(), &tokens(7));
        }
    }

    fn apply(&mut self, step: &Step) -> Result<(), TestCaseError> {
        match *step {
            Step::Begin(expected) => self.begin(expected)?,
            Step::End(used) if !self.held.is_empty() => self.end(0, tokens(used)),
            Step::Cancel if !self.held.is_empty() => {
                self.end(self.held.len() - 1, LimitUsage::default());
            }
            Step::End(_) | Step::Cancel => {}
            Step::Wait(time) => self.model.pass(time),
            Step::SetClock(offset) => {
                self.model.wall_offset = offset;
                self.model.refresh();
            }
            Step::Reload(day_limit, is_halved) => self.reload(day_limit, is_halved),
            Step::SetUsed(used) => self.set_used(used),
            Step::Restart => self.restart(false),
            Step::Remove => self.restart(true),
        }
        Ok(())
    }

    fn compare(&self) -> Result<(), TestCaseError> {
        let report = &self.set.caller(Some(0)).report(self.model.clock())[0];
        let used = |kind| {
            report
                .quotas
                .iter()
                .find(|it| it.kind == kind)
                .unwrap()
                .used
        };
        let of_day = QuotaKind::Amount(LimitUnit::OutputTokens, Period::Day);
        let of_rate = QuotaKind::Amount(LimitUnit::Requests, Period::Minute);
        prop_assert_eq!(used(of_day), self.model.tokens_today());
        prop_assert_eq!(used(of_rate), self.model.level.div_ceil(PARTS));
        prop_assert_eq!(used(QuotaKind::Concurrent), self.model.running());
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn limits_allow_what_the_model_allows(steps in steps()) {
        let mut gateway = Gateway::new();
        for step in &steps {
            gateway.apply(step)?;
            gateway.compare()?;
        }
    }
}
