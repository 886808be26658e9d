//! Tells a client of its limits, in the headers of the API that it called.

use bytes::BytesMut;
use http::{HeaderMap, HeaderName};

use crate::config::LimitUnit;
use crate::error_response::{LIMIT, RateHeaders, budget_headers, header_value};
use crate::limits::{LimitClock, QuotaKind, QuotaReport};
use crate::metering::{LimitHold, Meter};

/// Room for the values of all headers of one response.
const VALUES: usize = 192;

/// The quota with the least share left, of each kind that has headers.
#[derive(Default)]
struct Tightest {
    requests: Option<QuotaReport>,
    tokens: Option<QuotaReport>,
    input_tokens: Option<QuotaReport>,
    output_tokens: Option<QuotaReport>,
    budget: Option<QuotaReport>,
    of_all: Option<QuotaReport>,
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
        replace_looser(slot, report);
        replace_looser(&mut self.of_all, report)
    }
}

fn replace_looser(slot: &mut Option<QuotaReport>, report: QuotaReport) -> bool {
    let is_tighter = slot.is_none_or(|other| report.has_less_left_than(&other));
    if is_tighter {
        *slot = Some(report);
    }
    is_tighter
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
    if let Some(refusal) = &reservation.would_refuse {
        buffer.clear();
        let text = format_args!("{}; would refuse", refusal.rule);
        headers.extend(header_value(&mut buffer, text).map(|value| (LIMIT, value)));
    } else if !buffer.is_empty() {
        let name = http::HeaderValue::from_maybe_shared(buffer.split().freeze());
        headers.extend(name.ok().map(|value| (LIMIT, value)));
    }
    let mut write = |names: &RateHeaders, report: Option<QuotaReport>| {
        if let Some(report) = report {
            names.write(&report, &mut buffer, |name, value| {
                headers.insert(name, value);
            });
        }
    };
    if is_anthropic {
        write(&RateHeaders::ANTHROPIC_REQUESTS, tightest.requests);
        write(&RateHeaders::ANTHROPIC_TOKENS, tightest.tokens);
        write(&RateHeaders::ANTHROPIC_INPUT, tightest.input_tokens);
        write(&RateHeaders::ANTHROPIC_OUTPUT, tightest.output_tokens);
    } else {
        write(&RateHeaders::OPENAI_REQUESTS, tightest.requests);
        write(&RateHeaders::OPENAI_TOKENS, tightest.tokens);
    }
    if let Some(budget) = tightest.budget {
        headers.extend(budget_headers(&budget, &mut buffer));
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
