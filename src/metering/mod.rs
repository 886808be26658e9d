//! What is counted of each request: times, bytes, tokens and how it ended.
//!
//! A [`Meter`] follows one request from its head to the last byte of its
//! answer and closes the account when it is dropped, so that no way out of a
//! request, an abandoned future included, goes uncounted.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::access::Caller;
use crate::catalog::{Model, Target};
use crate::routing::Outcome as Fault;
use crate::telemetry::request_id::RequestId;
use crate::wire::endpoint::Endpoint;
use crate::wire::usage::Usage;

mod handles;
mod line;
mod tap;

pub use handles::{Meters, ModelMeters};
pub use tap::Tap;

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The caller has the whole answer.
    Ok,
    /// The request was at fault.
    ClientError,
    /// The upstream was.
    UpstreamError,
    /// The caller went away.
    Cancelled,
    /// A limit in time was reached.
    Timeout,
    /// A limit on load was reached.
    Shed,
    /// We were at fault.
    InternalError,
}

/// Status that the log shows for a caller who left before an answer. Never
/// sent; the number is nginx's.
const CALLER_LEFT: u16 = 499;

/// The account of one request.
#[derive(Debug)]
pub struct Meter {
    meters: Arc<Meters>,
    started: Instant,
    endpoint: Endpoint,
    request_id: RequestId,
    caller: Option<Caller>,
    model: Option<Arc<Model>>,
    /// Who answers, and after how many attempts, where there was a choice.
    chosen: Option<(Target, usize)>,
    status: Option<u16>,
    outcome: Option<Outcome>,
    code: Option<&'static str>,
    streams: bool,
    bytes_in: u64,
    bytes_out: u64,
    usage: Option<Usage>,
    first_byte: Option<Duration>,
    first_token: Option<Duration>,
    last_piece: Option<Instant>,
    own_since: Option<Instant>,
    own_time: Duration,
}

impl Meter {
    /// Opens the account of a request whose head has just been read.
    #[must_use]
    pub fn start(meters: &Arc<Meters>, endpoint: Endpoint, request_id: RequestId) -> Self {
        meters.in_flight.increment(1.0);
        let started = Instant::now();
        Self {
            meters: Arc::clone(meters),
            started,
            endpoint,
            request_id,
            caller: None,
            model: None,
            chosen: None,
            status: None,
            outcome: None,
            code: None,
            streams: false,
            bytes_in: 0,
            bytes_out: 0,
            usage: None,
            first_byte: None,
            first_token: None,
            last_piece: None,
            own_since: Some(started),
            own_time: Duration::ZERO,
        }
    }

    /// Which request this is.
    #[must_use]
    pub fn request_id(&self) -> &RequestId {
        &self.request_id
    }

    /// Which call it makes.
    #[must_use]
    pub fn endpoint(&self) -> Endpoint {
        self.endpoint
    }

    /// Notes who calls.
    pub fn called_by(&mut self, caller: Caller) {
        self.caller = Some(caller);
    }

    /// Notes what is called.
    pub fn calls(&mut self, model: Arc<Model>) {
        self.model = Some(model);
    }

    /// Notes the size of the request's body.
    pub fn received(&mut self, bytes: usize) {
        self.bytes_in = bytes as u64;
    }

    /// From here on we wait for somebody else.
    pub fn waits(&mut self) {
        if let Some(since) = self.own_since.take() {
            self.own_time += since.elapsed();
        }
    }

    /// From here on it is our own time again.
    pub fn works(&mut self) {
        self.own_since = Some(Instant::now());
    }

    /// Notes an attempt at the model's only target, and how it failed, if it
    /// did.
    pub fn attempted(&self, fault: Option<Fault>) {
        if let Some(model) = &self.model {
            self.meters.model(model).attempt(fault);
        }
    }

    /// Notes an attempt at one of several targets.
    pub fn attempted_at(&mut self, target: &Target, fault: Option<Fault>) {
        let attempts = self.chosen.take().map_or(0, |(_, attempts)| attempts);
        if let Some(model) = &self.model {
            let handles = self.meters.at(model, target);
            handles.attempt(fault);
            if fault.is_none() && target.is_fallback {
                handles.fallback();
            }
        }
        self.chosen = Some((target.clone(), attempts + 1));
    }

    /// Notes that an attempt at this target follows one that failed so.
    pub fn retries(&self, target: &Target, fault: Fault) {
        if let Some(model) = &self.model {
            self.meters.at(model, target).retry(fault);
        }
    }

    fn handles<'m>(&self, meters: &'m Meters) -> &'m ModelMeters {
        match (&self.model, &self.chosen) {
            (Some(model), Some((target, _))) => meters.at(model, target),
            (Some(model), None) => meters.model(model),
            (None, _) => meters.unknown(),
        }
    }

    /// Notes the head of the answer that goes to the caller.
    pub fn answers(&mut self, status: u16, streams: bool) {
        self.status = Some(status);
        self.first_byte = Some(self.started.elapsed());
        self.streams = streams;
        if streams {
            self.meters.streams_in_flight.increment(1.0);
        }
    }

    /// Notes a piece of the upstream's answer, before it is passed on.
    pub fn piece(&mut self, has_data: bool) {
        if !self.streams {
            return;
        }
        let now = Instant::now();
        if let Some(last) = self.last_piece {
            self.handles(&self.meters)
                .stream_gap
                .record(now.duration_since(last).as_secs_f64());
        }
        self.last_piece = Some(now);
        if has_data && self.first_token.is_none() {
            self.first_token = Some(now.duration_since(self.started));
        }
    }

    /// Notes bytes that were passed to the caller.
    pub fn passed(&mut self, bytes: usize) {
        self.bytes_out += bytes as u64;
    }

    /// Notes the tokens that the upstream reported.
    pub fn used(&mut self, usage: Option<Usage>) {
        self.usage = usage;
    }

    /// Settles how the request ended; what is said first stands. `code` is the
    /// error's code where we made one.
    pub fn ends(&mut self, outcome: Outcome, code: Option<&'static str>) {
        if self.outcome.is_none() {
            self.outcome = Some(outcome);
            self.code = code;
        }
    }

    /// Notes the status of an answer of our own.
    pub fn refuses(&mut self, status: u16) {
        self.status = Some(status);
    }

    fn close(&mut self) {
        let outcome = *self.outcome.get_or_insert(Outcome::Cancelled);
        let status = self.status.unwrap_or(CALLER_LEFT);
        let duration = self.started.elapsed();
        self.waits();
        self.meters.in_flight.decrement(1.0);
        if self.streams {
            self.meters.streams_in_flight.decrement(1.0);
        }
        self.meters.bytes_in.increment(self.bytes_in);
        self.meters.bytes_out.increment(self.bytes_out);
        let meters = Arc::clone(&self.meters);
        let model = self.handles(&meters);
        model.request(self.endpoint, status, outcome).increment(1);
        model.duration.record(duration.as_secs_f64());
        if let Some(first_byte) = self.first_byte {
            model.first_byte.record(first_byte.as_secs_f64());
            meters.overhead.record(self.own_time.as_secs_f64());
        }
        if let Some(first_token) = self.first_token {
            model.first_token.record(first_token.as_secs_f64());
        }
        if let Some(usage) = &self.usage {
            model.count_tokens(usage);
        }
        if meters.writes_lines {
            line::write(self, status, outcome, duration);
        }
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        self.close();
    }
}

impl Outcome {
    /// Every outcome, in the order of their numbers.
    pub const ALL: [Self; 7] = [
        Self::Ok,
        Self::ClientError,
        Self::UpstreamError,
        Self::Cancelled,
        Self::Timeout,
        Self::Shed,
        Self::InternalError,
    ];

    /// The outcome of an answer that came whole with this status.
    #[must_use]
    pub fn of_status(status: u16) -> Self {
        match status {
            429 | 500.. => Self::UpstreamError,
            400..=499 => Self::ClientError,
            _ => Self::Ok,
        }
    }

    /// The name that metrics and logs use.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::ClientError => "client_error",
            Self::UpstreamError => "upstream_error",
            Self::Cancelled => "cancelled",
            Self::Timeout => "timeout",
            Self::Shed => "shed",
            Self::InternalError => "internal_error",
        }
    }
}
