//! Takes from all rules that match a request, or from none.

use std::sync::Arc;

use smallvec::{SmallVec, smallvec};

use super::clock::LimitClock;
use super::estimate::ExpectedUsage;
use super::held::{Held, INLINE_RULES};
use super::lease::LeaseWait;
use super::quota::{LimitUsage, Shortage};
use super::rate::Tick;
use super::reservation::LimitRefusal;
use super::rule::CallerRule;
use super::subject::{QuotaShortage, Subject, SubjectGuard};
use super::terms::Terms;
use super::wait_queue::Amounts;
use crate::config::Reserve;

/// A rule and its subject for one request.
#[derive(Debug)]
pub(super) struct Candidate<'c> {
    rule: &'c CallerRule,
    pub subject: Arc<Subject>,
    pub expected: LimitUsage,
    /// More of it than the whole amount is an error.
    is_exact: bool,
}

/// Why nothing was taken, and where the request may wait.
#[derive(Debug)]
pub(super) struct Refused {
    pub refusal: Box<LimitRefusal>,
    /// `None` if a wait is of no use, or not allowed.
    pub queue: Option<Queue>,
    /// Where nothing but what is leased is short: the store is asked.
    pub leases: Vec<LeaseWait>,
}

/// How far a request has come.
#[derive(Clone, Copy, Debug)]
pub(super) struct Turn {
    /// It has not waited in a queue: those that do come first.
    pub is_new: bool,
    /// See [`LeaseDemand::asked`](super::lease::LeaseDemand).
    pub asked: Option<Tick>,
}

/// A subject that a request may wait for.
#[derive(Debug)]
pub(super) struct Queue {
    pub terms: Arc<Terms>,
    pub subject: Arc<Subject>,
    pub expected: LimitUsage,
}

/// What was taken, and the rule that only observes and would have refused.
type Taking = (Held, Option<Box<LimitRefusal>>);

pub(super) type Candidates<'c> = SmallVec<[Candidate<'c>; INLINE_RULES]>;

// === impl Turn ===

impl Turn {
    pub const NEW: Self = Self {
        is_new: true,
        asked: None,
    };
}

// === impl Candidate ===

impl<'c> Candidate<'c> {
    pub fn new(rule: &'c CallerRule, subject: Arc<Subject>, usage: &ExpectedUsage) -> Self {
        let is_worst = rule.rule.config.reserve == Reserve::Worst;
        let expected = if is_worst {
            &usage.worst
        } else {
            &usage.expected
        };
        Self {
            rule,
            subject,
            expected: expected.weighted(rule.rule.terms.cached),
            is_exact: is_worst && usage.has_own_limit,
        }
    }

    fn terms(&self) -> &Arc<Terms> {
        &self.rule.rule.terms
    }

    fn check(&self, guard: &SubjectGuard<'_>, now: LimitClock, turn: Turn) -> Option<Short> {
        if self.is_exact
            && let Some(index) = guard.never_fits(&self.expected)
        {
            let shortage = Shortage::Blocked;
            return Some(Short {
                found: QuotaShortage { index, shortage },
                never_fits: true,
            });
        }
        let ahead = self.ahead(turn);
        let of_others = ahead.as_deref().unwrap_or_default();
        let found = guard.check(now, &self.expected, of_others, turn.asked);
        // Even if there seems to be enough for all.
        let found = found.or_else(|| {
            let shortage = Shortage::Held;
            ahead.and_then(|_| {
                let index = guard.entries().position(|(entry, _)| !entry.is_retired)?;
                Some(QuotaShortage { index, shortage })
            })
        });
        found.map(|found| Short {
            found,
            never_fits: false,
        })
    }

    /// What those that wait are to get first, by quota.
    fn ahead(&self, turn: Turn) -> Option<Amounts> {
        let queues = &self.terms().queues;
        queues.ahead(&self.subject).filter(|_| turn.is_new)
    }

    fn can_wait(&self, shortage: Shortage) -> bool {
        let wait = self.terms().wait;
        match shortage {
            Shortage::Wait(time) => time <= wait,
            Shortage::Held => !wait.is_zero(),
            Shortage::UntilEnd(_) | Shortage::Blocked | Shortage::Lease | Shortage::StoreAway => {
                false
            }
        }
    }

    fn refused(&self, guard: &SubjectGuard<'_>, short: Short, now: LimitClock) -> Option<Refused> {
        let Short { found, never_fits } = short;
        let (entry, _) = guard.entries().nth(found.index)?;
        let rule = &self.rule.rule;
        let refusal = LimitRefusal {
            rule: rule.terms.rule.clone(),
            subject: self.subject.name.label().into(),
            quota: guard.report(found.index, now)?,
            shortage: found.shortage,
            requested: entry.quota.demand(&self.expected),
            fallback: (rule.fallback())
                .filter(|_| found.shortage != Shortage::StoreAway)
                .map(Into::into),
            can_never_fit: never_fits,
        };
        let can_wait = !never_fits && self.can_wait(found.shortage);
        Some(Refused {
            refusal: Box::new(refusal),
            queue: can_wait.then(|| Queue {
                terms: Arc::clone(self.terms()),
                subject: Arc::clone(&self.subject),
                expected: self.expected,
            }),
            leases: Vec::new(),
        })
    }
}

impl Queue {
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.subject, &other.subject)
    }
}

#[derive(Clone, Copy, Debug)]
struct Short {
    found: QuotaShortage,
    never_fits: bool,
}

impl Refused {
    /// No wait is of use, or allowed.
    pub fn is_final(&self) -> bool {
        self.queue.is_none() && self.leases.is_empty()
    }

    /// Which of two is reported: what no wait cures, then the one that lasts longer.
    fn outlasts(&self, other: &Self, now: LimitClock) -> bool {
        let rank = |it: &Self| {
            let refusal = &it.refusal;
            let is_final = it.queue.is_none() && refusal.shortage != Shortage::Lease;
            (refusal.can_never_fit, is_final, refusal.shortage.rank(now))
        };
        rank(self) > rank(other)
    }
}

/// Candidates are in one order for all requests.
pub(super) fn take(
    candidates: Candidates<'_>,
    now: LimitClock,
    turn: Turn,
) -> Result<Taking, Box<Refused>> {
    // All are locked before any is changed, so that no request is refused for what a
    // refused one would hold for a moment.
    let guards = candidates.iter().map(|it| it.subject.lock(it.terms(), now));
    let mut guards: SmallVec<[SubjectGuard<'_>; INLINE_RULES]> = guards.collect();
    let mut refused: Option<Box<Refused>> = None;
    let mut would_refuse = None;
    let mut are_over: SmallVec<[bool; INLINE_RULES]> = smallvec![false; candidates.len()];
    for ((candidate, guard), is_over) in candidates.iter().zip(&guards).zip(&mut are_over) {
        let Some(short) = candidate.check(guard, now, turn) else {
            continue;
        };
        let Some(found) = candidate.refused(guard, short, now) else {
            continue;
        };
        if candidate.rule.rule.observes() {
            *is_over = true;
            would_refuse.get_or_insert(found.refusal);
        } else if refused.as_ref().is_none_or(|it| found.outlasts(it, now)) {
            refused = Some(Box::new(found));
        }
    }
    if let Some(mut refused) = refused {
        if refused.refusal.shortage == Shortage::Lease {
            for (candidate, guard) in candidates.iter().zip(&mut guards) {
                let (subject, expected) = (&candidate.subject, &candidate.expected);
                let ahead = candidate.ahead(turn);
                let ahead = ahead.as_deref().unwrap_or_default();
                let leases = &mut refused.leases;
                guard.wait_for_leases(subject, now, expected, ahead, |it| leases.push(it));
            }
        }
        return Err(refused);
    }
    let mut held = Held::new();
    if let Some(amounts) = held.amounts() {
        for ((candidate, guard), is_over) in candidates.iter().zip(&mut guards).zip(are_over) {
            let before = amounts.taken.len();
            let taken = |taken| amounts.taken.push(taken);
            guard.take(now, &candidate.expected, is_over, taken);
            amounts.counts.push(amounts.taken.len() - before);
            guard.notify_link(&candidate.subject, now);
        }
        drop(guards);
        let subjects = candidates.into_iter().map(|it| it.subject);
        amounts.subjects.extend(subjects);
    }
    Ok((held, would_refuse))
}
