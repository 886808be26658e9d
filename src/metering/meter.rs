//! The record of one request, from its head to the last byte of its response.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::HeaderValue;

use super::limit_metrics::LimitEvents;
use super::limits::HoldSlot;
use super::overhead::OverheadTimer;
use super::trace::Trace;
use super::{
    AttemptResult, HedgeOutcome, ModelMetrics, RequestOutcome, RequestRecord, WorkerMetrics,
    access_log,
};
use crate::access::Caller;
use crate::catalog::{Cost, Model, Target};
use crate::config::Price;
use crate::routing;
use crate::telemetry::request_id::RequestId;
use crate::wire::endpoint::Endpoint;
use crate::wire::error::INTERNAL_ERROR;
use crate::wire::usage::Usage;

/// Logged status if the client left before the response; never sent. The number is
/// nginx's.
const CLIENT_CLOSED_STATUS: u16 = 499;
/// Status of a request that a panic ended.
const INTERNAL_ERROR_STATUS: u16 = 500;

/// Records one request on drop.
#[derive(Debug)]
#[allow(clippy::struct_excessive_bools, reason = "facts of one request")]
pub struct Meter {
    pub(super) worker: Rc<WorkerMetrics>,
    pub(super) overhead: OverheadTimer,
    pub(super) endpoint: Endpoint,
    pub(super) request_id: RequestId,
    pub(super) caller: Option<Caller>,
    /// As the client names it.
    pub(super) session: Option<Box<str>>,
    pub(super) model: Option<Rc<ModelMetrics>>,
    pub(super) upstream_model: Option<HeaderValue>,
    pub(super) price: Option<Arc<Price>>,
    /// Size of a body that is buffered.
    pub(super) prompt_bytes: usize,
    /// The client asks for a service tier other than the standard one.
    pub(super) wants_other_tier: bool,
    /// Attempts so far; counted only for models with several targets.
    pub(super) attempts: Cell<usize>,
    pub(super) status: Option<u16>,
    pub(super) outcome: Option<RequestOutcome>,
    pub(super) code: Option<&'static str>,
    pub(super) is_stream: bool,
    pub(super) is_websocket: bool,
    pub(super) bytes_in: u64,
    /// Counter of the bytes of a streamed request body.
    pub(super) bytes_in_counter: Option<Rc<Cell<u64>>>,
    pub(super) bytes_out: u64,
    /// Boxed, since the meter is moved about before there is any.
    pub(super) usage: Option<Box<Usage>>,
    pub(super) cost: Option<Cost>,
    pub(super) first_byte: Option<Duration>,
    pub(super) first_token: Option<Duration>,
    pub(super) last_frame: Option<Instant>,
    /// Some if the request is sampled.
    pub(super) trace: Option<Box<Trace>>,
    /// About how many tokens a stream had, by the size of its events.
    pub(super) delta_tokens: Option<u64>,
    /// Some if the client has limits.
    pub(super) limits: Option<HoldSlot>,
    /// Limits were charged by an estimate.
    pub(super) is_estimated: bool,
    /// Some if a limit refused or delayed the request.
    pub(super) limit_events: Option<Box<LimitEvents>>,
}

impl Meter {
    /// Call this when the request head has been read.
    #[must_use]
    pub fn start(worker: &Rc<WorkerMetrics>, endpoint: Endpoint, request_id: RequestId) -> Self {
        worker.in_flight.increment(1);
        Self {
            worker: Rc::clone(worker),
            overhead: OverheadTimer::start(),
            endpoint,
            request_id,
            caller: None,
            session: None,
            model: None,
            upstream_model: None,
            price: None,
            prompt_bytes: 0,
            wants_other_tier: false,
            attempts: Cell::new(0),
            status: None,
            outcome: None,
            code: None,
            is_stream: false,
            is_websocket: false,
            bytes_in: 0,
            bytes_in_counter: None,
            bytes_out: 0,
            usage: None,
            cost: None,
            first_byte: None,
            first_token: None,
            last_frame: None,
            trace: None,
            delta_tokens: None,
            limits: None,
            is_estimated: false,
            limit_events: None,
        }
    }

    #[must_use]
    pub fn request_id(&self) -> &RequestId {
        &self.request_id
    }

    /// Name of the client key; none while access is open.
    #[must_use]
    pub fn key_name(&self) -> Option<&str> {
        self.caller.as_ref().and_then(Caller::key_name)
    }

    #[must_use]
    pub fn endpoint(&self) -> Endpoint {
        self.endpoint
    }

    pub fn set_caller(&mut self, caller: Caller) {
        self.caller = Some(caller);
    }

    /// Copied: the request's head is not kept.
    pub fn set_session(&mut self, session: Option<&str>) {
        self.session = session.map(Into::into);
    }

    /// A second call replaces the model.
    pub fn set_model(&mut self, model: &Model) {
        let handles = self.worker.model(model);
        if let Some(history) = &self.worker.history {
            if let Some(row) = self.model.as_ref().and_then(|it| it.name.row) {
                history.cancel(row);
            }
            if let Some(row) = handles.name.row {
                history.start(row);
            }
        }
        self.model = Some(Rc::clone(handles));
    }

    pub fn start_attempt(&mut self, target: &Target) {
        self.upstream_model.clone_from(&target.model_header);
        self.price.clone_from(&target.price);
        access_log::write_attempt(&self.request_id, target);
    }

    /// Call this with the size of the complete request body. Waits until now were for the
    /// client.
    pub fn set_bytes_in(&mut self, bytes: usize) {
        self.bytes_in = bytes as u64;
        self.overhead.reset_waited();
    }

    /// Call this with the size of the decoded body, if it is buffered.
    pub fn set_prompt_bytes(&mut self, bytes: usize) {
        self.prompt_bytes = bytes;
    }

    /// Takes the size of a streamed request body from this counter.
    pub fn count_bytes_in(&mut self, bytes: &Rc<Cell<u64>>) {
        self.bytes_in_counter = Some(Rc::clone(bytes));
    }

    /// Records an attempt at the model's only target.
    pub fn on_attempt(&self, failure: Option<routing::AttemptOutcome>) {
        let result = failure.map_or(AttemptResult::Responded, AttemptResult::Failed);
        if let Some(model) = &self.model {
            model.count_attempt(result);
        }
        if let Some(trace) = &self.trace {
            trace.on_attempt_result(None, result);
        }
    }

    /// Records an attempt at one of several targets; later events are counted for that
    /// target.
    pub fn on_target_attempt(
        &mut self,
        model: &Model,
        target: &Target,
        failure: Option<routing::AttemptOutcome>,
    ) {
        self.on_concurrent_attempt(
            model,
            target,
            failure.map_or(AttemptResult::Responded, AttemptResult::Failed),
        );
        let handles = self.worker.target_metrics(model, target);
        if failure.is_none() && target.is_fallback {
            handles.count_fallback();
        }
        self.model = Some(Rc::clone(handles));
    }

    /// Records an attempt at one of several targets while another is in flight.
    pub fn on_concurrent_attempt(&self, model: &Model, target: &Target, result: AttemptResult) {
        self.worker
            .target_metrics(model, target)
            .count_attempt(result);
        self.attempts.set(self.attempts.get() + 1);
        if let Some(trace) = &self.trace {
            trace.on_attempt_result(Some(target), result);
        }
    }

    pub fn on_hedge(&self, model: &Model, target: &Target, outcome: HedgeOutcome) {
        self.worker
            .target_metrics(model, target)
            .count_hedge(outcome);
    }

    /// Records that an attempt at `target` follows one with the outcome `after`.
    pub fn on_retry(&self, model: &Model, target: &Target, after: routing::AttemptOutcome) {
        self.worker.target_metrics(model, target).count_retry(after);
    }

    /// Records that the first attempt of a model with affinity goes to `target`.
    pub fn on_affinity(&self, model: &Model, target: &Target, result: routing::AffinityResult) {
        self.worker
            .target_metrics(model, target)
            .count_affinity(result);
    }

    /// Call this with the response head that goes to the client.
    pub fn on_response_head(&mut self, status: u16, is_stream: bool) {
        self.status = Some(status);
        // The head arrived when the wait for it ended.
        let arrived = self.overhead.resumed_at();
        self.first_byte = Some(arrived.duration_since(self.overhead.started));
        self.is_stream = is_stream;
        if is_stream {
            self.worker.streams_in_flight.increment(1);
        }
    }

    /// Records that the response upgrades the connection to a WebSocket.
    pub fn on_upgrade(&mut self) {
        self.is_websocket = true;
        self.worker.websockets_open.increment(1);
    }

    /// Call this for each frame of the response body before it is relayed.
    pub fn on_frame(&mut self, has_data: bool) {
        if !self.is_stream {
            return;
        }
        let now = Instant::now();
        if let (Some(last), Some(model)) = (self.last_frame, &self.model) {
            model.stream_gap().record(now.duration_since(last));
        }
        self.last_frame = Some(now);
        if has_data && self.first_token.is_none() {
            self.first_token = Some(now.duration_since(self.overhead.started));
        }
    }

    pub fn add_bytes_out(&mut self, bytes: usize) {
        self.bytes_out += bytes as u64;
    }

    /// Sets the outcome; only the first call counts. `code` is that of an error of our
    /// own.
    pub fn finish(&mut self, outcome: RequestOutcome, code: Option<&'static str>) {
        if self.outcome.is_none() {
            self.outcome = Some(outcome);
            self.code = code;
        }
    }

    /// Sets the status of an error response of our own, and ends a wait if there is one.
    pub fn finish_with_error(&mut self, status: u16) {
        self.status = Some(status);
        self.overhead.stop();
    }

    /// The outcome and status: as set, else by the way the meter is dropped.
    fn final_outcome(&mut self) -> (RequestOutcome, u16) {
        if std::thread::panicking() {
            // The response to the panic replaces any other.
            self.finish(RequestOutcome::InternalError, Some(INTERNAL_ERROR));
            self.status = Some(INTERNAL_ERROR_STATUS);
            self.worker.on_panic(&self.request_id);
        }
        let outcome = *self.outcome.get_or_insert(RequestOutcome::Cancelled);
        (outcome, self.status.unwrap_or(CLIENT_CLOSED_STATUS))
    }

    fn record(&mut self) {
        let (outcome, status) = self.final_outcome();
        let duration = self.overhead.started.elapsed();
        self.pause_overhead();
        let worker = Rc::clone(&self.worker);
        if self.is_stream {
            worker.streams_in_flight.decrement(1);
        }
        if self.is_websocket {
            worker.websockets_open.decrement(1);
        }
        if let Some(counter) = self.bytes_in_counter.take() {
            self.bytes_in = counter.get();
        }
        worker.bytes_in.increment(self.bytes_in);
        worker.bytes_out.increment(self.bytes_out);
        let model = &Rc::clone(self.model.as_ref().unwrap_or_else(|| worker.unknown()));
        model.count_request(self.endpoint, status, outcome);
        model.duration.record(duration);
        if let Some(first_byte) = self.first_byte {
            model.first_byte.record(first_byte);
            worker.overhead.record(self.overhead.own_time());
        }
        if let Some(first_token) = self.first_token {
            model.first_token().record(first_token);
        }
        self.cost = self.count_usage(model);
        let charge = self.settle_limits(outcome, status);
        self.record_usage(model, outcome, status, charge.as_ref());
        // Last, so that all is counted once nothing is in flight.
        worker.in_flight.decrement(1);
        if worker.access_log() {
            access_log::write(self, status, outcome, duration);
        }
        if let Some(trace) = self.trace.take() {
            trace.export(self, status, outcome, duration);
        }
        if let Some(history) = &worker.history {
            history.finish(self.take_record(status, outcome, duration));
        }
    }

    /// The history's record. Fields are moved, so that it allocates nothing.
    fn take_record(
        &mut self,
        status: u16,
        outcome: RequestOutcome,
        duration: Duration,
    ) -> RequestRecord {
        RequestRecord {
            ended: self.overhead.started + duration,
            request_id: self.request_id.clone(),
            endpoint: self.endpoint,
            caller: self.caller.take(),
            model: self.model.take().map(|model| Arc::clone(&model.name)),
            upstream_model: self.upstream_model.take(),
            status,
            outcome,
            code: self.code,
            is_stream: self.is_stream,
            first_byte: self.first_byte,
            first_token: self.first_token,
            duration,
            usage: self.usage.take(),
            cost: self.cost,
        }
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        self.record();
    }
}
