//! Which request goes where.

use std::future::ready;
use std::pin::Pin;
use std::rc::Rc;

use bytes::Bytes;
use http::header::{EXPECT, HOST, ORIGIN, TRANSFER_ENCODING};
use http::uri::Authority;
use http::{HeaderMap, HeaderValue, Method, Request, Response, Version};
use http_body::Body;

use super::context::Site;
use super::response::{json, refuse};
use super::{models, page, status};
use crate::error_response;
use crate::error_response::Failure;
use crate::proxy::PROVIDER;
use crate::proxy::{self, Answer, Worker, tunnel};
use crate::wire::api_path::Call;
use crate::wire::endpoint::Endpoint;

/// A place that is served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Route<'a> {
    /// A call of the OpenAI API, of the kind that most requests are.
    Call(Endpoint),
    /// Any other call of it.
    Other(Box<Call>),
    /// `GET /v1/models`
    Models,
    /// `GET /v1/models/{id}`, the id still percent-encoded.
    Model(&'a str),
    /// `GET /health`
    Health,
    /// `GET /openapi.json`
    OpenApi,
    /// `GET /`
    Page,
    /// `GET /docs`
    Docs,
    /// `GET /assets/…`: a file of the page's, by its path without the slash
    /// in front.
    Asset(&'a str),
    /// `GET /trunkline/page`
    Facts,
    /// `GET /trunkline/status`
    Status,
    /// `GET /trunkline/status/events`
    Events,
}

const GET: &str = "GET, HEAD, OPTIONS";
const ANY: &str = "GET, POST, PUT, PATCH, DELETE, OPTIONS";

/// The work on one request, until the head of its answer.
pub type Work = Pin<Box<dyn Future<Output = Response<Answer>>>>;

/// Begins the work on a request, and says which page it comes from.
pub fn route<B>(
    worker: &Rc<Worker>,
    site: &Site,
    request: Request<B>,
) -> (Work, Option<HeaderValue>)
where
    B: Body<Data = Bytes, Error = hyper::Error> + 'static,
{
    let fields = Fields::of(request.headers());
    let origin = fields.origin.cloned();
    let names_provider = fields.names_provider;
    let work = match check(site, &request, &fields) {
        Ok(()) => dispatch(worker, site, request, names_provider),
        Err(failure) => at_once(refuse(worker, request.headers(), failure)),
    };
    (work, origin)
}

fn dispatch<B>(worker: &Rc<Worker>, site: &Site, request: Request<B>, names_provider: bool) -> Work
where
    B: Body<Data = Bytes, Error = hyper::Error> + 'static,
{
    let path = below_root(&site.root_path, request.uri().path());
    if path.is_empty() {
        return at_once(page::add_slash(&site.root_path));
    }
    let route = match find(site, path, &request, names_provider) {
        Ok(route) => route,
        Err(failure) => return at_once(refuse(worker, request.headers(), failure)),
    };
    if request.method() == Method::OPTIONS {
        let preflight = site.cors.preflight(request.headers(), route.allow());
        return at_once(preflight.map(Answer::whole));
    }
    at_once(match route {
        Route::Call(endpoint) => {
            return Box::pin(proxy::serve(Rc::clone(worker), endpoint, request));
        }
        Route::Other(call) if tunnel::asks(&request) => {
            let (worker, call) = (Rc::clone(worker), call.of_websocket());
            let (head, _) = request.into_parts();
            return Box::pin(async move { tunnel::serve(&worker, call, head).await });
        }
        Route::Other(call) => {
            return Box::pin(proxy::serve_other(Rc::clone(worker), *call, request));
        }
        Route::Models => {
            let worker = Rc::clone(worker);
            return Box::pin(async move { models::list(&worker, &request).await });
        }
        Route::Model(id) => models::one(worker, &request, id),
        Route::Health => json(r#"{"status":"ok"}"#),
        Route::OpenApi => json(include_str!("../openapi.json")),
        Route::Page => file(worker, site, &request, "index.html"),
        Route::Docs => file(worker, site, &request, "docs.html"),
        Route::Asset(path) => file(worker, site, &request, path),
        Route::Facts => status::facts(worker),
        Route::Status => status::status(worker, &request),
        Route::Events => status::events(worker, &site.watchers, &request),
    })
}

/// An answer that needs no work.
pub fn at_once(response: Response<Answer>) -> Work {
    Box::pin(ready(response))
}

/// The route at this path, if the request may take it.
fn find<'p, B>(
    site: &Site,
    path: &'p str,
    request: &Request<B>,
    names_provider: bool,
) -> Result<Route<'p>, Failure> {
    let method = request.method();
    let route = Route::find(path, method, names_provider);
    let Some(route) = route.filter(|route| route.is_offered(site)) else {
        return Err(match *method {
            Method::GET
            | Method::HEAD
            | Method::POST
            | Method::PUT
            | Method::PATCH
            | Method::DELETE => error_response::unknown_url(),
            _ => error_response::method_not_allowed("GET, HEAD, POST, OPTIONS"),
        });
    };
    // A preflight asks what would be taken.
    if method == Method::OPTIONS {
        return Ok(route);
    }
    if !route.takes(method) {
        return Err(error_response::method_not_allowed(route.allow()));
    }
    if route.is_guarded() {
        site.hosts.admit_page(&site.cors, request)?;
    }
    Ok(route)
}

/// A file of the page's, or the error that there is none.
fn file<B>(worker: &Worker, site: &Site, request: &Request<B>, path: &str) -> Response<Answer> {
    let page = site.page.as_ref();
    page.and_then(|page| page.answer(path, request.headers()))
        .unwrap_or_else(|| refuse(worker, request.headers(), error_response::unknown_url()))
}

impl<'a> Route<'a> {
    /// The route at this path, matched exactly as it is written: nothing is
    /// normalised. A call whose provider is named is none of the usual ones.
    pub fn find(path: &'a str, method: &Method, names_provider: bool) -> Option<Self> {
        match path {
            "/" => return Some(Self::Page),
            "/health" => return Some(Self::Health),
            "/openapi.json" => return Some(Self::OpenApi),
            "/docs" => return Some(Self::Docs),
            "/trunkline/page" => return Some(Self::Facts),
            "/trunkline/status" => return Some(Self::Status),
            "/trunkline/status/events" => return Some(Self::Events),
            _ => {}
        }
        if path.starts_with("/assets/") {
            return path.strip_prefix('/').map(Self::Asset);
        }
        let posts = *method == Method::POST;
        if let Some(below) = path.strip_prefix("/v1").filter(|_| !names_provider) {
            if posts && let Some(endpoint) = Endpoint::core(below) {
                return Some(Self::Call(endpoint));
            }
            if below == "/models" {
                return Some(Self::Models);
            }
            let is_deleted = *method == Method::DELETE;
            let id = below.strip_prefix("/models/").filter(|_| !is_deleted);
            if let Some(id) = id {
                return (!id.is_empty()).then_some(Self::Model(id));
            }
        }
        Call::at(path, posts).map(|call| Self::Other(Box::new(call)))
    }

    /// The methods it takes, as the `allow` field has it.
    pub fn allow(&self) -> &'static str {
        match self {
            Self::Call(_) | Self::Other(_) => ANY,
            _ => GET,
        }
    }

    fn takes(&self, method: &Method) -> bool {
        match self {
            Self::Call(_) => true,
            Self::Other(_) => {
                let known = [
                    Method::GET,
                    Method::POST,
                    Method::PUT,
                    Method::PATCH,
                    Method::DELETE,
                ];
                known.contains(method)
            }
            _ => method == Method::GET || method == Method::HEAD,
        }
    }

    /// False for what belongs to the page while that is switched off.
    fn is_offered(&self, site: &Site) -> bool {
        let stands_alone = matches!(
            self,
            Self::Call(_)
                | Self::Other(_)
                | Self::Models
                | Self::Model(_)
                | Self::Health
                | Self::OpenApi
        );
        stands_alone || site.page.is_some()
    }

    /// True where an answer costs money or tells what is configured.
    fn is_guarded(&self) -> bool {
        matches!(
            self,
            Self::Call(_)
                | Self::Other(_)
                | Self::Models
                | Self::Model(_)
                | Self::Status
                | Self::Events
        )
    }
}

/// The path below the configured prefix, empty for the prefix itself. What is
/// not below it is served as well.
fn below_root<'a>(root: &str, path: &'a str) -> &'a str {
    match path.strip_prefix(root) {
        Some(rest) if rest.is_empty() || rest.starts_with('/') => rest,
        _ => path,
    }
}

/// What must hold for every request, whatever it asks for.
fn check<B>(site: &Site, request: &Request<B>, fields: &Fields<'_>) -> Result<(), Failure> {
    if fields.odd_coding {
        return Err(error_response::unsupported_transfer_encoding());
    }
    if fields.odd_expectation {
        return Err(error_response::expectation_failed());
    }
    if request.method() == Method::CONNECT {
        return Err(error_response::no_tunnel());
    }
    let target = request.uri().authority().map(Authority::as_str);
    let host = match request.version() {
        // Two names may be read differently by the next reader (RFC 9113,
        // section 8.3.1).
        Version::HTTP_2 => target.filter(|target| {
            let mut hosts = request.headers().get_all(HOST).iter();
            hosts.all(|host| host.as_bytes() == target.as_bytes())
        }),
        // A target that names a host goes before the field (RFC 9112, section
        // 3.2.2), which must be there all the same.
        _ => fields.one_host().map(|host| target.unwrap_or(host)),
    };
    site.hosts
        .admit(host.ok_or_else(error_response::invalid_host)?)
}

/// The fields that every request is judged by, found in one pass: a look-up
/// for each took several times as long.
#[derive(Default)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "each is a finding of its own"
)]
struct Fields<'h> {
    origin: Option<&'h HeaderValue>,
    host: Option<&'h HeaderValue>,
    more_hosts: bool,
    odd_coding: bool,
    odd_expectation: bool,
    names_provider: bool,
}

impl<'h> Fields<'h> {
    fn of(headers: &'h HeaderMap) -> Self {
        let mut fields = Self::default();
        for (name, value) in headers {
            if *name == HOST {
                fields.more_hosts |= fields.host.replace(value).is_some();
            } else if *name == ORIGIN {
                fields.origin = fields.origin.or(Some(value));
            } else if *name == TRANSFER_ENCODING {
                // hyper takes any list that ends in "chunked"; an upstream
                // might not.
                fields.odd_coding |= !value.as_bytes().eq_ignore_ascii_case(b"chunked");
            } else if *name == EXPECT {
                let known = value.as_bytes().eq_ignore_ascii_case(b"100-continue");
                fields.odd_expectation |= !known;
            } else if *name == PROVIDER {
                fields.names_provider = true;
            }
        }
        fields
    }

    fn one_host(&self) -> Option<&'h str> {
        let host = self.host.filter(|_| !self.more_hosts)?;
        host.to_str().ok()
    }
}

#[cfg(test)]
mod tests;
