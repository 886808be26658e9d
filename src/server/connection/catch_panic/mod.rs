//! A panic while serving a request ends that request alone.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderMap, Response};
use http_body::{Body, Frame};

use crate::dialect::Dialect;
use crate::error_response;
use crate::proxy::{Aborted, ResponseBody, Worker};
use crate::routes::response::reject;

/// Runs `f`; a panic in it becomes a response with status 500, after the panic hook
/// has counted and logged it.
///
/// State stays usable: borrows of cells end as the stack unwinds, the poison of a
/// lock is ignored, and counters are updated on drop.
pub fn catch_panic<T>(
    worker: &Worker,
    f: impl FnOnce() -> T,
    on_panic: impl FnOnce(Response<ResponseBody>) -> T,
) -> T {
    // The message is dropped: it may contain request data.
    catch_unwind(AssertUnwindSafe(f)).unwrap_or_else(|_| on_panic(panic_response(worker)))
}

/// Polls a response body; a panic aborts it, so that no client can mistake it for
/// complete.
pub fn poll_frame(
    body: &mut ResponseBody,
    context: &mut Context<'_>,
) -> Poll<Option<Result<Frame<Bytes>, Aborted>>> {
    let poll = || Pin::new(&mut *body).poll_frame(context);
    let polled = catch_unwind(AssertUnwindSafe(poll));
    polled.unwrap_or_else(|_| Poll::Ready(Some(Err(body.fail()))))
}

/// The response to a panic, with the request id of the access log line.
#[cold]
fn panic_response(worker: &Worker) -> Response<ResponseBody> {
    let error = error_response::internal_error();
    match worker.metrics.take_panicked() {
        Some(id) => {
            let response = error.into_response(&id, Dialect::Chat);
            response.map(ResponseBody::full)
        }
        None => reject(worker, &HeaderMap::new(), error),
    }
}

#[cfg(test)]
mod tests;
