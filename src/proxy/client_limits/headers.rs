//! Tells a client of its limits, in the headers of the API that it called.

use bytes::BytesMut;
use http::{HeaderMap, HeaderName};

use crate::config::LimitUnit;
use crate::error_response::{LIMIT, RateHeaders, budget_headers, header_value};
use crate::limits::{LimitClock, QuotaKind, QuotaReport};
use crate::metering::{LimitHold, Meter};

/// Room for the values of all headers of one response.
const VALUES: usize = 192;
/// Headers of one rate.
const RATE_HEADERS: usize = 3;
/// The limit, and two of a budget.
const OTHER_HEADERS: usize = 3;

/// The quota with the least share left, of each kind that has headers.
#[derive(Default)]
struct Tightest {
    requests: Option<QuotaReport>,
    tokens: Option<QuotaReport>,
    input_tokens: Option<QuotaReport>,
    output_tokens: Option<QuotaReport>,
    budget: Option<QuotaReport>,
    of_all: Option<LeftShare>,
}

/// What is left of a limit.
#[derive(Clone, Copy)]
struct LeftShare {
    remaining: u64,
    limit: u64,
}

impl Tightest {
    /// True if it is the tightest of all so far.
    fn add(&mut self, report: QuotaReport) -> bool {
        let QuotaKind::Amount(unit, _) = report.kind else {
            return false;
        };
        let slot = match unit {
            LimitUnit::Requests => &mut self.requests,
            LimitUnit::Tokens => &mut self.tokens,
            LimitUnit::InputTokens => &mut self.input_tokens,
            LimitUnit::OutputTokens => &mut self.output_tokens,
            LimitUnit::Budget => &mut self.budget,
        };
        let share = LeftShare::of(&report);
        let is_tightest = self.of_all.is_none_or(|other| share.is_less_than(other));
        if is_tightest {
            self.of_all = Some(share);
        }
        let other = slot.as_ref().map(LeftShare::of);
        if other.is_none_or(|other| share.is_less_than(other)) {
            *slot = Some(report);
        }
        is_tightest
    }

    /// How many kinds of rates there are.
    fn rates(&self) -> usize {
        let rates = [
            &self.requests,
            &self.tokens,
            &self.input_tokens,
            &self.output_tokens,
        ];
        rates.into_iter().flatten().count()
    }
}

impl LeftShare {
    fn of(report: &QuotaReport) -> Self {
        Self {
            remaining: report.remaining,
            limit: report.limit,
        }
    }

    fn is_less_than(self, other: Self) -> bool {
        let left = u128::from(self.remaining) * u128::from(other.limit);
        left < u128::from(other.remaining) * u128::from(self.limit)
    }
}

/// The state after this request's reservation: the usage is unknown until the response has
/// left. The provider's own headers are about the gateway's account, and are removed.
#[inline]
pub(in crate::proxy) fn set_headers(headers: &mut HeaderMap, meter: &Meter) {
    if let Some(hold) = meter.limits() {
        set_headers_of(headers, hold, meter.endpoint().is_anthropic());
    }
}

fn set_headers_of(headers: &mut HeaderMap, hold: &LimitHold, is_anthropic: bool) {
    let reservation = hold.reservation();
    let mut tightest = Tightest::default();
    // All values are in one allocation.
    let mut buffer = BytesMut::with_capacity(VALUES);
    reservation.visit(LimitClock::now(), |rule, report| {
        if tightest.add(report) {
            buffer.clear();
            buffer.extend_from_slice(rule.as_bytes());
        }
    });
    remove_rate_limits(headers);
    headers.reserve(OTHER_HEADERS + RATE_HEADERS * tightest.rates());
    if let Some(refusal) = &reservation.would_refuse {
        buffer.clear();
        buffer.extend_from_slice(refusal.rule.as_bytes());
        let value = header_value(&mut buffer, "; would refuse");
        headers.extend(value.map(|value| (LIMIT, value)));
    } else if !buffer.is_empty() {
        let value = header_value(&mut buffer, "");
        headers.extend(value.map(|value| (LIMIT, value)));
    }
    let mut write = |names: &RateHeaders, report: Option<&QuotaReport>| {
        if let Some(report) = report {
            names.write(report, &mut buffer, |name, value| {
                headers.insert(name, value);
            });
        }
    };
    if is_anthropic {
        write(&RateHeaders::ANTHROPIC_REQUESTS, tightest.requests.as_ref());
        write(&RateHeaders::ANTHROPIC_TOKENS, tightest.tokens.as_ref());
        write(
            &RateHeaders::ANTHROPIC_INPUT,
            tightest.input_tokens.as_ref(),
        );
        write(
            &RateHeaders::ANTHROPIC_OUTPUT,
            tightest.output_tokens.as_ref(),
        );
    } else {
        write(&RateHeaders::OPENAI_REQUESTS, tightest.requests.as_ref());
        write(&RateHeaders::OPENAI_TOKENS, tightest.tokens.as_ref());
    }
    if let Some(budget) = &tightest.budget {
        headers.extend(budget_headers(budget, &mut buffer));
    }
}

fn remove_rate_limits(headers: &mut HeaderMap) {
    let is_of_provider = |name: &&HeaderName| {
        let name = name.as_str();
        name.starts_with("x-ratelimit-") || name.starts_with("anthropic-ratelimit-")
    };
    // Most providers send none.
    while let Some(name) = headers.keys().find(is_of_provider).cloned() {
        headers.remove(name);
    }
}
