//! The API of the chat clone that Trunkline replaces: `GET /models` and
//! `POST /chat/stream` (`docs/migrate-from-the-clone.md`). The clone was a `FastAPI`
//! program that streamed by sse-starlette.

mod error;
mod event;
mod model_list;
mod request;
mod stream;

pub use model_list::list;

use std::rc::Rc;

use http::header::{CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderName, HeaderValue, Request, Response};

use super::router::ResponseFuture;
use crate::proxy::{self, ApiAdapter, PROVIDER, RequestKind, ResponseBody, Worker};
use crate::request_body::IncomingBody;
use crate::wire::endpoint::Endpoint;
use event::EVENT_STREAM;
use stream::ChatStream;

static ADAPTER: ApiAdapter = ApiAdapter {
    endpoint: Endpoint::ChatCompletions,
    convert_body: request::to_chat_completion,
    convert_error: error::convert,
};

/// `POST /chat/stream`: a streamed chat completion.
pub fn stream<B>(worker: Rc<Worker>, mut request: Request<B>) -> ResponseFuture
where
    B: IncomingBody + 'static,
{
    request.headers_mut().remove(PROVIDER);
    let response = proxy::serve(worker, RequestKind::Adapted(&ADAPTER), request);
    Box::pin(async move { convert(response.await) })
}

/// Whether the clone served this path, or serves it below another root path.
pub fn has_served(path: &str) -> bool {
    path.ends_with("/chat/stream") || path == "/redoc"
}

fn convert(response: Response<ResponseBody>) -> Response<ResponseBody> {
    let (mut head, mut body) = response.into_parts();
    let headers = &mut head.headers;
    let coding = headers.get(CONTENT_ENCODING);
    let is_readable = coding.is_none_or(|coding| coding == "identity");
    if is_readable && matches!(body, ResponseBody::Relay(_)) {
        body = ResponseBody::Converted(Box::new(ChatStream::new(body, head.status)));
        headers.remove(CONTENT_LENGTH);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(EVENT_STREAM));
    }
    // As sse-starlette has it; the second is for nginx.
    if headers
        .get(CONTENT_TYPE)
        .is_some_and(|kind| kind == EVENT_STREAM)
    {
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        let buffering = HeaderName::from_static("x-accel-buffering");
        headers.insert(buffering, HeaderValue::from_static("no"));
    }
    Response::from_parts(head, body)
}
