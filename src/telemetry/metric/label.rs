//! Labels and their values. The code takes the values from here, and so does
//! `docs/metrics.md`.

/// A label of a metric.
#[derive(Debug, Clone, Copy)]
pub struct Label {
    pub name: &'static str,
    pub values: LabelValues,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum LabelValues {
    /// Names from the configuration, or none of these.
    Configured,
    /// [`crate::wire::endpoint::Endpoint::label`]
    Endpoints,
    /// Each with what it means, or nothing if it is plain.
    OneOf(&'static [(&'static str, &'static str)]),
}

pub const ENDPOINT: Label = Label {
    name: "endpoint",
    values: LabelValues::Endpoints,
};
pub const MODEL: Label = configured("model");
pub const PROVIDER: Label = configured("provider");
pub const KEY: Label = configured("key");
pub const TEAM: Label = configured("team");
/// A rule of `[limits]`.
pub const RULE: Label = configured("rule");
/// Whose amount of a rule it is; `other` for names that are not configured.
pub const SUBJECT: Label = configured("subject");
/// What an amount of a rule counts, by the key that it is configured under.
pub const LIMIT_OF: Label = Label {
    name: "of",
    values: LabelValues::OneOf(LIMIT_UNITS),
};
/// What an estimate is made of.
pub const ESTIMATE_OF: Label = Label {
    name: "of",
    values: LabelValues::OneOf(LIMIT_UNITS.split_at(3).0),
};
const LIMIT_UNITS: &[(&str, &str)] = &[
    ("input_tokens", ""),
    ("output_tokens", ""),
    ("budget", "US dollars"),
    ("tokens", "input and output"),
    ("requests", ""),
    ("concurrent", "requests at a time"),
];
/// [`crate::config::Period::name`]
pub const LIMIT_PERIOD: Label = Label {
    name: "period",
    values: LabelValues::OneOf(&[
        ("second", ""),
        ("minute", ""),
        ("hour", ""),
        ("day", ""),
        ("week", ""),
        ("month", ""),
        ("total", ""),
        (NO_PERIOD, "of requests at a time"),
    ]),
};
pub const NO_PERIOD: &str = "none";
pub const VERSION: Label = configured("version");

/// The result of the previous attempt: one that can be followed by another.
pub const AFTER: Label = Label {
    name: "after",
    values: LabelValues::OneOf(attempt_result::VALUES.split_at(6).0),
};

const fn configured(name: &'static str) -> Label {
    Label {
        name,
        values: LabelValues::Configured,
    }
}

macro_rules! labels {
    ($($module:ident: $name:literal { $($constant:ident = $value:literal, $meaning:literal;)* })*) => {
        $(
            pub mod $module {
                use super::{Label, LabelValues};

                pub(super) const VALUES: &[(&str, &str)] = &[$(($value, $meaning)),*];
                pub const LABEL: Label = Label {
                    name: $name,
                    values: LabelValues::OneOf(VALUES),
                };
                $(pub const $constant: &str = $value;)*
            }
        )*
    };
}

labels! {
    outcome: "outcome" {
        OK = "ok", "";
        CLIENT_ERROR = "client_error", "the request was wrong";
        NOT_CONFIGURED = "not_configured", "the model's provider lacks its key or address";
        UPSTREAM_ERROR = "upstream_error", "the provider failed";
        CANCELLED = "cancelled", "the client left";
        CLIENT_STALLED = "client_stalled", "the client read nothing of its response for `write_timeout`";
        TIMEOUT = "timeout", "a timeout expired";
        SHED = "shed", "a load limit was reached";
        LIMITED = "limited", "a limit of the client was reached";
        INTERNAL_ERROR = "internal_error", "a bug of Trunkline";
    }
    status: "status" {
        INFORMATIONAL = "1xx", "";
        SUCCESS = "2xx", "";
        REDIRECTION = "3xx", "";
        CLIENT_ERROR = "4xx", "";
        SERVER_ERROR = "5xx", "";
    }
    attempt_result: "result" {
        NOT_SENT = "not_sent", "the provider never got the request";
        NO_RESPONSE = "no_response", "it may have received the request, but did not respond";
        THROTTLED = "throttled", "";
        UNAUTHORIZED = "unauthorized", "it rejected our key";
        REJECTED = "rejected", "it rejected the request";
        FAILED = "failed", "";
        RESPONDED = "responded", "";
        CANCELLED = "cancelled", "another attempt responded first";
    }
    affinity_result: "result" {
        HIT = "hit", "the request went to its affine target";
        MOVED = "moved", "that target was unavailable or at its load limit";
        NO_KEY = "no_key", "the request has no affinity key";
    }
    hedge_result: "result" {
        WON = "won", "the second attempt responded first";
        SUPERSEDED = "superseded", "the first one did";
        FAILED = "failed", "";
        ABANDONED = "abandoned", "the client left";
        OVER_BUDGET = "over_budget", "not started, the retry budget was exhausted";
    }
    connect_result: "result" {
        OK = "ok", "";
        FAILED = "failed", "";
    }
    health_check_result: "result" {
        PASSED = "passed", "";
        FAILED = "failed", "";
    }
    discovery_result: "result" {
        FOUND = "found", "";
        FAILED = "failed", "";
    }
    reload_result: "result" {
        APPLIED = "applied", "";
        REJECTED = "rejected", "";
        UNCHANGED = "unchanged", "";
    }
    token_kind: "kind" {
        INPUT = "input", "";
        OUTPUT = "output", "";
        CACHED = "cached", "part of the input, read from a cache";
        CACHE_WRITE = "cache_write", "part of the input, written to a cache";
        REASONING = "reasoning", "part of the output";
    }
    request_token_kind: "kind" {
        INPUT = "input", "";
        OUTPUT = "output", "";
    }
    store_object_result: "result" {
        WRITTEN = "written", "";
        DROPPED = "dropped", "not written: too many waited, or the store had no room";
        FOUND = "found", "";
        UNKNOWN = "unknown", "the store has none of them";
        NO_RESPONSE = "no_response", "the store did not respond in time";
    }
    metric_export_result: "result" {
        OK = "ok", "";
        FAILED = "failed", "the collector did not accept all of it";
    }
    connection_error: "kind" {
        HEADER_TIMEOUT = "header_timeout", "";
        IDLE_TIMEOUT = "idle_timeout", "";
        EVICTED = "evicted", "closed while idle, to make room for a new connection at `max_connections`";
        MALFORMED = "malformed", "the client broke the rules of HTTP/1 or HTTP/2";
        HEADER_TOO_LARGE = "header_too_large", "";
        HTTP2_FLOOD = "http2_flood", "resets, pings or other frames in numbers that only an attack has; the connection was closed with `ENHANCE_YOUR_CALM`";
        TLS_HANDSHAKE = "tls_handshake", "it failed, timed out, or the client did not send TLS";
        WRITE_TIMEOUT = "write_timeout", "the client read nothing of a response for too long, counted for a connection or, over HTTP/2, for a stream";
    }
    shed_reason: "reason" {
        CONNECTIONS = "connections", "refused at `max_connections` while no connection was idle";
        REQUESTS_IN_FLIGHT = "requests_in_flight", "";
        BUFFERED_BYTES = "buffered_bytes", "";
        SPOOLED_BYTES = "spooled_bytes", "";
        PROVIDER_IN_FLIGHT = "provider_in_flight", "the limit of a provider";
    }
    ejection_reason: "reason" {
        FAILED = "failed", "";
        BROKEN_RESPONSES = "broken_responses", "its responses broke off after they began";
        THROTTLED = "throttled", "";
        UNAUTHORIZED = "unauthorized", "";
        RATE_LIMITED = "rate_limited", "by the rate limit headers of its responses";
    }
}
