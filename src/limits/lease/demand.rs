//! How much of an amount is wanted: in a second, and at the moment.

use super::message::MAX_STORE_UNITS;
use crate::limits::clock::LimitClock;
use crate::limits::rate::Tick;

/// What was taken in the current second and the one before.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Demand {
    /// [`Tick::slot`]
    slot: u32,
    current: u64,
    previous: u64,
}

/// What requests wait for.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Wanted {
    pub sum: u64,
    /// Of one request, as long as any waits.
    pub least: u64,
}

/// What a call is made of.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ask {
    pub now: LimitClock,
    /// The lease holds.
    pub is_valid: bool,
    /// What is to be held without being used.
    pub target: u64,
    pub wanted: Wanted,
}

/// What a call asks for; the words are those of [`super::LeaseAmounts`].
#[derive(Clone, Copy, Debug)]
pub(super) struct Wish {
    pub want: u64,
    pub needed: u64,
    pub least: u64,
}

// === impl Ask ===

impl Ask {
    /// What is to be kept where so much is `left` of the lease; the rest is handed back. What
    /// is too little for those that wait may be enough with what other replicas have left.
    pub fn kept(&self, left: u64) -> u64 {
        if self.wanted.sum > 0 && left < self.wanted.least {
            0
        } else {
            self.goal()
        }
    }

    fn goal(&self) -> u64 {
        self.target.saturating_add(self.wanted.sum)
    }

    /// In the store's units, where so much is `left` of the lease.
    pub fn wish(&self, left: u64, scale: u64) -> Wish {
        let Wanted { sum, least } = self.wanted;
        let units = |amount: u64| amount.div_ceil(scale).min(MAX_STORE_UNITS);
        let needed = sum.saturating_sub(left);
        let least = if needed == 0 {
            0
        } else {
            least.saturating_sub(left).max(1)
        };
        Wish {
            want: units(self.goal().saturating_sub(left)),
            needed: units(needed),
            least: units(least),
        }
    }
}

// === impl Demand ===

impl Demand {
    pub fn add(&mut self, now: Tick, amount: u64) {
        let slot = now.slot();
        if slot != self.slot {
            let is_next = slot == self.slot.wrapping_add(1);
            self.previous = if is_next { self.current } else { 0 };
            self.current = 0;
            self.slot = slot;
        }
        self.current = self.current.saturating_add(amount);
    }

    /// The more of both.
    pub fn peak(&self, now: Tick) -> u64 {
        match now.slot().wrapping_sub(self.slot) {
            0 => self.current.max(self.previous),
            1 => self.current,
            _ => 0,
        }
    }
}

// === impl Wanted ===

impl Wanted {
    pub fn add(&mut self, amount: u64) {
        self.least = if self.sum == 0 {
            amount
        } else {
            self.least.min(amount)
        };
        self.sum = self.sum.saturating_add(amount);
    }

    pub fn remove(&mut self, amount: u64) {
        self.sum = self.sum.saturating_sub(amount);
    }
}
