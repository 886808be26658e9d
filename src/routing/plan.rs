//! The order in which one request tries its targets.

use std::time::{Duration, Instant};

use fastrand::Rng;

use super::{Awaited, Fleet, Kept, Kinship, Outcome};
use crate::catalog::Target;
use crate::config::{Balance, Retry};

/// Shortest and longest pause before a target is tried again that did not say
/// how long it wants to be left alone.
const SHORTEST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// The plan of one request over several targets: by weight within a step, then
/// the next step. No target comes twice, except that one may be tried again
/// after a pause when all others were tried and the config gives it the time.
#[derive(Debug)]
pub struct Plan<'p> {
    fleet: &'p Fleet,
    targets: &'p [Target],
    retry: Retry,
    balance: Balance,
    /// Whether it says so that the model's requests go to the same target.
    is_affine: bool,
    /// What this one is known by, where it is.
    kinship: Option<Kinship>,
    /// A bit for each target that was handed out.
    tried: u64,
    attempts: usize,
    /// Whether an attempt may have been processed without an answer.
    lost: bool,
    /// Targets that may be tried again, and when.
    again: Vec<(&'p Target, Instant)>,
    /// What is left of the time for pauses.
    patience: Duration,
    /// What the target that was chosen last counts this request by.
    awaited: Option<Awaited<'p>>,
}

/// What to do next.
#[derive(Debug, Clone, Copy)]
pub enum Next<'p> {
    /// Try this target, once the pause is over.
    Try(&'p Target, Duration),
    /// Tell the caller how the last attempt ended.
    Stop(Stop),
}

/// Whether a second attempt is begun beside one that is silent.
#[derive(Debug, Clone, Copy)]
pub enum Second<'p> {
    /// At this target.
    Try(&'p Target),
    /// It would be at this one, but too many requests were tried again of late.
    Withheld(&'p Target),
    /// No attempt or no target is left for it.
    None,
}

/// Why no further attempt is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// The request may have been processed.
    MaybeProcessed,
    /// No attempt is left.
    Attempts,
    /// No target is left, or none that can be tried in time.
    Targets,
    /// Too many requests were tried again of late.
    Budget,
}

impl Stop {
    /// Word for the log.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::MaybeProcessed => "it may have been processed",
            Self::Attempts => "no attempt left",
            Self::Targets => "no target left",
            Self::Budget => "too many retries",
        }
    }
}

/// The one target of a model that has no other, and whose config does not ask
/// to try it again: there is nothing to plan.
#[must_use]
pub fn only<'p>(targets: &'p [Target], retry: &Retry) -> Option<&'p Target> {
    match targets {
        [target] if retry.max_wait.is_zero() => Some(target),
        _ => None,
    }
}

impl<'p> Plan<'p> {
    /// A plan over these targets, which stand in the order of their steps.
    #[must_use]
    pub fn new(fleet: &'p Fleet, targets: &'p [Target], retry: Retry, balance: Balance) -> Self {
        Self {
            fleet,
            targets,
            retry,
            balance,
            is_affine: false,
            kinship: None,
            tried: 0,
            attempts: 0,
            lost: false,
            again: Vec::new(),
            patience: retry.max_wait,
            awaited: None,
        }
    }

    /// The same plan for a model with affinity, and a request that is known by
    /// this, if by anything.
    #[must_use]
    pub fn with_affinity(mut self, kinship: Option<Kinship>) -> Self {
        self.is_affine = true;
        self.kinship = kinship;
        self
    }

    /// Whether a target is the one where the request belongs; none for a model
    /// without affinity.
    #[must_use]
    pub fn keeps_to(&self, target: &Target) -> Option<Kept> {
        let Some(kinship) = self.kinship else {
            return self.is_affine.then_some(Kept::Unknown);
        };
        let step = self.targets.first()?.step;
        let home = kinship.home(self.targets.iter().filter(|it| it.step == step));
        let is_home = home.is_some_and(|home| home.slot == target.slot);
        Some(if is_home { Kept::Kept } else { Kept::Moved })
    }

    /// The target of the first attempt.
    pub fn first(&mut self, now: Instant, rng: &mut Rng) -> Option<&'p Target> {
        let target = self.choose(now, rng)?;
        self.fleet.earn(target);
        self.attempts += 1;
        Some(target)
    }

    /// What counts the request as sent to the target that was handed out last,
    /// until it is dropped: when the head of the answer is here.
    pub fn awaited(&mut self) -> Option<Awaited<'p>> {
        self.awaited.take()
    }

    /// What follows an attempt at this target that ended like this.
    pub fn after(
        &mut self,
        failed: &'p Target,
        outcome: Outcome,
        now: Instant,
        rng: &mut Rng,
    ) -> Next<'p> {
        self.lost |= outcome == Outcome::MaybeProcessed;
        if self.lost && !self.retry.processed {
            return Next::Stop(Stop::MaybeProcessed);
        }
        if self.attempts >= self.retry.attempts {
            return Next::Stop(Stop::Attempts);
        }
        self.set_aside(failed, outcome, now, rng);
        let Some((target, pause)) = self.choose_next(now, rng) else {
            return Next::Stop(Stop::Targets);
        };
        // A request that never arrived was no burden to anybody.
        if outcome.was_sent() && !self.fleet.spend(failed, now) {
            return Next::Stop(Stop::Budget);
        }
        self.patience = self.patience.saturating_sub(pause);
        self.attempts += 1;
        Next::Try(target, pause)
    }

    /// Whether there is place for a second attempt beside one at this target.
    #[must_use]
    pub fn may_hedge(&self, first: &Target) -> bool {
        let mut others = self.untried();
        self.attempts < self.retry.attempts && others.any(|(_, other)| is_elsewhere(first, other))
    }

    /// A second attempt beside the one at `first`, which is silent: somewhere
    /// else, and only where all is well. It counts as a retry.
    pub fn hedge(&mut self, first: &'p Target, now: Instant, rng: &mut Rng) -> Second<'p> {
        if self.attempts >= self.retry.attempts {
            return Second::None;
        }
        let fleet = self.fleet;
        let is_wanted = |it: &Target| is_elsewhere(first, it) && fleet.is_sound(it, now);
        let Some((place, target)) = self.weigh(now, rng, is_wanted) else {
            return Second::None;
        };
        let Some(awaited) = fleet.take(target, now) else {
            return Second::None;
        };
        if !fleet.spend(first, now) {
            return Second::Withheld(target);
        }
        self.awaited = Some(awaited);
        self.tried |= 1 << place;
        self.attempts += 1;
        Second::Try(target)
    }

    /// Notes how one of two attempts failed while the other still runs. True
    /// when the caller has to be told if that one fails as well.
    pub fn failed_beside(
        &mut self,
        failed: &'p Target,
        outcome: Outcome,
        now: Instant,
        rng: &mut Rng,
    ) -> bool {
        self.lost |= outcome == Outcome::MaybeProcessed;
        self.set_aside(failed, outcome, now, rng);
        self.lost && !self.retry.processed
    }

    /// True when the attempt that runs now may be followed by another one.
    #[must_use]
    pub fn may_go_on(&self) -> bool {
        self.attempts < self.retry.attempts && (self.has_untried() || !self.patience.is_zero())
    }

    /// True when it matters how busy the targets are.
    #[must_use]
    pub fn weighs_loads(&self) -> bool {
        self.is_affine || self.balance == Balance::LeastLoaded
    }

    /// Whether there are several targets.
    #[must_use]
    pub fn has_choice(&self) -> bool {
        self.targets.len() > 1
    }

    /// How many attempts were begun.
    #[must_use]
    pub fn attempts(&self) -> usize {
        self.attempts
    }

    fn has_untried(&self) -> bool {
        (self.tried.count_ones() as usize) < self.targets.len()
    }

    /// Keeps a target that failed for another try, where there is use in it.
    fn set_aside(&mut self, failed: &'p Target, outcome: Outcome, now: Instant, rng: &mut Rng) {
        if let Some(pause) = self.pause(outcome, rng) {
            self.again.push((failed, now + pause));
        }
    }

    fn choose_next(&mut self, now: Instant, rng: &mut Rng) -> Option<(&'p Target, Duration)> {
        if let Some(target) = self.choose(now, rng) {
            return Some((target, Duration::ZERO));
        }
        if self.patience.is_zero() {
            return None;
        }
        let soonest = (0..self.again.len()).min_by_key(|at| self.again.get(*at).map(|it| it.1))?;
        let (_, due) = self.again.get(soonest)?;
        let pause = due.saturating_duration_since(now);
        if pause > self.patience {
            return None;
        }
        let (target, _) = self.again.swap_remove(soonest);
        self.awaited = Some(self.fleet.awaits(target));
        Some((target, pause))
    }

    /// A target that was not tried: one that is fit, or, when there is none, any
    /// other. The last one is never left out.
    fn choose(&mut self, now: Instant, rng: &mut Rng) -> Option<&'p Target> {
        let fleet = self.fleet;
        while let Some((place, target)) = self.weigh(now, rng, |it| fleet.is_fit(it, now)) {
            // Of those who find one request left, one takes it; of those who find
            // an ejection lapsed, one tries the target out.
            if let Some(awaited) = fleet.take(target, now)
                && fleet.claim(target, now)
            {
                self.awaited = Some(awaited);
                self.tried |= 1 << place;
                return Some(target);
            }
        }
        let (place, target) = self.weigh(now, rng, |_| true)?;
        fleet.claim_anyway(target);
        self.awaited = Some(fleet.awaits(target));
        self.tried |= 1 << place;
        Some(target)
    }

    /// The one where the request belongs; else one that is drawn by weight, or
    /// the less busy of two. Two that are drawn are nearly as good as the best of
    /// all, and not everybody's choice at the same time.
    fn weigh(
        &self,
        now: Instant,
        rng: &mut Rng,
        is_wanted: impl Fn(&Target) -> bool,
    ) -> Option<(usize, &'p Target)> {
        if let Some(kinship) = self.kinship {
            let is_wanted = |_, target: &Target| is_wanted(target);
            let weight = |target: &Target| self.fleet.weight(target, now);
            let in_flight = |target: &Target| self.fleet.in_flight(target);
            return kinship.choose(self.in_step(&is_wanted)?, weight, in_flight);
        }
        let one = self.draw(now, rng, |_, target| is_wanted(target))?;
        if self.balance == Balance::Weighted {
            return Some(one);
        }
        let step = one.1.step;
        let other = self.draw(now, rng, |place, target| {
            place != one.0 && target.step == step && is_wanted(target)
        });
        let cost = |target: &Target| self.fleet.cost(target, now);
        let better = other.filter(|(_, other)| cost(other) < cost(one.1));
        Some(better.unwrap_or(one))
    }

    /// One of [`Self::in_step`], by weight.
    fn draw(
        &self,
        now: Instant,
        rng: &mut Rng,
        is_wanted: impl Fn(usize, &Target) -> bool,
    ) -> Option<(usize, &'p Target)> {
        let mut in_step = self.in_step(&is_wanted)?;
        let weight = |target| self.fleet.weight(target, now);
        let whole: u64 = in_step.clone().map(|(_, target)| weight(target)).sum();
        let mut left = rng.u64(0..whole.max(1));
        // A report that comes in between may take the last one some weight.
        let last = in_step.clone().last();
        let hit = in_step.find(|(_, target)| {
            let weight = weight(target);
            let hit = left < weight;
            left = left.saturating_sub(weight);
            hit
        });
        hit.or(last)
    }

    /// Of those that were not tried and are wanted, the ones of the lowest step.
    fn in_step<'s>(
        &'s self,
        is_wanted: &'s impl Fn(usize, &Target) -> bool,
    ) -> Option<impl Iterator<Item = (usize, &'p Target)> + Clone + 's> {
        let untried = self.untried();
        let wanted = untried.filter(|(place, target)| is_wanted(*place, target));
        let (_, first) = wanted.clone().next()?;
        Some(wanted.filter(move |(_, target)| target.step == first.step))
    }

    /// The targets that were not tried, with their places.
    fn untried(&self) -> impl Iterator<Item = (usize, &'p Target)> + Clone + use<'p> {
        let tried = self.tried;
        let places = self.targets.iter().enumerate().take(64);
        places.filter(move |(place, _)| tried & (1 << place) == 0)
    }

    /// How long to leave a target alone that failed like this, before it is
    /// tried again; none when there is no use in it.
    fn pause(&self, outcome: Outcome, rng: &mut Rng) -> Option<Duration> {
        match outcome {
            Outcome::Denied | Outcome::Refused => None,
            Outcome::Throttled(Some(pause)) => Some(pause),
            // Full jitter: of all who failed at the same time, no two come back
            // at the same time.
            _ => {
                let doubled = u32::try_from(self.attempts).unwrap_or(u32::MAX).min(16);
                let most = (SHORTEST_PAUSE * (1 << doubled)).min(LONGEST_PAUSE);
                Some(most.mul_f64(rng.f64()))
            }
        }
    }
}

/// Whether a request to the second one meets other machines than one to the
/// first: another key of the same provider does not.
fn is_elsewhere(first: &Target, second: &Target) -> bool {
    first.provider.id != second.provider.id || first.encoded_model != second.encoded_model
}
