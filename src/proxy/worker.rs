//! State that requests are served from: the shared snapshot and one worker's own part.

use std::cell::RefCell;
use std::num::NonZeroU64;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use http::HeaderName;
use tokio::sync::Semaphore;

use crate::access::Gate;
use crate::catalog::Catalog;
use crate::config::Discovery;
use crate::drain::DrainSignal;
use crate::limits::LimitSet;
use crate::metering::{SharedMetrics, WorkerMetrics};
use crate::routing::{Fleet, ObjectDirectory};
use crate::shared_limit::{LocalLimit, SharedLimit};
use crate::store_sync::SharedObjects;
use crate::telemetry::request_id::RequestIds;
use crate::telemetry::trace::Tracer;
use crate::upstream::{Client, Upstream};

/// Large compressed bodies of one worker that are decoded at a time. A decoder holds up
/// to 16 MiB for each coding, besides what it has decoded.
const CONCURRENT_DECODERS: usize = 2;

/// The active configuration, with what is shared between workers. Immutable; a
/// reload makes a new one.
#[derive(Debug)]
pub struct Snapshot {
    pub catalog: Catalog,
    pub gate: Gate,
    /// By [`crate::catalog::Provider::id`]; none where the provider is not ready.
    pub upstreams: Vec<Option<Arc<Upstream>>>,
    pub fleet: Fleet,
    pub metrics: Arc<SharedMetrics>,
    pub tracer: Option<Arc<Tracer>>,
    /// Locations of files, responses and other provider-side objects.
    pub objects: Arc<ObjectDirectory>,
    /// The same, of all replicas; none without a store.
    pub shared_objects: Option<Arc<SharedObjects>>,
    pub discovery: Discovery,
    /// In which clients name their session.
    pub session_headers: Box<[HeaderName]>,
    pub limits: Limits,
    /// Limits and budgets of clients.
    pub client_limits: Arc<LimitSet>,
}

impl Snapshot {
    /// Whether the location or the owner of a provider-side object matters.
    pub(super) fn tracks_objects(&self) -> bool {
        self.catalog.has_several_object_locations() || self.gate.limits_models()
    }

    /// Resizes the limits that are shared with the previous generation.
    pub fn apply_limits(&self) {
        let limits = &self.limits;
        limits.buffered.resize(limits.max_buffered);
        limits
            .read_buffers
            .resize(read_buffer_limit(limits.max_buffered));
        limits.in_flight.resize(limits.max_in_flight);
        limits.spooled.resize(limits.max_spool);
        self.objects.resize(limits.max_objects);
        for upstream in self.upstreams.iter().flatten() {
            upstream.apply_limits();
        }
    }
}

/// The limit of [`Limits::read_buffers`]: with none for a budget so small that one buffer
/// would be a considerable part of it.
#[must_use]
pub fn read_buffer_limit(max_buffered: usize) -> usize {
    max_buffered / 8
}

/// Limits of requests.
#[derive(Debug)]
pub struct Limits {
    /// Bytes of one body that is buffered as a whole.
    pub max_body: usize,
    /// Bytes of one body that is streamed; none for no limit.
    pub max_upload: Option<u64>,
    pub body_timeout: Duration,
    pub body_idle_timeout: Duration,
    /// Bytes a second, on average.
    pub body_min_rate: Option<NonZeroU64>,
    /// Idle time of an event stream after which the client gets a comment.
    pub keepalive_comments: Option<Duration>,
    /// Idle timeout of a WebSocket.
    pub tunnel_idle: Duration,
    /// Whether responses carry `Server-Timing`.
    pub server_timing: bool,
    /// Buffered bytes of bodies; the counter is shared by all generations.
    pub buffered: Arc<SharedLimit>,
    pub max_buffered: usize,
    /// Bytes of the connections' large read buffers; shared likewise.
    pub read_buffers: Arc<SharedLimit>,
    /// Requests in flight; shared likewise.
    pub in_flight: Arc<SharedLimit>,
    pub max_in_flight: usize,
    /// Bytes of forms spooled to files; shared likewise.
    pub spooled: Arc<SharedLimit>,
    pub max_spool: usize,
    /// Directory of those files; none for the system's temporary directory.
    pub spool_dir: Option<PathBuf>,
    /// Entries of [`Snapshot::objects`].
    pub max_objects: usize,
}

/// State of one worker; nothing mutable in it is shared with another worker.
#[derive(Debug)]
pub struct Worker {
    pub snapshot: Arc<Snapshot>,
    pub client: Client,
    pub drain: Rc<DrainSignal>,
    pub metrics: Rc<WorkerMetrics>,
    pub request_ids: RequestIds,
    /// Draws on [`Limits::buffered`].
    pub buffered: Rc<LocalLimit>,
    /// Draws on [`Limits::in_flight`].
    pub in_flight: Rc<LocalLimit>,
    /// Draws on [`Limits::spooled`].
    pub spooled: Rc<LocalLimit>,
    /// For the large compressed bodies that are being decoded.
    pub decoding: Rc<Semaphore>,
    /// For the choice of targets.
    pub rng: RefCell<Rng>,
}

impl Worker {
    #[must_use]
    pub fn new(snapshot: Arc<Snapshot>) -> Self {
        Self {
            client: Client::new(&snapshot.upstreams),
            metrics: WorkerMetrics::new(&snapshot.metrics),
            drain: DrainSignal::new(),
            request_ids: RequestIds::new(),
            rng: RefCell::default(),
            buffered: LocalLimit::new(&snapshot.limits.buffered),
            in_flight: LocalLimit::new(&snapshot.limits.in_flight),
            spooled: LocalLimit::new(&snapshot.limits.spooled),
            decoding: Rc::new(Semaphore::new(CONCURRENT_DECODERS)),
            snapshot,
        }
    }

    /// The worker for a new snapshot, whose limits are active already. Requests
    /// in flight keep this one.
    #[must_use]
    pub fn next_generation(&self, snapshot: Arc<Snapshot>) -> Self {
        self.buffered.release_excess();
        self.in_flight.release_excess();
        Self {
            client: self.client.next_generation(&snapshot.upstreams),
            metrics: self.metrics.next_generation(&snapshot.metrics),
            drain: Rc::clone(&self.drain),
            request_ids: RequestIds::new(),
            rng: RefCell::default(),
            buffered: Rc::clone(&self.buffered),
            in_flight: Rc::clone(&self.in_flight),
            spooled: Rc::clone(&self.spooled),
            decoding: Rc::clone(&self.decoding),
            snapshot,
        }
    }
}
