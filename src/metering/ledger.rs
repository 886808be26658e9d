//! The request as a part of the ledger's totals.

use super::limit_charge::Charge;
use super::{Meter, ModelMetrics, RequestOutcome};
use crate::access::Caller;
use crate::catalog::Cost;
use crate::ledger::{UsageRow, UsageTotals, current_hour};

impl Meter {
    /// Adds the request to the ledger, if there is one. `charge` is what limits were
    /// charged, which has all attempts, and estimates where no usage came.
    pub(super) fn record_usage(
        &self,
        model: &ModelMetrics,
        outcome: RequestOutcome,
        status: u16,
        charge: Option<&Charge>,
    ) {
        // A request that was not authenticated has used nothing, and names what it likes.
        let (Some(table), Some(caller)) = (&self.worker.usage, &self.caller) else {
            return;
        };
        let upstream_model = self.upstream_model.as_ref();
        let upstream_model = upstream_model.and_then(|name| name.to_str().ok());
        let row = UsageRow {
            hour: current_hour(),
            key: caller.key_name().unwrap_or_default(),
            team: Caller::team(caller).unwrap_or_default(),
            model: &model.name.label,
            provider: &model.name.provider,
            upstream_model: upstream_model.unwrap_or(&model.name.upstream_model),
            session: self.session.as_deref().unwrap_or_default(),
            outcome: outcome.label(),
        };
        table.add(&row, &self.usage_totals(status, charge));
    }

    fn usage_totals(&self, status: u16, charge: Option<&Charge>) -> UsageTotals {
        let usage = self.usage.as_deref().copied().unwrap_or_default();
        let succeeded = self.first_byte.is_some() && status < 300;
        let mut totals = UsageTotals {
            requests: 1,
            input_tokens: usage.input.unwrap_or_default(),
            cached_tokens: usage.cached.unwrap_or_default(),
            cache_write_tokens: usage.cache_write.unwrap_or_default(),
            output_tokens: usage.billed_output(),
            reasoning_tokens: usage.reasoning.unwrap_or_default(),
            cost: self.cost.map_or(0, Cost::picodollars),
            estimated_cost: 0,
            unpriced: 0,
        };
        let reported = totals.cost;
        // Of limits that count only requests, there are none of the others.
        if let Some(charge) = charge {
            let charged = &charge.usage;
            totals.input_tokens = totals.input_tokens.max(charged.input_tokens);
            totals.cached_tokens = totals.cached_tokens.max(charged.cached_tokens);
            totals.output_tokens = totals.output_tokens.max(charged.output_tokens);
            totals.cost = totals.cost.max(charged.cost);
            if charge.is_estimated {
                totals.estimated_cost = totals.cost.saturating_sub(reported);
            }
        }
        let is_unpriced = succeeded && self.cost.is_none() && totals.cost == 0;
        totals.unpriced = u64::from(is_unpriced && self.endpoint.bills_tokens());
        totals
    }
}
