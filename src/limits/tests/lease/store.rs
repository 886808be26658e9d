//! A store as slow and obvious code, by the rules of the scripts of `store_sync`.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::limits::{LeaseAmounts, LeaseCall, LeaseId, LeaseResponse};

const STORE_KEEPS: Duration = Duration::from_secs(10);

/// Time since the start of the test, by which the store goes as well.
pub type Time = Duration;

/// What a call says, without the call.
#[derive(Clone, Debug)]
pub struct CallMessage {
    pub replica: String,
    pub id: LeaseId,
    pub sequence: u64,
    pub amounts: LeaseAmounts,
}

#[derive(Debug, Default)]
pub struct ModelStore {
    pub counters: Vec<(LeaseId, Counter)>,
    pub rates: Vec<(LeaseId, RateBucket)>,
    pub replicas: u64,
    pub calls: usize,
}

#[derive(Debug, Default)]
pub struct Counter {
    pub of: BTreeMap<String, ReplicaPart>,
    pub adjustment: i64,
    floor: i64,
}

#[derive(Clone, Debug, Default)]
pub struct ReplicaPart {
    pub taken: u64,
    reserved: u64,
    granted: u64,
    alive_until: Time,
    sequence: Option<u64>,
}

#[derive(Debug, Default)]
pub struct RateBucket {
    full_at: Time,
    of: BTreeMap<String, (u64, u64)>,
}

// === impl CallMessage ===

impl CallMessage {
    pub fn of(replica: &str, call: &LeaseCall) -> Self {
        Self {
            replica: replica.to_owned(),
            id: call.id.clone(),
            sequence: call.sequence,
            amounts: call.amounts,
        }
    }
}

// === impl ModelStore ===

impl ModelStore {
    pub fn lose_data(&mut self) {
        self.counters.clear();
        self.rates.clear();
    }

    pub fn counter(&mut self, id: &LeaseId) -> &mut Counter {
        entry(&mut self.counters, id)
    }

    /// What an earlier process has used.
    pub fn restore(&mut self, id: &LeaseId, replica: &str, taken: u64) {
        let part = self.counter(id).of.entry(replica.to_owned()).or_default();
        part.taken = part.taken.max(taken);
    }

    pub fn set_used(&mut self, id: &LeaseId, used: u64, now: Time) {
        let counter = self.counter(id);
        counter.adjustment = 0;
        counter.adjustment = signed(used) - counter.settled(now);
        counter.floor = 0;
    }

    pub fn call(&mut self, message: &CallMessage, now: Time) -> LeaseResponse {
        self.calls += 1;
        let replicas = self.replicas.max(1);
        match message.amounts {
            LeaseAmounts::Counter { .. } => {
                let counter = entry(&mut self.counters, &message.id);
                counter.call(message, replicas, now)
            }
            LeaseAmounts::Rate { .. } => {
                entry(&mut self.rates, &message.id).call(message, replicas, now)
            }
        }
    }
}

fn entry<'a, T: Default>(all: &'a mut Vec<(LeaseId, T)>, id: &LeaseId) -> &'a mut T {
    let index = all.iter().position(|(it, _)| it == id).unwrap_or_else(|| {
        all.push((id.clone(), T::default()));
        all.len() - 1
    });
    &mut all[index].1
}

fn signed(units: u64) -> i64 {
    i64::try_from(units).unwrap()
}

/// What is granted of so much that is free.
fn grant(free: i64, parts: u64, want: u64, needed: u64, least: u64) -> u64 {
    let share = free.div_euclid(4 * signed(parts));
    let granted = signed(want).min(share.max(free.min(signed(needed))));
    if granted < signed(least) || granted > free {
        return 0;
    }
    u64::try_from(granted).unwrap_or_default()
}

// === impl Counter ===

impl Counter {
    fn settled(&self, now: Time) -> i64 {
        let of_parts = self.of.values().map(|part| {
            let reserved = if part.alive_until >= now {
                part.reserved
            } else {
                0
            };
            signed(part.taken) - signed(reserved)
        });
        of_parts.sum::<i64>() + self.adjustment
    }

    /// Whether anything of a limit is left: what is leased or used by all.
    pub fn taken(&self, now: Time, outlives: bool) -> i64 {
        let of_parts = self.of.values().map(|part| {
            if part.alive_until >= now {
                signed(part.taken.max(part.granted))
            } else if outlives {
                signed(part.taken)
            } else {
                0
            }
        });
        of_parts.sum::<i64>() + self.adjustment + self.unknown()
    }

    /// What others have used and not reported since a loss of data.
    fn unknown(&self) -> i64 {
        let known: i64 = self.of.values().map(|part| signed(part.taken)).sum();
        (self.floor - known - self.adjustment).max(0)
    }

    fn call(&mut self, message: &CallMessage, replicas: u64, now: Time) -> LeaseResponse {
        let LeaseAmounts::Counter {
            limit,
            taken,
            reserved,
            granted,
            want,
            needed,
            least,
            settled,
            outlives_replica,
        } = message.amounts
        else {
            panic!("{message:?}");
        };
        let part = self.of.entry(message.replica.clone()).or_default();
        if part.sequence.is_some_and(|last| message.sequence <= last) {
            return LeaseResponse::Late;
        }
        let is_new = part.sequence.is_none();
        *part = ReplicaPart {
            taken,
            reserved,
            granted,
            alive_until: now + STORE_KEEPS,
            sequence: Some(message.sequence),
        };
        if !outlives_replica {
            self.of.retain(|_, part| part.alive_until >= now);
        }
        if is_new {
            self.floor = self.floor.max(signed(settled));
        }
        let alive = self.of.values().filter(|it| it.alive_until >= now).count() as u64;
        let free = signed(limit) - self.taken(now, outlives_replica);
        let more = grant(free, replicas.max(alive), want, needed, least);
        self.of.get_mut(&message.replica).unwrap().granted = granted + more;
        let unknown = self.unknown();
        let others = self.of.iter().filter(|(name, _)| **name != message.replica);
        let others: i64 = others.map(|(_, part)| signed(part.taken)).sum();
        LeaseResponse::Counter {
            granted: more,
            free: u64::try_from(free - signed(more)).unwrap_or_default(),
            others: others + self.adjustment + unknown,
            settled: self.settled(now) + unknown,
            is_new,
        }
    }
}

// === impl RateBucket ===

impl RateBucket {
    /// In units, rounded up; above the burst while there is a debt.
    pub fn in_use(&self, amount: u64, period: Duration, now: Time) -> u64 {
        let busy = self.full_at.saturating_sub(now).as_micros();
        u64::try_from((busy * u128::from(amount)).div_ceil(period.as_micros())).unwrap()
    }

    fn call(&mut self, message: &CallMessage, replicas: u64, now: Time) -> LeaseResponse {
        let LeaseAmounts::Rate {
            amount,
            period,
            burst,
            take,
            want,
            needed,
            least,
        } = message.amounts
        else {
            panic!("{message:?}");
        };
        let last = self.of.get(&message.replica).copied();
        let busy = self.full_at.saturating_sub(now);
        match last {
            Some((sequence, _)) if message.sequence < sequence => return LeaseResponse::Late,
            Some((sequence, granted)) if message.sequence == sequence => {
                return LeaseResponse::Rate { granted, busy };
            }
            _ => {}
        }
        let time_of = |units: u64| {
            let micros = u128::from(units) * period.as_micros();
            let micros = micros.div_ceil(u128::from(amount));
            Duration::from_micros(u64::try_from(micros).unwrap())
        };
        let full_at = self.full_at.max(now);
        self.full_at = if take < 0 {
            full_at
                .saturating_sub(time_of(take.unsigned_abs()))
                .max(now)
        } else {
            full_at + time_of(take.unsigned_abs())
        };
        let free = signed(burst) - signed(self.in_use(amount, period, now));
        let granted = grant(free, replicas, want, needed, least);
        self.full_at += time_of(granted);
        self.of
            .insert(message.replica.clone(), (message.sequence, granted));
        LeaseResponse::Rate {
            granted,
            busy: self.full_at.saturating_sub(now),
        }
    }
}
