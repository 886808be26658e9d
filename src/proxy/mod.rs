//! The story of a request.

use std::cell::RefCell;
use std::future::poll_fn;
use std::path::PathBuf;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use fastrand::Rng;
use http::request::Parts;
use http::{Request, Response};
use http_body::Body;

use crate::access::{Caller, Gate};
use crate::catalog::{Catalog, Resolved};
use crate::config::Discovery;
use crate::metering::{Desk, Meter, Meters};
use crate::routing::{Fleet, Homes};
use crate::telemetry::request_id::RequestIds;
use crate::telemetry::trace::Tracer;
use crate::upstream::{Client, Upstream};
use crate::wire::api_path::Call;
use crate::wire::endpoint::Endpoint;

mod attempt;
mod body_timeouts;
mod intake;
mod object_ids;
mod relay;
mod resolve;
mod response_body;
#[cfg(test)]
mod tests;
mod translation;
pub mod tunnel;

pub use resolve::PROVIDER;
pub use response_body::{Aborted, Answer};

use crate::drain::{Curfew, Phase};
use crate::error_response::{Failure, REQUEST_ID};
use crate::shared_limit::{Allowance, Purse, Share};

/// One generation of everything that requests are served from. Immutable;
/// shared by all workers.
#[derive(Debug)]
pub struct Snapshot {
    /// What may be called.
    pub catalog: Catalog,
    /// Who may call.
    pub gate: Gate,
    /// Where calls go, by [`crate::catalog::Provider::id`]; none where the
    /// provider is not ready.
    pub upstreams: Vec<Option<Arc<Upstream>>>,
    /// What is known of those that calls go to.
    pub fleet: Fleet,
    /// What is counted.
    pub meters: Arc<Meters>,
    /// What records requests in traces, where that is wanted.
    pub tracer: Option<Arc<Tracer>>,
    /// Where the objects are that were seen.
    pub homes: Arc<Homes>,
    /// How providers are asked which models they have.
    pub discovery: Discovery,
    /// How much is taken.
    pub limits: Limits,
}

impl Snapshot {
    /// Whether it matters where objects live, or who had them made.
    fn remembers(&self) -> bool {
        self.catalog.has_choice() || self.gate.is_selective()
    }

    /// Puts the limits into force that are shared with the generation before.
    pub fn enact(&self) {
        let limits = &self.limits;
        limits.buffered.resize(limits.max_buffered);
        limits.in_flight.resize(limits.max_in_flight);
        limits.spooled.resize(limits.max_spool);
        self.homes.resize(limits.max_objects);
        for upstream in self.upstreams.iter().flatten() {
            upstream.enact();
        }
    }
}

/// How much is taken.
#[derive(Debug)]
pub struct Limits {
    /// Most bytes in one body.
    pub max_body: usize,
    /// Longest wait for one body.
    pub body_timeout: Duration,
    /// Longest silence within one body.
    pub body_gap: Duration,
    /// Silence of an event stream after which its caller gets a comment.
    pub keepalive_comments: Option<Duration>,
    /// Longest silence of a WebSocket.
    pub tunnel_idle: Duration,
    /// Whether answers say how long they took.
    pub server_timing: bool,
    /// Bytes of bodies held at once, and how many they may be; all generations
    /// count in the same place.
    pub buffered: Arc<Allowance>,
    /// See [`Self::buffered`].
    pub max_buffered: usize,
    /// Requests in flight at once, likewise.
    pub in_flight: Arc<Allowance>,
    /// See [`Self::in_flight`].
    pub max_in_flight: usize,
    /// Bytes of forms in files at once, likewise.
    pub spooled: Arc<Allowance>,
    /// See [`Self::spooled`].
    pub max_spool: usize,
    /// Where those files are; none for the system's own place.
    pub spool_dir: Option<PathBuf>,
    /// How many objects are remembered.
    pub max_objects: usize,
}

/// One worker's own part: nothing in it is shared with another.
#[derive(Debug)]
pub struct Worker {
    /// What requests are served from.
    pub snapshot: Arc<Snapshot>,
    /// Connections to upstreams.
    pub client: Client,
    /// When to wind down.
    pub curfew: Rc<Curfew>,
    /// Where accounts are kept.
    pub desk: Rc<Desk>,
    /// Ids for requests.
    pub request_ids: RequestIds,
    /// The way to [`Limits::buffered`].
    pub buffered: Rc<Purse>,
    /// The way to [`Limits::in_flight`].
    pub in_flight: Rc<Purse>,
    /// The way to [`Limits::spooled`].
    pub spooled: Rc<Purse>,
    /// Chooses between targets.
    pub rng: RefCell<Rng>,
}

impl Worker {
    /// A worker that serves from this snapshot.
    #[must_use]
    pub fn new(snapshot: Arc<Snapshot>) -> Self {
        Self {
            client: Client::new(&snapshot.upstreams),
            desk: Desk::new(&snapshot.meters),
            curfew: Curfew::new(),
            request_ids: RequestIds::new(),
            rng: RefCell::default(),
            buffered: Purse::new(&snapshot.limits.buffered),
            in_flight: Purse::new(&snapshot.limits.in_flight),
            spooled: Purse::new(&snapshot.limits.spooled),
            snapshot,
        }
    }

    /// The same worker in the next generation, whose limits are in force
    /// already. Requests that began before go on with this one.
    #[must_use]
    pub fn succeed(&self, snapshot: Arc<Snapshot>) -> Self {
        self.buffered.settle();
        self.in_flight.settle();
        Self {
            client: self.client.succeed(&snapshot.upstreams),
            desk: self.desk.succeed(&snapshot.meters),
            curfew: Rc::clone(&self.curfew),
            request_ids: RequestIds::new(),
            rng: RefCell::default(),
            buffered: Rc::clone(&self.buffered),
            in_flight: Rc::clone(&self.in_flight),
            spooled: Rc::clone(&self.spooled),
            snapshot,
        }
    }
}

/// How a story ends: with an answer, and a place among the requests in flight.
type Told = Result<(attempt::Accepted, Share), Failure>;

/// Serves one request: whatever happens, there is an answer, and an account
/// is kept of it.
///
/// Not an `async fn`, and what it awaits takes what is large by reference: a
/// future has a place of its own for everything that is moved into it, so that
/// each hand that a request went through would make room for it once more.
pub fn serve<B>(
    worker: Rc<Worker>,
    endpoint: Endpoint,
    request: Request<B>,
) -> impl Future<Output = Response<Answer>>
where
    B: Body<Data = Bytes, Error = hyper::Error>,
{
    let (mut head, body) = request.into_parts();
    let mut meter = account(&worker, endpoint, &head);
    async move {
        let worker = &*worker;
        let told = unless_expired(worker, pin!(story(worker, &mut meter, &mut head, body))).await;
        conclude(worker, told, meter)
    }
}

/// Serves any other call of the API in the same way.
pub fn serve_other<B>(
    worker: Rc<Worker>,
    call: Call,
    request: Request<B>,
) -> impl Future<Output = Response<Answer>>
where
    B: Body<Data = Bytes, Error = hyper::Error> + 'static,
{
    let (mut head, body) = request.into_parts();
    let mut meter = account(&worker, call.endpoint, &head);
    async move {
        let worker = &*worker;
        let told = {
            let story = pin!(other_story(worker, &mut meter, call, &mut head, body));
            unless_expired(worker, story).await
        };
        conclude(worker, told, meter)
    }
}

/// Opens the account of a request.
#[inline]
fn account(worker: &Worker, endpoint: Endpoint, head: &Parts) -> Meter {
    let request_id = worker.request_ids.for_request(head.headers.get(REQUEST_ID));
    let mut meter = Meter::start(&worker.desk, endpoint, request_id);
    if let Some(tracer) = &worker.snapshot.tracer {
        meter.traces(tracer, &head.headers);
    }
    meter
}

/// What a story comes to.
#[inline]
fn conclude(worker: &Worker, told: Told, meter: Meter) -> Response<Answer> {
    match told {
        Ok((accepted, seat)) => relay::answer(worker, accepted, seat, meter),
        Err(failure) => refuse(worker, failure, meter),
    }
}

/// Breaks a story off when those in flight are to end.
async fn unless_expired<T>(
    worker: &Worker,
    mut story: Pin<&mut impl Future<Output = Result<T, Failure>>>,
) -> Result<T, Failure> {
    let ear = worker.curfew.listen();
    poll_fn(|context| match story.as_mut().poll(context) {
        Poll::Pending if ear.poll(context) == Phase::Expired => {
            Poll::Ready(Err(crate::error_response::cut_short()))
        }
        polled => polled,
    })
    .await
}

async fn story<B>(worker: &Worker, meter: &mut Meter, head: &mut Parts, body: B) -> Told
where
    B: Body<Data = Bytes, Error = hyper::Error>,
{
    let (seat, caller) = match admit(worker, head) {
        Ok(admitted) => admitted,
        Err(failure) => {
            intake::swallow(head, body).await;
            return Err(failure);
        }
    };
    meter.called_by(caller.clone());
    let look = intake::scan_of(meter.endpoint());
    let intake = intake::read(worker, meter, &head.headers, body, look).await?;
    let mut resolved = if intake.model.is_empty() {
        resolve::unnamed(worker, &caller, &intake.body)?
    } else {
        resolve(worker, &caller, &intake.model)?
    };
    if meter.endpoint() == Endpoint::Responses {
        resolve::follow(worker, &caller, &intake.body, &mut resolved)?;
    }
    meter.calls(resolved.model);
    let accepted = attempt::run(worker, meter, &resolved, head, &intake).await?;
    Ok((accepted, seat))
}

async fn other_story<B>(
    worker: &Worker,
    meter: &mut Meter,
    call: Call,
    head: &mut Parts,
    body: B,
) -> Told
where
    B: Body<Data = Bytes, Error = hyper::Error> + 'static,
{
    let (seat, caller) = match admit(worker, head) {
        Ok(admitted) => admitted,
        Err(failure) => {
            intake::swallow(head, body).await;
            return Err(failure);
        }
    };
    meter.called_by(caller.clone());
    let intake = intake::look(worker, meter, call, head, body).await?;
    let resolved = resolve::find(worker, &caller, &intake, head)?;
    meter.calls(resolved.model);
    let accepted = attempt::run(worker, meter, &resolved, head, &intake).await?;
    Ok((accepted, seat))
}

/// A place among the requests in flight, for somebody who may call.
fn admit(worker: &Worker, head: &Parts) -> Result<(Share, Caller), Failure> {
    let seat = enter(worker)?;
    let gate = &worker.snapshot.gate;
    let caller = gate.admit(&head.headers, &head.extensions)?;
    Ok((seat, caller))
}

/// A place among the requests in flight, while there are places and we are not
/// shutting down.
fn enter(worker: &Worker) -> Result<Share, Failure> {
    if worker.curfew.phase() >= Phase::Draining {
        return Err(crate::error_response::shutting_down());
    }
    Ok(worker.in_flight.take(1)?)
}

fn resolve<'w>(worker: &'w Worker, caller: &Caller, model: &str) -> Result<Resolved<'w>, Failure> {
    Ok(worker
        .snapshot
        .catalog
        .resolve(model, |name| caller.may_use(name))?)
}

fn refuse(worker: &Worker, failure: Failure, mut meter: Meter) -> Response<Answer> {
    meter.ends(failure.outcome, Some(failure.error.code));
    meter.refuses(failure.status.as_u16());
    let dialect = crate::error_response::dialect(meter.endpoint());
    let mut response = failure.into_response(meter.request_id(), dialect);
    if worker.snapshot.limits.server_timing {
        crate::error_response::tell_times(response.headers_mut(), &meter);
    }
    meter.passed(response.body().len());
    response.map(Answer::whole)
}
