//! What a request holds of its client's limits, and its settlement at the end.

use std::cell::RefCell;
use std::sync::Arc;

use smallvec::SmallVec;

use super::limit_charge::Charge;
use super::{Meter, RequestOutcome};
use crate::catalog::{Cost, Target};
use crate::config::{Price, Rates};
use crate::limits::{
    AttemptReservation, ExpectedUsage, LearnedUsage, LimitClock, LimitRefusal, LimitUsage,
    RequestSize, Reservation,
};
use crate::wire::usage::{ServiceTier, Usage};

/// A reservation and what its settlement needs.
#[derive(Debug)]
pub struct LimitHold {
    reservation: Reservation,
    learned: Option<Arc<LearnedUsage>>,
    size: RequestSize,
    usage: ExpectedUsage,
    charged_by: ChargedBy,
    /// Of a WebSocket that goes on: what its responses have used. They are one request.
    charged: LimitUsage,
    /// A cell, since two attempts may run concurrently.
    attempts: RefCell<SmallVec<[LimitedAttempt; 1]>>,
    /// Of attempts that had to wait for it, by [`Target::state_index`].
    ahead: RefCell<SmallVec<[(usize, ReservedAttempt); 1]>>,
}

/// What was reserved for an attempt, or the limit that has no room for it.
pub type ReservedAttempt = Result<AttemptReservation, Box<LimitRefusal>>;

/// By what a call is charged besides being one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChargedBy {
    /// By the usage that its response reports, or an estimate where there is none.
    Usage,
    /// It uses no tokens, or no limit counts them.
    Nothing,
    /// Its usage is not reported: so many picodollars.
    Fixed(u64),
}

/// One attempt of a request that holds limits.
#[derive(Debug)]
pub(super) struct LimitedAttempt {
    /// [`Target::state_index`]
    state_index: usize,
    pub price: Option<Arc<Price>>,
    /// Of the rules that hold for each attempt.
    reservation: AttemptReservation,
    /// A part of it may have reached the upstream.
    pub was_sent: bool,
    pub end: AttemptEnd,
}

#[derive(Debug)]
pub(super) enum AttemptEnd {
    /// There is no result yet, or it is the one that goes to the client.
    Open,
    /// It was no longer awaited, and the upstream may have gone on.
    Abandoned,
    /// It failed, with the usage that the upstream reported all the same.
    Failed {
        /// By a status that blames the request.
        is_refused: bool,
        usage: Option<Box<Usage>>,
    },
}

/// Kept by a worker.
const MAX_SPARE: usize = 512;

thread_local! {
    static SPARE: RefCell<Vec<HoldSlot>> = const { RefCell::new(Vec::new()) };
}

/// Memory for what a request holds, which each worker uses over and over. Boxed, since the
/// meter is moved about.
#[derive(Debug, Default)]
pub(super) struct HoldSlot(Box<Option<LimitHold>>);

// === impl HoldSlot ===

impl HoldSlot {
    fn spare() -> Self {
        let spare = SPARE.try_with(|spare| spare.borrow_mut().pop());
        spare.ok().flatten().unwrap_or_default()
    }

    fn keep(self) {
        // Fails while the thread ends.
        let _ = SPARE.try_with(|spare| {
            let mut spare = spare.borrow_mut();
            if spare.len() < MAX_SPARE {
                spare.push(self);
            }
        });
    }
}

// === impl LimitHold ===

impl LimitHold {
    #[must_use]
    pub fn new(
        reservation: Reservation,
        learned: Option<Arc<LearnedUsage>>,
        size: RequestSize,
        usage: ExpectedUsage,
        charged_by: ChargedBy,
    ) -> Self {
        Self {
            reservation,
            learned,
            size,
            usage,
            charged_by,
            charged: LimitUsage::default(),
            attempts: RefCell::default(),
            ahead: RefCell::default(),
        }
    }

    #[must_use]
    pub fn reservation(&self) -> &Reservation {
        &self.reservation
    }

    /// What it is expected to use.
    #[must_use]
    pub fn usage(&self) -> &ExpectedUsage {
        &self.usage
    }

    /// Keeps what was reserved for an attempt before it is prepared.
    pub fn reserve_ahead(&self, target: &Target, reserved: ReservedAttempt) {
        let mut ahead = self.ahead.borrow_mut();
        ahead.push((target.state_index, reserved));
    }

    /// What was reserved for an attempt at this target before.
    pub fn take_reserved(&self, target: &Target) -> Option<ReservedAttempt> {
        let mut ahead = self.ahead.borrow_mut();
        let index = ahead.iter().position(|(it, _)| *it == target.state_index)?;
        Some(ahead.swap_remove(index).1)
    }

    /// Adds an attempt that is about to be sent.
    pub fn start_attempt(&self, target: &Target, reservation: AttemptReservation) {
        self.attempts.borrow_mut().push(LimitedAttempt {
            state_index: target.state_index,
            price: target.price.clone(),
            reservation,
            was_sent: false,
            end: AttemptEnd::Open,
        });
    }

    /// Updates the last attempt at this target.
    fn update(&self, target: &Target, update: impl FnOnce(&mut LimitedAttempt)) {
        let mut attempts = self.attempts.borrow_mut();
        let mut latest = attempts.iter_mut().rev();
        if let Some(attempt) = latest.find(|it| it.state_index == target.state_index) {
            update(attempt);
        }
    }
}

// === impl LimitedAttempt ===

impl LimitedAttempt {
    /// Its response, if there is one, is the client's.
    fn is_open(&self) -> bool {
        matches!(self.end, AttemptEnd::Open)
    }
}

// === impl Meter ===

impl Meter {
    /// Keeps a reservation until the end of the request.
    pub fn hold_limits(&mut self, hold: LimitHold) {
        let mut slot = HoldSlot::spare();
        *slot.0 = Some(hold);
        self.limits = Some(slot);
    }

    #[must_use]
    #[inline]
    pub fn limits(&self) -> Option<&LimitHold> {
        self.limits
            .as_ref()
            .and_then(|slot| Option::as_ref(&slot.0))
    }

    /// The attempt turns out to be impossible: it gives back what it reserved.
    pub fn cancel_attempt(&self, target: &Target) {
        if let Some(hold) = self.limits() {
            let mut attempts = hold.attempts.borrow_mut();
            let is_it = |it: &LimitedAttempt| {
                let is_unsent = matches!(it.end, AttemptEnd::Open) && !it.was_sent;
                it.state_index == target.state_index && is_unsent
            };
            if let Some(index) = attempts.iter().rposition(is_it) {
                attempts.remove(index);
            }
            drop(attempts);
            drop(hold.take_reserved(target));
        }
    }

    /// A part of the request may have reached the upstream.
    pub fn on_request_written(&self, target: &Target) {
        if let Some(hold) = self.limits() {
            hold.update(target, |attempt| attempt.was_sent = true);
        }
    }

    /// The attempt is no longer awaited.
    pub fn on_attempt_abandoned(&self, target: &Target) {
        if let Some(hold) = self.limits() {
            hold.update(target, |attempt| attempt.end = AttemptEnd::Abandoned);
        }
    }

    /// The attempt has failed, by a status that blames the request if it `is_refused`.
    pub fn on_attempt_failed(&self, target: &Target, is_refused: bool, usage: Option<Box<Usage>>) {
        if let Some(hold) = self.limits() {
            let end = AttemptEnd::Failed { is_refused, usage };
            hold.update(target, |attempt| attempt.end = end);
        }
    }

    /// The response of this attempt, although it failed, goes to the client.
    pub fn on_failure_relayed(&self, target: &Target) {
        if let Some(hold) = self.limits() {
            hold.update(target, |attempt| attempt.end = AttemptEnd::Open);
        }
    }

    /// Charges the limits with a response of a WebSocket that goes on.
    pub fn on_session_usage(&mut self, usage: &Usage) {
        let hold = self
            .limits
            .as_mut()
            .and_then(|slot| slot.0.as_mut().as_mut());
        let Some(hold) = hold.filter(|it| it.charged_by == ChargedBy::Usage) else {
            return;
        };
        let now = LimitClock::now();
        let attempts = hold.attempts.get_mut();
        let mut open = attempts.iter().rev();
        let Some(attempt) = open.find(|it| it.is_open()) else {
            return;
        };
        let charge = Charge::of_response(usage, attempt.price.as_deref());
        hold.reservation.charge(now, &charge);
        attempt.reservation.charge(now, &charge);
        hold.charged = hold.charged.plus(&charge);
    }

    /// What requests of all clients for this model have used.
    fn shared_learned(&self) -> Option<&LearnedUsage> {
        let model = self.model.as_ref()?.name.model?;
        self.worker.learned_usage(model)
    }

    /// Settles the reservation and returns what was charged. Call this when the outcome
    /// and the usage are known.
    pub(super) fn settle_limits(&mut self, outcome: RequestOutcome, status: u16) -> Option<Charge> {
        let mut slot = self.limits.take()?;
        let hold = slot.0.take();
        slot.keep();
        let now = LimitClock::now();
        let LimitHold {
            reservation,
            learned,
            size,
            usage,
            charged_by,
            charged,
            attempts,
            ahead: _,
        } = hold?;
        let mut total = Charge::default();
        for attempt in attempts.into_inner() {
            let charge = self.charge(&usage, charged_by, &attempt, outcome, status);
            if charge.is_reported {
                let rates = attempt.price.as_deref();
                let rates = rates.and_then(|it| rates_of(it, charge.usage.input_tokens));
                let cost = self.cost.map(Cost::picodollars);
                if let Some(learned) = &learned {
                    learned.learn(size.body_bytes, &charge.usage, cost, rates);
                }
                if let Some(shared) = self.shared_learned() {
                    // Its size of prompts is learned of all requests.
                    shared.learn_output(&charge.usage, cost, rates);
                }
                self.record_estimate(&usage.expected, &charge.usage);
            }
            total.add(&charge);
            let mut used = charge.usage;
            if attempt.is_open() {
                used = used.less(&charged);
            }
            attempt.reservation.settle(now, &used);
        }
        if total.is_estimated {
            self.on_limit_estimated();
        }
        reservation.settle(now, &total.usage.less(&charged));
        Some(total)
    }
}

/// The rates of the standard tier for a prompt of this length.
fn rates_of(price: &Price, input_tokens: u64) -> Option<&Rates> {
    price.rates(ServiceTier::default(), input_tokens)
}
