//! Calls of the limits as calls of the store, and the way back.

use std::time::Duration;

use super::key;
use super::scripts::{COUNTER, HEARTBEAT, RATE, RESTORE, SET_COUNTER, SET_RATE};
use crate::limits::{
    AdjustAmounts, AdjustCall, LeaseAmounts, LeaseCall, LeaseResponse, RestoreCall,
};
use crate::store::{StoreCall, StoreValue};

/// Who asks, and of how many.
#[derive(Debug, Clone, Copy)]
pub struct StoreReplica<'a> {
    pub prefix: &'a str,
    pub replica: &'a str,
    pub replicas: u32,
}

/// How many replicas there are, and the server's time since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pulse {
    pub replicas: u32,
    pub time: Duration,
}

impl StoreReplica<'_> {
    pub fn lease(&self, call: &LeaseCall) -> StoreCall {
        let (key, folded) = key::bucket(self.prefix, &call.id);
        match call.amounts {
            LeaseAmounts::Counter {
                limit,
                taken,
                reserved,
                granted,
                want,
                needed,
                least,
                settled,
                outlives_replica,
            } => StoreCall::script(&COUNTER, &[&key, &folded])
                .arg(self.replica)
                .arg(call.sequence)
                .arg(&[limit, taken, reserved, granted, want, needed, least])
                .arg(self.replicas)
                .arg(milliseconds(call.keep_for))
                .arg(u8::from(outlives_replica))
                .arg(settled),
            LeaseAmounts::Rate {
                amount,
                period,
                burst,
                take,
                want,
                needed,
                least,
            } => StoreCall::script(&RATE, &[&key])
                .arg(self.replica)
                .arg(call.sequence)
                .arg(amount)
                .arg(microseconds(period))
                .arg(burst)
                .arg(take)
                .arg(&[want, needed, least])
                .arg(self.replicas)
                .arg(milliseconds(call.keep_for)),
        }
    }

    pub fn restore(&self, call: &RestoreCall) -> StoreCall {
        let (key, folded) = key::bucket(self.prefix, &call.id);
        StoreCall::script(&RESTORE, &[&key, &folded])
            .arg(&*call.replica)
            .arg(call.taken)
            .arg(milliseconds(call.keep_for))
    }

    pub fn adjust(&self, call: &AdjustCall) -> StoreCall {
        let (key, _) = key::bucket(self.prefix, &call.id);
        match call.amounts {
            AdjustAmounts::Counter { used } => StoreCall::script(&SET_COUNTER, &[&key])
                .arg(used)
                .arg(milliseconds(call.keep_for)),
            AdjustAmounts::Rate {
                amount,
                period,
                used,
            } => StoreCall::script(&SET_RATE, &[&key])
                .arg(used)
                .arg(amount)
                .arg(microseconds(period)),
        }
    }

    /// A replica that leaves is not counted any more.
    pub fn heartbeat(&self, is_alive: bool) -> StoreCall {
        StoreCall::script(&HEARTBEAT, &[&key::replicas(self.prefix)])
            .arg(self.replica)
            .arg(u8::from(is_alive))
    }
}

/// The response to a [`StoreReplica::lease`]; none if it is not in that form.
pub fn lease_response(amounts: &LeaseAmounts, value: &StoreValue) -> Option<LeaseResponse> {
    let numbers = value.integers()?;
    match (amounts, numbers.as_slice()) {
        (_, [0]) => Some(LeaseResponse::Late),
        (LeaseAmounts::Counter { .. }, &[1, granted, free, others, settled, is_new]) => {
            Some(LeaseResponse::Counter {
                granted: unsigned(granted),
                free: unsigned(free),
                others,
                settled,
                is_new: is_new == 1,
            })
        }
        (LeaseAmounts::Rate { .. }, &[1, granted, busy]) => Some(LeaseResponse::Rate {
            granted: unsigned(granted),
            busy: Duration::from_micros(unsigned(busy)),
        }),
        _ => None,
    }
}

/// The response to a [`StoreReplica::heartbeat`].
pub fn pulse(value: &StoreValue) -> Option<Pulse> {
    let &[replicas, seconds, micros] = value.integers()?.as_slice() else {
        return None;
    };
    Some(Pulse {
        replicas: u32::try_from(replicas).ok()?,
        time: Duration::from_secs(unsigned(seconds)) + Duration::from_micros(unsigned(micros)),
    })
}

fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or_default()
}

/// 0 for ever.
fn milliseconds(keep_for: Option<Duration>) -> u64 {
    let milliseconds = keep_for.map(|it| u64::try_from(it.as_millis()).unwrap_or_default());
    milliseconds.map_or(0, |it| it.max(1))
}

fn microseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
