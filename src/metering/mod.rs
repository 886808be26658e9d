//! What is counted of each request: times, bytes, tokens and how it ended.
//!
//! A [`Meter`] follows one request from its head to the last byte of its
//! answer and closes the account when it is dropped, so that no way out of a
//! request, an abandoned future included, goes uncounted.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::HeaderValue;

use crate::access::Caller;
use crate::catalog::{Cost, Model, Target};
use crate::config::Price;
use crate::routing;
use crate::telemetry::request_id::RequestId;
use crate::wire::endpoint::Endpoint;
use crate::wire::error::INTERNAL_ERROR;
use crate::wire::usage::Usage;

mod access_log;
mod attempt;
mod ledger;
mod model_metrics;
mod outcome;
mod overhead;
mod recorder;
mod summary;
mod tap;
#[cfg(test)]
mod tests;
mod trace;

use overhead::Clock;
use trace::Trace;

pub use attempt::{Attempt, Hedged};
pub use ledger::{Counts, Entry, Fault};
pub use model_metrics::{ModelMeters, ModelName};
pub use outcome::Outcome;
pub use recorder::{Desk, Meters};
pub use summary::{Digest, Summary, Times};
pub use tap::Tap;

/// Status that the log shows for a caller who left before an answer. Never
/// sent; the number is nginx's.
const CALLER_LEFT: u16 = 499;
/// Status of a request that a bug of ours has ended before it had one.
const FAULT_OF_OURS: u16 = 500;

/// The account of one request.
#[derive(Debug)]
pub struct Meter {
    desk: Rc<Desk>,
    clock: Clock,
    endpoint: Endpoint,
    request_id: RequestId,
    caller: Option<Caller>,
    model: Option<Rc<ModelMeters>>,
    upstream_model: Option<HeaderValue>,
    price: Option<Price>,
    /// Attempts so far, where there was a choice.
    attempts: Cell<usize>,
    status: Option<u16>,
    outcome: Option<Outcome>,
    code: Option<&'static str>,
    streams: bool,
    tunnels: bool,
    bytes_in: u64,
    /// Where they are counted while they pass.
    passing: Option<Rc<Cell<u64>>>,
    bytes_out: u64,
    usage: Option<Usage>,
    cost: Option<Cost>,
    first_byte: Option<Duration>,
    first_token: Option<Duration>,
    last_piece: Option<Instant>,
    /// Only where the request is recorded.
    trace: Option<Box<Trace>>,
}

impl Meter {
    /// Opens the account of a request whose head has just been read.
    #[must_use]
    pub fn start(desk: &Rc<Desk>, endpoint: Endpoint, request_id: RequestId) -> Self {
        desk.in_flight.increment(1);
        Self {
            desk: Rc::clone(desk),
            clock: Clock::start(),
            endpoint,
            request_id,
            caller: None,
            model: None,
            upstream_model: None,
            price: None,
            attempts: Cell::new(0),
            status: None,
            outcome: None,
            code: None,
            streams: false,
            tunnels: false,
            bytes_in: 0,
            passing: None,
            bytes_out: 0,
            usage: None,
            cost: None,
            first_byte: None,
            first_token: None,
            last_piece: None,
            trace: None,
        }
    }

    /// Which request this is.
    #[must_use]
    pub fn request_id(&self) -> &RequestId {
        &self.request_id
    }

    /// The name of the key that it was let in by, where there are keys.
    #[must_use]
    pub fn key_name(&self) -> Option<&str> {
        self.caller.as_ref().and_then(Caller::key_name)
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
    pub fn calls(&mut self, model: &Model) {
        let handles = self.desk.model(model);
        if let (Some(ledger), Some(row)) = (&self.desk.ledger, handles.name.row) {
            ledger.begins(row);
        }
        self.model = Some(Rc::clone(handles));
        if let Some(trace) = &mut self.trace {
            trace.calls(model);
        }
    }

    /// Notes whom the model's provider is asked for.
    pub fn asks(&mut self, target: &Target) {
        self.upstream_model.clone_from(&target.model_header);
        self.price = target.price.as_deref().copied();
        access_log::write_attempt(&self.request_id, target);
    }

    /// Notes the size of the request's body, all of which is here. Who was
    /// waited for until now is the caller.
    pub fn received(&mut self, bytes: usize) {
        self.bytes_in = bytes as u64;
        self.clock.forget_waits();
    }

    /// Notes where the bytes of a body are counted that comes while it goes.
    pub fn receives(&mut self, bytes: &Rc<Cell<u64>>) {
        self.passing = Some(Rc::clone(bytes));
    }

    /// From here on we wait for somebody else.
    pub fn waits(&self) {
        self.clock.waits();
    }

    /// From here on it is our own time again.
    pub fn works(&self) {
        self.clock.works();
    }

    /// How long this took until now, or until the last wait began: our own
    /// part, and that of the upstreams, where any was asked.
    #[must_use]
    pub fn times(&self) -> (Duration, Option<Duration>) {
        let upstream = Some(self.clock.waited()).filter(|time| !time.is_zero());
        (self.clock.own(), upstream)
    }

    /// Notes an attempt at the model's only target, and how it failed, if it
    /// did.
    pub fn attempted(&self, fault: Option<routing::Outcome>) {
        let result = fault.map_or(Attempt::Answered, Attempt::Failed);
        if let Some(model) = &self.model {
            model.attempt(result);
        }
        if let Some(trace) = &self.trace {
            trace.tried(None, result);
        }
    }

    /// Notes an attempt at one of the model's several targets. What is counted
    /// from here on is counted there.
    pub fn attempted_at(
        &mut self,
        model: &Model,
        target: &Target,
        fault: Option<routing::Outcome>,
    ) {
        self.tried(
            model,
            target,
            fault.map_or(Attempt::Answered, Attempt::Failed),
        );
        let handles = self.desk.at(model, target);
        if fault.is_none() && target.is_fallback {
            handles.fallback();
        }
        self.model = Some(Rc::clone(handles));
    }

    /// Notes an attempt at one of the model's several targets, while another
    /// one still runs.
    pub fn tried(&self, model: &Model, target: &Target, attempt: Attempt) {
        self.desk.at(model, target).attempt(attempt);
        self.attempts.set(self.attempts.get() + 1);
        if let Some(trace) = &self.trace {
            trace.tried(Some(target), attempt);
        }
    }

    /// Notes what came of a second attempt at this target, begun while the
    /// first one was silent.
    pub fn hedged(&self, model: &Model, target: &Target, result: Hedged) {
        self.desk.at(model, target).hedge(result);
    }

    /// Notes that an attempt at this target follows one that failed so.
    pub fn retries(&self, model: &Model, target: &Target, fault: routing::Outcome) {
        self.desk.at(model, target).retry(fault);
    }

    /// Notes that a model with affinity has this target tried first, and whether
    /// that is where the request belongs.
    pub fn keeps(&self, model: &Model, target: &Target, kept: routing::Kept) {
        self.desk.at(model, target).keeps(kept);
    }

    /// Notes the head of the answer that goes to the caller.
    pub fn answers(&mut self, status: u16, streams: bool) {
        self.status = Some(status);
        // It came when we went on with our work.
        let came = self.clock.own_since();
        self.first_byte = Some(came.duration_since(self.clock.started));
        self.streams = streams;
        if streams {
            self.desk.streams_in_flight.increment(1);
        }
    }

    /// Notes that the answer is the beginning of a WebSocket.
    pub fn tunnels(&mut self) {
        self.tunnels = true;
        self.desk.tunnels_in_flight.increment(1);
    }

    /// Notes a piece of the upstream's answer, before it is passed on.
    pub fn piece(&mut self, has_data: bool) {
        if !self.streams {
            return;
        }
        let now = Instant::now();
        if let (Some(last), Some(model)) = (self.last_piece, &self.model) {
            model.stream_gap().record(now.duration_since(last));
        }
        self.last_piece = Some(now);
        if has_data && self.first_token.is_none() {
            self.first_token = Some(now.duration_since(self.clock.started));
        }
    }

    /// Notes bytes that were passed to the caller.
    pub fn passed(&mut self, bytes: usize) {
        self.bytes_out += bytes as u64;
    }

    /// Notes the tokens that the upstream reported.
    pub fn used(&mut self, usage: Option<Usage>) {
        self.usage = usage.filter(|_| self.endpoint.is_charged());
    }

    /// Settles how the request ended; what is said first stands. `code` is the
    /// error's code where we made one.
    pub fn ends(&mut self, outcome: Outcome, code: Option<&'static str>) {
        if self.outcome.is_none() {
            self.outcome = Some(outcome);
            self.code = code;
        }
    }

    /// Notes the status of an answer of our own, which may come while an
    /// upstream is waited for.
    pub fn refuses(&mut self, status: u16) {
        self.status = Some(status);
        self.clock.stops();
    }

    /// How it ended, and the status: by what was said of it, else by how the
    /// account comes to be closed.
    fn end(&mut self) -> (Outcome, u16) {
        if std::thread::panicking() {
            // Whoever catches it answers in place of what was to come.
            self.ends(Outcome::InternalError, Some(INTERNAL_ERROR));
            self.status = Some(FAULT_OF_OURS);
            self.desk.broke(&self.request_id);
        }
        let outcome = *self.outcome.get_or_insert(Outcome::Cancelled);
        (outcome, self.status.unwrap_or(CALLER_LEFT))
    }

    fn close(&mut self) {
        let (outcome, status) = self.end();
        let duration = self.clock.started.elapsed();
        self.waits();
        let desk = Rc::clone(&self.desk);
        desk.in_flight.decrement(1);
        if self.streams {
            desk.streams_in_flight.decrement(1);
        }
        if self.tunnels {
            desk.tunnels_in_flight.decrement(1);
        }
        if let Some(passing) = self.passing.take() {
            self.bytes_in = passing.get();
        }
        desk.bytes_in.increment(self.bytes_in);
        desk.bytes_out.increment(self.bytes_out);
        let model = self.model.as_ref().unwrap_or_else(|| desk.unknown());
        model.request(self.endpoint, status, outcome);
        model.duration.record(duration);
        if let Some(first_byte) = self.first_byte {
            model.first_byte.record(first_byte);
            desk.overhead.record(self.clock.own());
        }
        if let Some(first_token) = self.first_token {
            model.first_token().record(first_token);
        }
        if let Some(usage) = &self.usage {
            model.count_tokens(usage);
            self.cost = self.price.and_then(|price| Cost::of(&price, usage));
        }
        if let Some(cost) = self.cost {
            model.count_cost(cost);
        }
        if desk.writes_lines() {
            access_log::write(self, status, outcome, duration);
        }
        if let Some(trace) = self.trace.take() {
            trace.export(self, status, outcome, duration);
        }
        if let Some(ledger) = &desk.ledger {
            ledger.ends(self.entry(status, outcome, duration));
        }
    }

    /// What is remembered of the request. What it holds is moved, so that
    /// remembering allocates nothing.
    fn entry(&mut self, status: u16, outcome: Outcome, duration: Duration) -> Entry {
        Entry {
            ended: self.clock.started + duration,
            request_id: self.request_id.clone(),
            endpoint: self.endpoint,
            caller: self.caller.take(),
            model: self.model.take().map(|model| Arc::clone(&model.name)),
            upstream_model: self.upstream_model.take(),
            status,
            outcome,
            code: self.code,
            streams: self.streams,
            first_byte: self.first_byte,
            first_token: self.first_token,
            duration,
            usage: self.usage,
            cost: self.cost,
        }
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        self.close();
    }
}
