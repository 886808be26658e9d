//! Checks a request head and dispatches it by path and method.

use std::future::ready;
use std::pin::Pin;
use std::rc::Rc;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response};

use check::check;
use head_fields::HeadFields;

use super::context::HttpContext;
use super::response::{json, reject, without_body};
use super::{chat_clone, limits, models, openapi, operator, page, status};
use crate::error_response::{self, ErrorResponse};
use crate::proxy::{self, RequestKind, ResponseBody, Worker, tunnel};
use crate::request_body::IncomingBody;
use crate::wire::api_path::{ApiPath, below_models, may_lead_elsewhere};
use crate::wire::endpoint::Endpoint;
use crate::wire::path_hint::PathHint;

mod check;
mod head_fields;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Route<'a> {
    /// A JSON endpoint of [`Endpoint::FAST_PATH`].
    Json(Endpoint),
    /// Any other API path.
    Passthrough(Box<ApiPath>),
    /// `GET /v1/models`
    Models,
    /// `GET /v1/models/{id}`, the id still percent-encoded.
    Model(&'a str),
    /// `GET /models`
    CloneModels,
    /// `POST /chat/stream`
    CloneStream,
    /// `GET /health`
    Health,
    /// `GET /openapi.json`
    OpenApi,
    /// `GET /`
    Page,
    /// `GET /docs`
    Docs,
    /// `GET /assets/…`: a file of the page, by its path without the leading slash.
    Asset(&'a str),
    /// `GET /trunkline/page`
    PageInfo,
    /// `GET /trunkline/status`
    Status,
    /// `GET /trunkline/status/events`
    Events,
    /// `GET /trunkline/operator`
    Operator,
    /// `HEAD` of the base URL, or of `/api/hello` below it, by which Claude Code finds out
    /// whether it is connected.
    Hello,
    /// `GET /trunkline/limits`
    Limits,
}

const READ_METHODS: &str = "GET, HEAD, OPTIONS";
const CALL_METHODS: &str = "POST, OPTIONS";
const API_METHODS: &str = "GET, POST, PUT, PATCH, DELETE, OPTIONS";

/// Serves one request until its response head.
pub type ResponseFuture = Pin<Box<dyn Future<Output = Response<ResponseBody>>>>;

/// Starts to serve a request; also returns its `origin` field.
pub fn route<B>(
    worker: &Rc<Worker>,
    context: &HttpContext,
    request: Request<B>,
) -> (ResponseFuture, Option<HeaderValue>)
where
    B: IncomingBody + 'static,
{
    let fields = HeadFields::from_headers(request.headers());
    let origin = fields.origin.cloned();
    let names_provider = fields.names_provider;
    let future = match check(context, &request, &fields) {
        Ok(()) => dispatch(worker, context, request, names_provider),
        Err(error) => immediate(reject(worker, request.headers(), error)),
    };
    (future, origin)
}

fn dispatch<B>(
    worker: &Rc<Worker>,
    context: &HttpContext,
    request: Request<B>,
    names_provider: bool,
) -> ResponseFuture
where
    B: IncomingBody + 'static,
{
    let path = strip_root_path(&context.root_path, request.uri().path());
    if path.is_empty() {
        return immediate(page::redirect_to_slash(&context.root_path));
    }
    let route = match find(context, path, &request, names_provider) {
        Ok(route) => route,
        Err(error) => return immediate(reject(worker, request.headers(), error)),
    };
    if request.method() == Method::OPTIONS {
        let preflight = context.cors.preflight(request.headers(), route.allow());
        return immediate(preflight.map(ResponseBody::full));
    }
    immediate(match route {
        Route::Json(endpoint) => {
            return Box::pin(proxy::serve(
                Rc::clone(worker),
                RequestKind::Json(endpoint),
                request,
            ));
        }
        Route::Passthrough(path) if tunnel::is_handshake(&request) => {
            let kind = RequestKind::WebSocket(Box::new(path.into_websocket()));
            return Box::pin(proxy::serve(Rc::clone(worker), kind, request));
        }
        Route::Passthrough(path) if request.method() == Method::HEAD => {
            let mut request = request;
            *request.method_mut() = Method::GET;
            let get = proxy::serve(Rc::clone(worker), RequestKind::Passthrough(path), request);
            return Box::pin(async move { without_body(get.await).await });
        }
        Route::Passthrough(path) => {
            return Box::pin(proxy::serve(
                Rc::clone(worker),
                RequestKind::Passthrough(path),
                request,
            ));
        }
        Route::Models => {
            let worker = Rc::clone(worker);
            return Box::pin(async move { models::list(&worker, &request).await });
        }
        Route::Model(id) => models::retrieve(worker, &request, id),
        Route::CloneModels => chat_clone::list(worker, &request),
        Route::CloneStream => return chat_clone::stream(Rc::clone(worker), request),
        Route::Health => json(r#"{"status":"ok"}"#),
        Route::OpenApi => openapi::respond(request.headers()),
        Route::Page => file(worker, context, &request, "index.html"),
        Route::Docs => file(worker, context, &request, "docs.html"),
        Route::Asset(path) => file(worker, context, &request, path),
        Route::PageInfo => status::page_info(worker, &request),
        Route::Status => status::status(worker, &request),
        Route::Limits => limits::view(worker, &request),
        Route::Operator => return operator::view(worker, &context.operator, &request),
        Route::Events => status::events(worker, &context.subscribers, &request),
        Route::Hello => Response::new(ResponseBody::full(Bytes::new())),
    })
}

pub fn immediate(response: Response<ResponseBody>) -> ResponseFuture {
    Box::pin(ready(response))
}

/// The route at this path, if the method and the origin are allowed.
fn find<'p, B>(
    context: &HttpContext,
    path: &'p str,
    request: &Request<B>,
    names_provider: bool,
) -> Result<Route<'p>, ErrorResponse> {
    let method = request.method();
    let route = Route::match_path(path, method, names_provider);
    let is_served = |route: &Route<'_>| {
        let is_mistaken = *route == Route::CloneModels && is_sdk(request.headers());
        route.is_enabled(context) && !is_mistaken
    };
    let hello = || is_hello(method, path, request.uri().path()).then_some(Route::Hello);
    let Some(route) = route.filter(is_served).or_else(hello) else {
        return Err(match *method {
            Method::GET
            | Method::HEAD
            | Method::POST
            | Method::PUT
            | Method::PATCH
            | Method::DELETE => not_found(path),
            _ => error_response::method_not_allowed("GET, HEAD, POST, OPTIONS"),
        });
    };
    // A preflight only queries what is allowed, whatever the origin.
    if method == Method::OPTIONS {
        return Ok(route);
    }
    if !route.allows(method) {
        return Err(match route {
            Route::CloneModels | Route::CloneStream => {
                error_response::chat_clone_method(route.allow())
            }
            _ => error_response::method_not_allowed(route.allow()),
        });
    }
    if route.checks_origin() {
        context.hosts.admit_origin(&context.cors, request)?;
    }
    Ok(route)
}

/// `path` is `whole` below the root path, which may be `/api` itself.
fn is_hello(method: &Method, path: &str, whole: &str) -> bool {
    let below = match path.strip_prefix("/providers/") {
        Some(named) => named.find('/').and_then(|end| named.get(end..)),
        None => Some(path),
    };
    *method == Method::HEAD
        && (matches!(below, None | Some("/" | "/api/hello")) || whole == "/api/hello")
}

fn not_found(path: &str) -> ErrorResponse {
    if may_lead_elsewhere(path) {
        error_response::invalid_path()
    } else if chat_clone::has_served(path) {
        error_response::chat_clone_url()
    } else {
        error_response::unknown_url(PathHint::of(path))
    }
}

/// Whether an SDK of OpenAI or Anthropic sends this, which means `/v1/models` and has a
/// base URL that lacks `/v1`.
fn is_sdk(headers: &HeaderMap) -> bool {
    headers.contains_key("x-stainless-lang") || headers.contains_key("anthropic-version")
}

/// A file of the page, or the error that there is none.
fn file<B>(
    worker: &Worker,
    context: &HttpContext,
    request: &Request<B>,
    path: &str,
) -> Response<ResponseBody> {
    let page = context.page.as_ref();
    page.and_then(|page| page.respond(path, request.headers()))
        .unwrap_or_else(|| reject(worker, request.headers(), error_response::unknown_url(None)))
}

impl<'a> Route<'a> {
    /// Matches the path exactly, without normalization. A request that names its
    /// provider does not take the fast path.
    pub fn match_path(path: &'a str, method: &Method, names_provider: bool) -> Option<Self> {
        match path {
            "/" => return Some(Self::Page),
            "/models" | "/models/" => return Some(Self::CloneModels),
            "/chat/stream" | "/chat/stream/" => return Some(Self::CloneStream),
            "/health" => return Some(Self::Health),
            "/openapi.json" => return Some(Self::OpenApi),
            "/docs" => return Some(Self::Docs),
            "/trunkline/page" => return Some(Self::PageInfo),
            "/trunkline/status" => return Some(Self::Status),
            "/trunkline/status/events" => return Some(Self::Events),
            "/trunkline/limits" => return Some(Self::Limits),
            "/trunkline/operator" => return Some(Self::Operator),
            _ => {}
        }
        if path.starts_with("/assets/") || page::ROOT_FILES.contains(&path) {
            return path.strip_prefix('/').map(Self::Asset);
        }
        let is_post = *method == Method::POST;
        if !names_provider {
            let below = path.strip_prefix("/v1").filter(|_| is_post);
            if let Some(endpoint) = below.and_then(Endpoint::fast_path) {
                return Some(Self::Json(endpoint));
            }
            let models = below_models(path);
            if let Some(route) = models.and_then(|below| Self::match_models(below, method)) {
                return Some(route);
            }
        }
        ApiPath::parse(path, is_post).map(|path| Self::Passthrough(Box::new(path)))
    }

    /// A read of the gateway's own models; a provider's model may be deleted.
    fn match_models(below: &'a str, method: &Method) -> Option<Self> {
        let id = match below {
            "" | "/" => return Some(Self::Models),
            _ => below.strip_prefix('/')?,
        };
        let id = id.strip_suffix('/').unwrap_or(id);
        (!id.is_empty() && *method != Method::DELETE).then_some(Self::Model(id))
    }

    /// The value of the `allow` field.
    pub fn allow(&self) -> &'static str {
        match self {
            Self::Json(_) | Self::Passthrough(_) => API_METHODS,
            Self::CloneStream => CALL_METHODS,
            _ => READ_METHODS,
        }
    }

    fn allows(&self, method: &Method) -> bool {
        match self {
            Self::Json(_) => true,
            Self::CloneStream => *method == Method::POST,
            Self::Passthrough(path) => {
                let known = [
                    Method::GET,
                    Method::POST,
                    Method::PUT,
                    Method::PATCH,
                    Method::DELETE,
                ];
                // A provider's models are read by GET for it.
                known.contains(method)
                    || path.endpoint == Endpoint::Models && *method == Method::HEAD
            }
            _ => method == Method::GET || method == Method::HEAD,
        }
    }

    /// False for the page's routes while the page is disabled.
    fn is_enabled(&self, context: &HttpContext) -> bool {
        let is_api = matches!(
            self,
            Self::Json(_)
                | Self::Passthrough(_)
                | Self::Models
                | Self::Model(_)
                | Self::CloneModels
                | Self::CloneStream
                | Self::Health
                | Self::OpenApi
                | Self::Hello
                | Self::Limits
        );
        is_api || context.page.is_some()
    }

    /// True for routes that cost money or disclose the configuration.
    fn checks_origin(&self) -> bool {
        matches!(
            self,
            Self::Json(_)
                | Self::Passthrough(_)
                | Self::Models
                | Self::Model(_)
                | Self::CloneModels
                | Self::CloneStream
                | Self::Status
                | Self::Events
                | Self::Limits
                | Self::Operator
        )
    }
}

/// The path below the configured prefix, empty for the prefix itself; a path without
/// the prefix is unchanged.
fn strip_root_path<'a>(root: &str, path: &'a str) -> &'a str {
    match path.strip_prefix(root) {
        Some(below) if below.is_empty() || below.starts_with('/') => below,
        _ => path,
    }
}

#[cfg(test)]
mod tests;
