//! Relays an upstream's response body, chunk by chunk.

use std::task::{Context, Poll};

use bytes::Bytes;
use http::HeaderMap;
use tokio::time::Instant;

use super::Worker;
use super::attempt::AcceptedResponse;
use super::body_timeouts::{BodyTimer, Expired};
use super::object_ids::ObjectIdRecorder;
use super::translation::Translator;
use crate::dialect::Dialect;
use crate::drain::{DrainWatch, Phase};
use crate::error_response;
use crate::error_response::ErrorResponse;
use crate::metering::{Meter, RequestOutcome, Tap};
use crate::routing::{InFlightGuard, ResponseWatch};
use crate::shared_limit::LimitPermit;
use crate::upstream::UpstreamBody;
use crate::wire::endpoint::Endpoint;
use crate::wire::error::UPSTREAM_STALLED;
use crate::wire::json_relay::JsonEnd;
use crate::wire::media_type::MediaType;
use crate::wire::sse_relay::StreamInspector;

/// A comment, which SSE readers skip (WHATWG HTML, section 9.2.7, proposes it
/// against proxies that drop an idle stream).
const KEEP_ALIVE: &[u8] = b": keep-alive\n\n";

#[derive(Debug)]
pub struct Relay {
    first_chunk: Option<Bytes>,
    body: UpstreamBody,
    tap: Tap,
    translator: Option<Box<Translator>>,
    endpoint: Endpoint,
    dialect: Dialect,
    pub(super) meter: Option<Meter>,
    timer: BodyTimer,
    drain: DrainWatch,
    state: State,
    /// Outcome of the request when the body ends as it should.
    ok_outcome: RequestOutcome,
    _permit: LimitPermit,
    _in_flight: Option<InFlightGuard>,
    /// Until the end is known.
    watch: Option<ResponseWatch>,
    object_ids: Option<Box<ObjectIdRecorder>>,
}

#[derive(Debug)]
enum State {
    Relaying,
    /// One last chunk of ours, then the end.
    Closing(Bytes),
    /// Ends with an error, once what was emitted has been written.
    Aborting {
        flushed: bool,
    },
    Ended,
}

/// The body must not look complete: the connection ends in a way that no client
/// takes for the end of the response.
#[derive(Debug, thiserror::Error)]
#[error("response body aborted")]
pub struct Aborted;

// === impl Relay ===

impl Relay {
    /// The headers of the response, and its body. Inlined, since all of it would be
    /// moved otherwise.
    #[inline]
    pub(super) fn new(
        worker: &Worker,
        accepted: AcceptedResponse,
        permit: LimitPermit,
        mut meter: Meter,
    ) -> (HeaderMap, Box<Self>) {
        let response = accepted.response;
        let is_stream = accepted.media_type == MediaType::EventStream;
        meter.on_response_head(response.status.as_u16(), is_stream);
        meter.set_usage(accepted.usage);
        let mut headers = response.headers;
        error_response::set_request_id(&mut headers, meter.request_id());
        error_response::set_should_retry(&mut headers, response.status);
        meter.pause_overhead();
        let limits = &worker.snapshot.limits;
        if limits.server_timing {
            error_response::append_server_timing(&mut headers, &meter);
        }
        let keep_alive = limits.keepalive_comments.filter(|_| is_stream);
        let mut relay = Box::new(Self {
            first_chunk: accepted.first_chunk,
            body: response.body,
            tap: Tap::new(
                accepted.media_type,
                accepted.finish_rule,
                accepted.hide_usage,
            ),
            translator: accepted.translator,
            endpoint: meter.endpoint(),
            dialect: error_response::dialect(meter.endpoint()),
            ok_outcome: RequestOutcome::from_status(response.status.as_u16()),
            meter: Some(meter),
            timer: BodyTimer::new(accepted.timeouts, keep_alive),
            drain: worker.drain.watch(),
            state: State::Relaying,
            _permit: permit,
            _in_flight: accepted.in_flight,
            watch: accepted.watch,
            object_ids: accepted.object_ids,
        });
        relay.finish_if_empty();
        (headers, relay)
    }

    /// A body known to be empty is never polled.
    fn finish_if_empty(&mut self) {
        if self.first_chunk.is_none() && self.body.has_ended() {
            let _ = self.on_upstream_end(None);
        }
    }

    /// Panics after this many chunks.
    #[cfg(test)]
    pub(crate) fn fail_after(&mut self, chunks: usize) {
        self.tap = Tap::Failing(chunks);
    }

    pub(super) fn has_ended(&self) -> bool {
        matches!(self.state, State::Ended)
    }

    /// The next chunk; `Ok(None)` is the end.
    pub(super) fn poll(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Result<Option<Bytes>, Aborted>> {
        loop {
            match &mut self.state {
                State::Ended => return Poll::Ready(Ok(None)),
                State::Closing(last) => {
                    let last = std::mem::take(last);
                    self.close();
                    return Poll::Ready(Ok(Some(last)));
                }
                State::Aborting { flushed: true } => {
                    self.close();
                    return Poll::Ready(Err(Aborted));
                }
                State::Aborting { flushed } => {
                    // The connection flushes when a body is pending, and drops
                    // what it has buffered when a body fails.
                    *flushed = true;
                    context.waker().wake_by_ref();
                    return Poll::Pending;
                }
                State::Relaying => {
                    if let Some(chunk) = std::task::ready!(self.poll_upstream(context)) {
                        return Poll::Ready(Ok(Some(chunk)));
                    }
                }
            }
        }
    }

    /// A chunk to emit; none when the state has changed or the chunk is not for
    /// the client.
    fn poll_upstream(&mut self, context: &mut Context<'_>) -> Poll<Option<Bytes>> {
        if self.drain.phase() == Phase::Terminating {
            self.abort(&error_response::shutting_down());
            return Poll::Ready(None);
        }
        if let Some(first) = self.first_chunk.take() {
            return Poll::Ready(self.on_chunk(first));
        }
        match self.body.poll_chunk(context) {
            Poll::Ready(Some(Ok(chunk))) => Poll::Ready(self.on_chunk(chunk)),
            Poll::Ready(Some(Err(_))) => {
                self.abort(&error_response::stream_disconnected());
                Poll::Ready(None)
            }
            Poll::Ready(None) => Poll::Ready(self.on_upstream_end(None)),
            Poll::Pending => self.poll_timers(context),
        }
    }

    fn on_chunk(&mut self, chunk: Bytes) -> Option<Bytes> {
        self.timer.on_data();
        if let Some(recorder) = &mut self.object_ids
            && recorder.feed(&chunk, self.body.has_ended())
        {
            self.object_ids = None;
        }
        let mut chunk = self.tap.feed(chunk);
        if let Some(translator) = &mut self.translator {
            chunk = chunk.and_then(|chunk| translator.push(&chunk));
            if translator.is_broken() {
                self.abort(&error_response::stream_protocol_error());
                return self.emit(chunk);
            }
        }
        if let Some(meter) = &mut self.meter {
            let stream = self.tap.stream().map(|stream| stream.has_data());
            meter.on_frame(stream == Some(true));
            if stream != Some(false) {
                self.timer.on_first_event();
            }
        }
        if self.body.has_ended() {
            self.on_upstream_end(chunk)
        } else {
            self.emit(chunk)
        }
    }

    fn poll_timers(&mut self, context: &mut Context<'_>) -> Poll<Option<Bytes>> {
        if self.drain.poll(context) == Phase::Terminating {
            self.abort(&error_response::shutting_down());
            return Poll::Ready(None);
        }
        match std::task::ready!(self.timer.poll_expired(context)) {
            Expired::Idle => self.abort(&error_response::stream_stalled()),
            Expired::Total => self.abort(&error_response::stream_too_long()),
            Expired::KeepAlive => return Poll::Ready(self.keep_alive_comment()),
        }
        Poll::Ready(None)
    }

    /// A comment, where one can be inserted between two events.
    fn keep_alive_comment(&mut self) -> Option<Bytes> {
        let stream = self.tap.stream()?;
        let goes_on = !stream.is_done() && !stream.has_error();
        let comment = (goes_on && stream.may_insert_comment()).then_some(KEEP_ALIVE);
        self.emit(comment.map(Bytes::from_static))
    }

    fn emit(&mut self, chunk: Option<Bytes>) -> Option<Bytes> {
        if let (Some(chunk), Some(meter)) = (&chunk, &mut self.meter) {
            meter.add_bytes_out(chunk.len());
        }
        chunk
    }

    /// The upstream's body has ended as it should, with this last chunk.
    fn on_upstream_end(&mut self, chunk: Option<Bytes>) -> Option<Bytes> {
        // The last event may lack its empty line, and counts.
        let mut tail = self.tap.stream().and_then(StreamInspector::end);
        let outcome = match self.outcome_at_end() {
            Ok(outcome) => outcome,
            Err(failure) => {
                self.abort(&failure);
                return self.emit(chunk);
            }
        };
        if let Some(translator) = &mut self.translator {
            tail = translator.finish(tail.as_deref());
            if !translator.is_finished() {
                self.abort(&error_response::stream_incomplete());
                return self.emit(concat(chunk, tail));
            }
        }
        self.set_outcome(outcome, None);
        let chunk = self.emit(concat(chunk, tail));
        self.close();
        chunk
    }

    /// The outcome of a body that has ended as it should, by its content; an error if
    /// it must not look complete.
    fn outcome_at_end(&mut self) -> Result<RequestOutcome, ErrorResponse> {
        let failed = Ok(RequestOutcome::UpstreamError);
        if let Some(stream) = self.tap.stream() {
            return if stream.has_error() {
                failed
            } else if self.ok_outcome == RequestOutcome::Ok && !stream.is_complete() {
                Err(error_response::stream_incomplete())
            } else {
                Ok(self.ok_outcome)
            };
        }
        if self.ok_outcome != RequestOutcome::Ok || !self.endpoint.has_result() {
            return Ok(self.ok_outcome);
        }
        let is_json = self.endpoint.has_json_result();
        match self.tap.end() {
            Some(JsonEnd::Failure) => failed,
            Some(JsonEnd::Other) if is_json => failed,
            Some(JsonEnd::Blank) if is_json => Err(error_response::upstream_empty()),
            _ => Ok(self.ok_outcome),
        }
    }

    /// Ends the body early. A stream between two events gets an error event;
    /// anything else is aborted.
    fn abort(&mut self, failure: &ErrorResponse) {
        let mut state = State::Aborting { flushed: false };
        let mut outcome = failure.outcome;
        let mut code = Some(failure.body.code);
        let is_translated = self.translator.is_some();
        let error = match &mut self.translator {
            Some(translator) => translator.error_event(&failure.body),
            None => failure.to_event(self.dialect),
        };
        if let Some(stream) = self.tap.stream() {
            let has_end = stream.is_done() || stream.has_error() && stream.at_boundary();
            // The client's stream may end before the upstream's `[DONE]`, or not by it.
            let translator = self.translator.as_ref();
            let is_complete = translator.map_or(has_end, |it| it.is_finished());
            if is_complete {
                // Only the framing is missing: the response is complete, or the
                // upstream has sent its own error.
                let failed = stream.has_error();
                outcome = if failed {
                    RequestOutcome::UpstreamError
                } else {
                    self.ok_outcome
                };
                code = None;
                let mut tail = stream.end();
                if let Some(translator) = &mut self.translator {
                    tail = translator.finish(tail.as_deref());
                }
                state = State::Closing(tail.unwrap_or_default());
            } else if is_translated || stream.at_boundary() {
                state = State::Closing(error);
            }
        } else if is_translated {
            state = State::Closing(error);
        }
        self.set_outcome(outcome, code);
        if let State::Closing(last) = &state {
            let last = last.clone();
            self.emit(Some(last));
        }
        self.state = state;
    }

    /// The first outcome stands.
    pub(super) fn set_outcome(&mut self, outcome: RequestOutcome, code: Option<&'static str>) {
        if let Some(watch) = self.watch.take() {
            self.report_end(watch, outcome, code);
        }
        if let Some(meter) = &mut self.meter {
            meter.finish(outcome, code);
        }
    }

    /// Nothing is reported that is no fault of the upstream: errors of the client, the
    /// total timeout, the end of the process.
    fn report_end(
        &mut self,
        watch: ResponseWatch,
        outcome: RequestOutcome,
        code: Option<&'static str>,
    ) {
        let now = || Instant::now().into_std();
        match outcome {
            RequestOutcome::Ok => watch.record_complete(now()),
            RequestOutcome::UpstreamError if self.tap.spares_upstream() => {}
            RequestOutcome::UpstreamError => watch.record_broken(now()),
            RequestOutcome::Timeout if code == Some(UPSTREAM_STALLED) => {
                watch.record_broken(now());
            }
            _ => {}
        }
    }

    fn close(&mut self) {
        self.state = State::Ended;
        if let Some(meter) = &mut self.meter {
            self.tap.report(meter);
            // Where it is: a move would copy all of it.
            self.meter = None;
        }
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        // A client may leave behind the last event, without waiting for the end of the body.
        let translator = self.translator.as_deref();
        if translator.map_or_else(|| self.tap.is_complete(), Translator::is_complete) {
            self.set_outcome(self.ok_outcome, None);
        }
        // Usage that was reported before it left counts in any case.
        self.close();
    }
}

fn concat(one: Option<Bytes>, other: Option<Bytes>) -> Option<Bytes> {
    match (one, other) {
        (Some(one), Some(other)) => Some([one, other].concat().into()),
        (one, other) => one.or(other),
    }
}
