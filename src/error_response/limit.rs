//! Errors of the client's own limits.

use std::borrow::Cow;
use std::time::Duration;

use http::header::RETRY_AFTER;
use http::{HeaderName, HeaderValue, StatusCode};
use jiff::Timestamp;

use super::ErrorResponse;
use crate::config::{COST_DIGITS, Decimal, LimitUnit, Period};
use crate::limits::{LimitRefusal, QuotaKind, Shortage};
use crate::metering::RequestOutcome;
use crate::wire::error::{ErrorType, LimitDetails};

/// In milliseconds; the OpenAI SDKs prefer it.
const RETRY_AFTER_MS: HeaderName = HeaderName::from_static("retry-after-ms");
/// The limit that refused the request.
const LIMIT: HeaderName = HeaderName::from_static("x-trunkline-limit");
/// How soon a permit may be free.
const PERMIT_WAIT: Duration = Duration::from_secs(1);

/// A limit has no room for the request. Nothing was counted.
#[must_use]
pub fn limit_reached(refusal: &LimitRefusal) -> ErrorResponse {
    let mut error = match refusal.shortage {
        Shortage::Blocked => blocked(refusal),
        Shortage::UntilEnd(_) => quota_spent(refusal),
        Shortage::Wait(wait) => rate_exceeded(refusal, wait),
        Shortage::Held => rate_exceeded(refusal, PERMIT_WAIT),
    };
    error.outcome = RequestOutcome::Limited;
    error.body.limit = Some(Box::new(details(refusal)));
    match HeaderValue::from_str(&refusal.rule) {
        Ok(name) => error.header(LIMIT, name),
        Err(_) => error,
    }
}

/// A call whose usage nothing tells, where a limit counts tokens or money.
#[must_use]
pub fn unmetered_endpoint() -> ErrorResponse {
    let message = "A limit of your key counts tokens or money, and the usage of this call is \
                   not reported. Ask the gateway's operator for a key without such a limit.";
    ErrorResponse::new(StatusCode::FORBIDDEN, "unmetered_endpoint", message).no_retry()
}

/// A model without a price, where a limit counts money.
#[must_use]
pub fn unpriced_model() -> ErrorResponse {
    let message = "Your key has a budget, and this model has no price. Use another model, or \
                   ask the gateway's operator to add the price.";
    ErrorResponse::new(StatusCode::FORBIDDEN, "unpriced_model", message)
        .param("model")
        .no_retry()
}

/// Clients take `insufficient_quota` as final; a `Retry-After` would make them wait.
fn quota_spent(refusal: &LimitRefusal) -> ErrorResponse {
    let until = refusal.quota.reset.map_or_else(
        || "It does not come back by itself; ask the gateway's operator.".to_owned(),
        |reset| format!("It begins anew at {}.", rfc3339(reset.at_seconds)),
    );
    let message = format!("{} {until}", summary(refusal, "used up"));
    let code = "insufficient_quota";
    let mut error = ErrorResponse::new(StatusCode::TOO_MANY_REQUESTS, code, message);
    error.body.kind = ErrorType::InsufficientQuota;
    error.no_retry()
}

fn rate_exceeded(refusal: &LimitRefusal, wait: Duration) -> ErrorResponse {
    let message = format!(
        "{} Try again in {}.",
        summary(refusal, "reached"),
        short_duration(wait)
    );
    let code = "rate_limit_exceeded";
    let mut error = ErrorResponse::new(StatusCode::TOO_MANY_REQUESTS, code, message);
    error.body.kind = match refusal.quota.kind {
        QuotaKind::Amount(LimitUnit::Requests, _) | QuotaKind::Concurrent => ErrorType::Requests,
        QuotaKind::Amount(..) => ErrorType::Tokens,
    };
    let milliseconds = wait.as_nanos().div_ceil(1_000_000);
    let seconds = milliseconds.div_ceil(1_000);
    error
        .header(RETRY_AFTER, number(seconds))
        .header(RETRY_AFTER_MS, number(milliseconds))
}

fn number(number: u128) -> HeaderValue {
    HeaderValue::from(u64::try_from(number).unwrap_or(u64::MAX))
}

fn blocked(refusal: &LimitRefusal) -> ErrorResponse {
    let message = format!(
        "Blocked by the limit {}: its amount of {} is 0. Ask the gateway's operator.",
        refusal.rule,
        unit_name(refusal.quota.kind),
    );
    ErrorResponse::new(StatusCode::FORBIDDEN, "blocked", message).no_retry()
}

/// `Limit each-key of key alice reached on tokens per minute: limit 200000, …`
fn summary(refusal: &LimitRefusal, state: &str) -> String {
    let quota = &refusal.quota;
    let amount = |amount| amount_text(quota.kind, amount);
    let subject = match &*refusal.subject {
        "" => String::new(),
        subject => format!(" of {subject}"),
    };
    let (limit, used) = (amount(quota.limit), amount(quota.used));
    format!(
        "Limit {}{subject} {state} on {}: limit {limit}, used {used}, requested about {}.",
        refusal.rule,
        quota_name(quota.kind),
        amount(refusal.requested),
    )
}

fn details(refusal: &LimitRefusal) -> LimitDetails {
    let quota = &refusal.quota;
    LimitDetails {
        rule: refusal.rule.to_string(),
        subject: refusal.subject.to_string(),
        of: unit_name(quota.kind),
        period: match quota.kind {
            QuotaKind::Amount(_, period) => Some(period.name()),
            QuotaKind::Concurrent => None,
        },
        limit: amount_text(quota.kind, quota.limit),
        used: amount_text(quota.kind, quota.used),
        requested: amount_text(quota.kind, refusal.requested),
        resets_at: quota.reset.map(|reset| rfc3339(reset.at_seconds)),
    }
}

#[must_use]
pub fn unit_name(kind: QuotaKind) -> &'static str {
    match kind {
        QuotaKind::Amount(unit, _) => unit.key(),
        QuotaKind::Concurrent => "concurrent",
    }
}

fn quota_name(kind: QuotaKind) -> Cow<'static, str> {
    match kind {
        QuotaKind::Concurrent => "requests at a time".into(),
        QuotaKind::Amount(unit, period) => {
            let unit = match unit {
                LimitUnit::Requests => "requests",
                LimitUnit::Tokens => "tokens",
                LimitUnit::InputTokens => "input tokens",
                LimitUnit::OutputTokens => "output tokens",
                LimitUnit::Budget => "dollars",
            };
            match period {
                Period::Total => format!("{unit} in total").into(),
                period => format!("{unit} per {}", period.name()).into(),
            }
        }
    }
}

#[must_use]
pub fn amount_text(kind: QuotaKind, amount: u64) -> String {
    match kind {
        QuotaKind::Amount(LimitUnit::Budget, _) => dollars(amount),
        _ => amount.to_string(),
    }
}

/// Picodollars as dollars.
#[must_use]
pub fn dollars(picodollars: u64) -> String {
    Decimal {
        units: picodollars.into(),
        digits: COST_DIGITS,
    }
    .to_string()
}

/// As OpenAI writes it: `120ms`, `1.2s`, `6m0s`.
#[must_use]
pub fn short_duration(time: Duration) -> String {
    let milliseconds = time.as_nanos().div_ceil(1_000_000);
    if milliseconds < 1_000 {
        return format!("{milliseconds}ms");
    }
    let (seconds, rest) = (milliseconds / 1_000, milliseconds % 1_000);
    let (minutes, seconds) = (seconds / 60, seconds % 60);
    let (hours, minutes) = (minutes / 60, minutes % 60);
    let seconds = match rest {
        0 => format!("{seconds}s"),
        rest => format!("{seconds}.{}s", format!("{rest:03}").trim_end_matches('0')),
    };
    match (hours, minutes) {
        (0, 0) => seconds,
        (0, minutes) => format!("{minutes}m{seconds}"),
        (hours, minutes) => format!("{hours}h{minutes}m{seconds}"),
    }
}

/// In UTC.
#[must_use]
pub fn rfc3339(seconds: i64) -> String {
    let time = Timestamp::from_second(seconds);
    time.map_or_else(|_| String::new(), |time| time.to_string())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{dollars, rfc3339, short_duration};

    #[test]
    fn durations_are_written_as_openai_does() {
        for (milliseconds, expected) in [
            (0, "0ms"),
            (120, "120ms"),
            (1_200, "1.2s"),
            (59_999, "59.999s"),
            (360_000, "6m0s"),
            (3_661_500, "1h1m1.5s"),
        ] {
            let text = short_duration(Duration::from_millis(milliseconds));
            assert_eq!(text, expected);
        }
        assert_eq!(rfc3339(0), "1970-01-01T00:00:00Z");
        assert_eq!(dollars(41_370_000_000_000), "41.37");
    }
}
