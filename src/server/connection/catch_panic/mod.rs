//! A bug that shows in one request ends that request alone.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderMap, Response};
use http_body::{Body, Frame};

use crate::dialect::Dialect;
use crate::error_response;
use crate::proxy::{Aborted, Answer, Worker};
use crate::routes::response::refuse;

/// What `work` on a request comes to; a panic in it comes to an answer with 500.
/// The panic hook has counted it by then, and said where it was.
///
/// What a panic leaves behind is fit for use: cells that were borrowed are
/// given back as the stack unwinds, locks are taken whether they were poisoned
/// or not, and whatever counts does so when it is dropped.
pub fn rescued<T>(
    worker: &Worker,
    work: impl FnOnce() -> T,
    answer: impl FnOnce(Response<Answer>) -> T,
) -> T {
    // What it says could be a caller's words.
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| answer(broken(worker)))
}

/// The next piece of an answer; a panic on the way to it breaks the answer off
/// in a way that no client takes for its end.
pub fn piece(
    answer: &mut Answer,
    context: &mut Context<'_>,
) -> Poll<Option<Result<Frame<Bytes>, Aborted>>> {
    let poll = || Pin::new(&mut *answer).poll_frame(context);
    let polled = catch_unwind(AssertUnwindSafe(poll));
    polled.unwrap_or_else(|_| Poll::Ready(Some(Err(answer.fail()))))
}

/// The answer to a request that a panic has ended, under the id that its line
/// in the log has.
#[cold]
fn broken(worker: &Worker) -> Response<Answer> {
    let failure = error_response::internal_error();
    match worker.desk.take_broken() {
        Some(id) => {
            let told = failure.into_response(&id, Dialect::OpenAi);
            told.map(Answer::whole)
        }
        None => refuse(worker, &HeaderMap::new(), failure),
    }
}

#[cfg(test)]
mod tests;
