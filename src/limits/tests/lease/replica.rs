//! A replica: a set of limits, a link, and the network between it and the store.

use std::sync::Arc;
use std::time::Duration;

use super::store::{CallMessage, ModelStore, Time};
use crate::config::{LimitRule, LimitUnit, Period};
use crate::limits::rate::Tick;
use crate::limits::take::Turn;
use crate::limits::tests::{START_SECONDS, access, usage};
use crate::limits::{
    LeaseLink, LimitClock, LimitSet, LimitUsage, QuotaKind, Reservation, RestoreCall, Shortage,
    StoredWindows,
};

pub const INTERVAL: Duration = Duration::from_secs(1);

/// What becomes of calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Network {
    #[default]
    Works,
    /// The store does not get them.
    LosesCalls,
    /// It does, and the responses are lost.
    LosesResponses,
}

pub struct Replica {
    pub name: String,
    pub set: LimitSet,
    pub link: Arc<LeaseLink>,
    pub network: Network,
    pub held: Vec<(u64, Reservation)>,
    /// All calls that the store got.
    pub sent: Vec<CallMessage>,
}

pub fn clock(now: Time) -> LimitClock {
    LimitClock {
        tick: Tick::after_start(now),
        seconds: START_SECONDS + i64::try_from(now.as_secs()).unwrap(),
    }
}

pub fn used(of: LimitUnit, amount: u64) -> LimitUsage {
    let mut usage = LimitUsage {
        requests: 1,
        ..LimitUsage::default()
    };
    match of {
        LimitUnit::Budget => usage.cost = amount,
        LimitUnit::Tokens | LimitUnit::OutputTokens => usage.output_tokens = amount,
        LimitUnit::InputTokens => usage.input_tokens = amount,
        LimitUnit::Requests => usage.requests = amount,
    }
    usage
}

// === impl Replica ===

impl Replica {
    pub fn new(name: &str, rules: &[LimitRule], stored: Option<&Arc<StoredWindows>>) -> Self {
        let timeout = Duration::from_millis(25);
        let link = LeaseLink::new(name, timeout, 1, stored);
        link.set_up(true);
        Self {
            name: name.to_owned(),
            set: LimitSet::with_link(rules, &access(), None, &link),
            link,
            network: Network::Works,
            held: Vec::new(),
            sent: Vec::new(),
        }
    }

    pub fn reload(&mut self, rules: &[LimitRule]) {
        self.set = LimitSet::with_link(rules, &access(), Some(&self.set), &self.link);
    }

    /// Goes by another store from now on.
    pub fn reload_to(&mut self, link: &Arc<LeaseLink>, rules: &[LimitRule]) {
        self.link = Arc::clone(link);
        self.reload(rules);
    }

    /// As the proxy does it, but for the time that passes. The breaker is not part of it.
    pub fn reserve(
        &mut self,
        store: &mut ModelStore,
        now: Time,
        key: usize,
        expected: LimitUsage,
    ) -> Result<Reservation, Shortage> {
        let mut asked = None;
        let caller = Arc::clone(self.set.caller(Some(key)));
        let limits = caller.for_model(None, "m").unwrap();
        for _ in 0..50 {
            let turn = Turn {
                is_new: true,
                asked,
            };
            let refused = match limits.take(None, clock(now), &usage(expected), turn) {
                Ok(reservation) => return Ok(reservation),
                Err(refused) => refused,
            };
            if refused.leases.is_empty() {
                return Err(refused.refusal.shortage);
            }
            let sent = self.sent.len();
            self.exchange_urgent(store, now);
            if self.network != Network::Works || self.sent.len() == sent {
                asked = Some(clock(now).tick);
            }
        }
        panic!("the store responds, and the request does not end");
    }

    pub fn exchange_urgent(&mut self, store: &mut ModelStore, now: Time) {
        for call in self.link.urgent_calls(clock(now), usize::MAX) {
            let response = self.send(&CallMessage::of(&self.name, &call), store, now);
            call.finish(response, clock(now));
        }
    }

    /// What the store's thread does once in a while.
    pub fn exchange(&mut self, store: &mut ModelStore, now: Time) {
        self.link
            .set_known_replicas(u32::try_from(store.replicas).unwrap(), clock(now));
        self.exchange_urgent(store, now);
        for call in self.link.due_calls(clock(now), INTERVAL, usize::MAX) {
            let response = self.send(&CallMessage::of(&self.name, &call), store, now);
            call.finish(response, clock(now));
        }
        for call in self.link.restore_calls(clock(now), usize::MAX) {
            if self.network == Network::LosesCalls {
                continue;
            }
            let RestoreCall {
                id, replica, taken, ..
            } = &call;
            store.restore(id, replica, *taken);
            call.finish();
        }
    }

    fn send(
        &mut self,
        message: &CallMessage,
        store: &mut ModelStore,
        now: Time,
    ) -> Option<crate::limits::LeaseResponse> {
        if self.network == Network::LosesCalls {
            return None;
        }
        self.sent.push(message.clone());
        let response = store.call(message, now);
        (self.network == Network::Works).then_some(response)
    }

    /// What is used of an amount in all replicas, as this one knows it.
    pub fn used(&self, of: LimitUnit, period: Period, now: Time) -> u64 {
        let reports = self.set.report(clock(now));
        let mut quotas = reports.iter().flat_map(|it| &it.quotas);
        let kind = QuotaKind::Amount(of, period);
        quotas.find(|it| it.kind == kind).unwrap().used
    }
}
