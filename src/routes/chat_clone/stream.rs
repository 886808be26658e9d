//! The relayed stream of a chat completion, as the clone's.

use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use http_body::Body;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};

use super::error::kind_of;
use super::event::{DONE, StreamError, ping, write, write_error};
use crate::proxy::{Aborted, BodyConverter, ResponseBody};
use crate::wire::failure::ReportedFailure;
use crate::wire::json_relay::first_byte;
use crate::wire::sse::{EVENT_LIMIT_BYTES, EventBuffer, SseEvent};

/// The default of sse-starlette.
const PING_INTERVAL: Duration = Duration::from_secs(15);
/// What openai-python raises for an error in a stream.
const API_ERROR: &str = "APIError";

pub struct ChatStream {
    source: ResponseBody,
    status: StatusCode,
    input: Input,
    ping: Interval,
    has_ended: bool,
}

/// What the upstream sends, which its first byte shows.
enum Input {
    Unknown,
    Events {
        buffer: Box<EventBuffer>,
        has_begun: bool,
    },
    /// An error, or a completion in place of a stream.
    Json(Vec<u8>),
    /// It was too long, and the client knows.
    Failed,
}

/// A chunk of a completion, or a completion.
#[derive(Deserialize)]
struct Chunk<'a> {
    #[serde(borrow, default)]
    choices: Option<Vec<Choice<'a>>>,
    content: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct Choice<'a> {
    #[serde(borrow, default, alias = "message")]
    delta: Option<Delta<'a>>,
}

#[derive(Deserialize)]
struct Delta<'a> {
    #[serde(borrow, default)]
    content: Option<&'a RawValue>,
}

// === impl ChatStream ===

impl ChatStream {
    pub fn new(source: ResponseBody, status: StatusCode) -> Self {
        let mut ping = interval_at(Instant::now() + PING_INTERVAL, PING_INTERVAL);
        ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self {
            source,
            status,
            input: Input::Unknown,
            ping,
            has_ended: false,
        }
    }

    fn push(&mut self, chunk: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        if matches!(self.input, Input::Unknown) {
            self.input = match first_byte(chunk) {
                None => return out,
                Some(b'{' | b'[') => Input::Json(Vec::new()),
                Some(_) => Input::Events {
                    buffer: Box::default(),
                    has_begun: false,
                },
            };
        }
        let is_too_long = match &mut self.input {
            Input::Events { buffer, has_begun } => {
                let pushed = buffer.push(chunk, |lines| {
                    convert_event(lines, has_begun, &mut out);
                    true
                });
                pushed.is_err()
            }
            Input::Json(json) => {
                json.extend_from_slice(chunk);
                json.len() > EVENT_LIMIT_BYTES
            }
            Input::Unknown | Input::Failed => false,
        };
        if is_too_long {
            self.input = Input::Failed;
            let message = "The provider's response is too long.";
            let code = StatusCode::BAD_GATEWAY.as_u16();
            let error = StreamError {
                message,
                code,
                kind: API_ERROR,
            };
            write_error(error, &mut out);
        }
        out
    }

    /// The body has ended as it should.
    fn finish(&mut self) -> Vec<u8> {
        let mut out = Vec::new();
        match &mut self.input {
            // An event counts without the empty line after it.
            Input::Events { buffer, has_begun } => {
                convert_event(buffer.remainder(), has_begun, &mut out);
            }
            Input::Json(json) if !self.status.is_success() => {
                let failure = ReportedFailure::read(json);
                let kind = kind_of(self.status);
                write_failure(&failure, self.status.as_u16(), kind, &mut out);
            }
            Input::Json(json) => {
                if let Some(failure) = ReportedFailure::find(json) {
                    write_failure_in_stream(&failure, &mut out);
                } else {
                    write_chunk(json.trim_ascii(), &mut out);
                    write(DONE, &mut out);
                }
            }
            Input::Unknown | Input::Failed => {}
        }
        out
    }
}

impl BodyConverter for ChatStream {
    fn poll_chunk(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, Aborted>>> {
        while !self.has_ended {
            let frame = match Pin::new(&mut self.source).poll_frame(context) {
                Poll::Ready(frame) => frame,
                Poll::Pending => {
                    ready!(self.ping.poll_tick(context));
                    return Poll::Ready(Some(Ok(ping().into())));
                }
            };
            let out = match frame.transpose() {
                Ok(Some(frame)) => frame.into_data().map(|chunk| self.push(&chunk)),
                Ok(None) => {
                    self.has_ended = true;
                    Ok(self.finish())
                }
                Err(aborted) => {
                    self.has_ended = true;
                    return Poll::Ready(Some(Err(aborted)));
                }
            };
            if let Ok(out) = out
                && !out.is_empty()
            {
                return Poll::Ready(Some(Ok(out.into())));
            }
        }
        Poll::Ready(None)
    }

    fn source(&mut self) -> &mut ResponseBody {
        &mut self.source
    }
}

/// Comments are left out, as the clone's client did.
fn convert_event(lines: &[u8], has_begun: &mut bool, out: &mut Vec<u8>) {
    let event = SseEvent::parse(lines);
    match &*event.data {
        b"" => {}
        DONE => write(DONE, out),
        data => {
            let is_first = !mem::replace(has_begun, true);
            match ReportedFailure::find_in_event(event.event_type, data, is_first) {
                Some(failure) => write_failure_in_stream(&failure, out),
                None => write_chunk(data, out),
            }
        }
    }
}

/// A chunk with its text also as `content`: the clone sent nothing else, and other pages
/// read the chunks of OpenAI's API.
fn write_chunk(data: &[u8], out: &mut Vec<u8>) {
    let chunk = serde_json::from_slice::<Chunk<'_>>(data).ok();
    let choices = chunk
        .filter(|chunk| chunk.content.is_none())
        .and_then(|chunk| chunk.choices);
    let rest = data
        .trim_ascii()
        .strip_prefix(b"{")
        .map(<[u8]>::trim_ascii_start);
    let (Some(choices), Some(rest)) = (choices, rest) else {
        return write(data, out);
    };
    let delta = choices.into_iter().next().and_then(|choice| choice.delta);
    let content = delta.and_then(|delta| delta.content).map(RawValue::get);
    let content = content.filter(|content| content.starts_with('"'));
    let content = content.unwrap_or("\"\"").as_bytes();
    write(&[b"{\"content\":", content, b",", rest].concat(), out);
}

/// An error under a good status, of the provider or of the gateway.
fn write_failure_in_stream(failure: &ReportedFailure, out: &mut Vec<u8>) {
    let code = StatusCode::BAD_GATEWAY.as_u16();
    write_failure(failure, failure.status.unwrap_or(code), API_ERROR, out);
}

fn write_failure(failure: &ReportedFailure, code: u16, kind: &str, out: &mut Vec<u8>) {
    let message = failure.message.as_deref();
    let stream_error = StreamError {
        message: message.unwrap_or("The provider reported an error without a message."),
        code,
        kind,
    };
    write_error(stream_error, out);
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::future::poll_fn;

    use bytes::Bytes;
    use http::StatusCode;
    use http_body_util::channel::Channel;
    use tokio::time::Instant;

    use super::ChatStream;
    use crate::proxy::{BodyConverter, ResponseBody};

    fn converted(status: StatusCode, chunks: &[&str]) -> String {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .unwrap();
        runtime.block_on(async {
            let source = ResponseBody::full(Bytes::new());
            let mut stream = ChatStream::new(source, status);
            let mut out = Vec::new();
            for chunk in chunks {
                out.extend(stream.push(chunk.as_bytes()));
            }
            out.extend(stream.finish());
            String::from_utf8(out).unwrap()
        })
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_stream_is_pinged() {
        let start = Instant::now();
        let (_sender, silent) = Channel::<Bytes, Infallible>::new(1);
        let mut stream = ChatStream::new(ResponseBody::local_stream(silent), StatusCode::OK);
        for seconds in [15, 30] {
            let chunk = poll_fn(|context| stream.poll_chunk(context)).await;
            let ping = chunk.unwrap().unwrap();
            assert!(ping.starts_with(b": ping - "), "{ping:?}");
            assert_eq!(start.elapsed().as_secs(), seconds);
        }
    }

    #[test]
    fn chunks_have_their_text_at_the_top() {
        let stream = [
            ": hello\n\ndata: {\"id\":\"1\",\"choices\":[{\"delta\":{\"role\":\"assistant\",\"con",
            "tent\":null}}]}\n\ndata: { \"choices\":[{\"delta\":{\"content\":\"h\\u00e9\"}}]}\n\n",
            "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n",
        ];
        let expected = "data: {\"content\":\"\",\"id\":\"1\",\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":null}}]}\r\n\r\n\
                        data: {\"content\":\"h\\u00e9\",\"choices\":[{\"delta\":{\"content\":\"h\\u00e9\"}}]}\r\n\r\n\
                        data: {\"content\":\"\",\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\r\n\r\n\
                        data: [DONE]\r\n\r\n";
        assert_eq!(converted(StatusCode::OK, &stream), expected);
    }

    #[test]
    fn an_empty_error_is_none() {
        for empty in ["null", "\"\"", "{}", "false"] {
            let data =
                format!("\"choices\":[{{\"delta\":{{\"content\":\"a\"}}}}],\"error\":{empty}}}");
            let stream = format!("data: {{{data}\n\n");
            let expected = format!("data: {{\"content\":\"a\",{data}\r\n\r\n");
            assert_eq!(converted(StatusCode::OK, &[&stream]), expected);
        }
    }

    #[test]
    fn a_whole_completion_is_one_chunk() {
        let completion = "{\"choices\":[{\"message\":{\"content\":\"hi\"}}]}\n";
        let expected = "data: {\"content\":\"hi\",\"choices\":[{\"message\":{\"content\":\"hi\"}}]}\r\n\r\ndata: [DONE]\r\n\r\n";
        assert_eq!(converted(StatusCode::OK, &[completion]), expected);
    }

    #[test]
    fn errors_are_events_with_a_number() {
        for (status, body, expected) in [
            (
                StatusCode::TOO_MANY_REQUESTS,
                "{\"error\":{\"message\":\"slow\",\"code\":\"rate_limit\"}}",
                "{\"message\":\"slow\",\"code\":429,\"type\":\"RateLimitError\"}",
            ),
            (
                StatusCode::NOT_FOUND,
                "{\"error\":\"none\"}",
                "{\"message\":\"none\",\"code\":404,\"type\":\"NotFoundError\"}",
            ),
            (
                StatusCode::OK,
                "data: {\"error\":{\"message\":\"lost\",\"code\":\"upstream_disconnected\"}}\n\n",
                "{\"message\":\"lost\",\"code\":502,\"type\":\"APIError\"}",
            ),
            (
                StatusCode::OK,
                "{\"error\":{\"message\":\"busy\",\"code\":503}}",
                "{\"message\":\"busy\",\"code\":503,\"type\":\"APIError\"}",
            ),
            (
                StatusCode::OK,
                "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"error\",\"error\":{\"message\":\"cut\",\"code\":504}}]}\n\n",
                "{\"message\":\"cut\",\"code\":504,\"type\":\"APIError\"}",
            ),
            (
                StatusCode::OK,
                "event: error\ndata: {\"type\":\"overloaded\",\"message\":\"busy\"}\n\n",
                "{\"message\":\"busy\",\"code\":502,\"type\":\"APIError\"}",
            ),
            (
                StatusCode::OK,
                "data: {\"detail\":\"no such model\"}\n\n",
                "{\"message\":\"no such model\",\"code\":502,\"type\":\"APIError\"}",
            ),
            (
                StatusCode::BAD_GATEWAY,
                "[]",
                "{\"message\":\"The provider reported an error without a message.\",\"code\":502,\"type\":\"InternalServerError\"}",
            ),
        ] {
            let expected = format!("data: {{\"error\":{expected}}}\r\n\r\n");
            assert_eq!(converted(status, &[body]), expected);
        }
    }
}
