//! Several gateways with one store, and callers that any of them serves.

use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::limits::proof_load::{Ending, INPUT_PRICE, KEY, Load, OUTPUT_PRICE, Script};
use crate::support::client::Client;
use crate::support::gateway::{Gateway, Setup};
use crate::support::random_json::Rng;
use crate::support::wait::{DEADLINE, POLL};

/// What no request of a storm passes; it reserves as much under `reserve = "worst"`.
pub const MAX_OUTPUT: u32 = 800;
/// How long a request may be refused although it fits: others hold leases
/// (docs/limits.md). A second of it is for a busy machine.
const LONGEST_FALSE_REFUSAL: Duration = Duration::from_secs(3);

/// When a replica that was killed has no leases any more, for certain.
const LEASE_END: Duration = Duration::from_secs(11);

/// A gateway with this store, and limits that hold for the key of the load.
pub fn replica(load: &Load, store: &str, limits: &str) -> Setup {
    load.setup()
        .log("access = false")
        .section(&format!("[store]\nurl = \"{store}\"\n{limits}"))
}

/// Callers of several replicas, and what is known of them all.
pub struct Storm<'l> {
    load: &'l Load,
    /// Picodollars that all replicas may spend.
    budget: u64,
    replicas: Vec<StormReplica>,
    is_over: AtomicBool,
    in_flight: AtomicU64,
    /// What replicas that are gone may hold, and until when.
    held_by_lost: Mutex<Option<(u64, Instant)>>,
    /// Requests that the store's absence refused.
    pub unavailable: AtomicU64,
    pub passed: AtomicU64,
    pub refused: AtomicU64,
}

/// A gateway as callers see it.
struct StormReplica {
    address: Mutex<Option<SocketAddr>>,
    falsely_refused: Mutex<FalseRefusals>,
    /// Picodollars of the requests that it was sent and did not refuse.
    billed: AtomicU64,
}

/// Refusals in a row that the reference model calls false.
#[derive(Default)]
struct FalseRefusals {
    since: Option<Instant>,
    longest: Duration,
}

enum Outcome {
    Passed,
    Refused(Value),
    Unavailable,
    /// The gateway ends, or was killed.
    Lost,
}

// === impl Storm ===

impl<'l> Storm<'l> {
    pub fn new(load: &'l Load, budget: u64, gateways: &[&Gateway]) -> Self {
        let replicas = gateways.iter().map(|gateway| StormReplica {
            address: Mutex::new(Some(gateway.listen)),
            falsely_refused: Mutex::default(),
            billed: AtomicU64::new(0),
        });
        Self {
            load,
            budget,
            replicas: replicas.collect(),
            is_over: AtomicBool::new(false),
            in_flight: AtomicU64::new(0),
            held_by_lost: Mutex::new(None),
            unavailable: AtomicU64::new(0),
            passed: AtomicU64::new(0),
            refused: AtomicU64::new(0),
        }
    }

    /// What one request reserves at most, in picodollars: a token for each byte.
    pub fn worst_case() -> u64 {
        let request = Script::new(20, MAX_OUTPUT, Ending::Usage).request(Some(MAX_OUTPUT));
        let bytes = request.body.unwrap().len() as u64 + 1;
        bytes * INPUT_PRICE + u64::from(MAX_OUTPUT) * OUTPUT_PRICE
    }

    /// Kills a gateway. Returns the most that its leases were worth, which the others get
    /// once the store takes it for gone.
    #[track_caller]
    pub fn kill(&self, index: usize, gateway: &Gateway) -> u64 {
        let free = self.budget.saturating_sub(self.load.billed());
        let leased = free / (4 * self.replicas.len() as u64) + Self::worst_case();
        gateway.signal("KILL");
        *self.held_by_lost.lock().unwrap() = Some((leased, Instant::now() + LEASE_END));
        self.replace(index, None);
        leased
    }

    /// A gateway that is gone, or its successor.
    pub fn replace(&self, index: usize, gateway: Option<&Gateway>) {
        *self.replicas[index].address.lock().unwrap() = gateway.map(|it| it.listen);
        *self.replicas[index].falsely_refused.lock().unwrap() = FalseRefusals::default();
    }

    /// Runs callers until the budget is spent as far as a request could tell, and at least
    /// until `disturb` returns.
    pub fn run<R>(&self, callers: u64, disturb: impl FnOnce() -> R) -> R {
        thread::scope(|scope| {
            for caller in 0..callers {
                scope.spawn(move || self.run_caller(&mut Rng::new(caller + 1)));
            }
            let end = EndOnDrop(&self.is_over);
            let result = disturb();
            self.await_spent();
            drop(end);
            result
        })
    }

    /// Until nothing more fits, by the reference model.
    fn await_spent(&self) {
        let begin = Instant::now();
        while self.load.billed() + Self::worst_case() <= self.budget {
            self.assert_no_false_refusal();
            let (billed, summary) = (self.load.billed(), self.summary());
            let is_late = begin.elapsed() > DEADLINE;
            assert!(!is_late, "{billed} of {}: {summary}", self.budget);
            thread::sleep(POLL);
        }
    }

    fn run_caller(&self, rng: &mut Rng) {
        let mut clients: Vec<Option<Client>> = self.replicas.iter().map(|_| None).collect();
        while !self.is_over.load(Ordering::SeqCst) {
            let index = rng.below(self.replicas.len());
            match self.call(index, &mut clients[index], rng) {
                Outcome::Passed => {
                    self.passed.fetch_add(1, Ordering::SeqCst);
                    continue;
                }
                Outcome::Refused(body) => {
                    self.refused.fetch_add(1, Ordering::SeqCst);
                    assert_eq!(body["error"]["limit"]["rule"], "daily", "{body}");
                }
                Outcome::Unavailable => {
                    self.unavailable.fetch_add(1, Ordering::SeqCst);
                }
                Outcome::Lost => {}
            }
            // As a client that retries.
            thread::sleep(POLL * 5);
        }
    }

    fn call(&self, index: usize, client: &mut Option<Client>, rng: &mut Rng) -> Outcome {
        let replica = &self.replicas[index];
        let output = 100 + u32::try_from(rng.below(MAX_OUTPUT as usize - 100)).unwrap();
        let script = Script::new(20, output, Ending::Usage);
        let request = script.request(Some(MAX_OUTPUT));
        let Some(address) = *replica.address.lock().unwrap() else {
            return Outcome::Lost;
        };
        let connected = client
            .take()
            .map_or_else(|| Client::try_connect(address), Ok);
        let Ok(mut connected) = connected else {
            return Outcome::Lost;
        };
        self.in_flight.fetch_add(1, Ordering::SeqCst);
        let fitted = self.fits();
        let outcome = exchange(&mut connected, &request.bytes());
        if matches!(outcome, Outcome::Passed | Outcome::Lost) {
            replica.billed.fetch_add(script.cost(), Ordering::SeqCst);
        }
        let fits = fitted && self.fits();
        self.in_flight.fetch_sub(1, Ordering::SeqCst);
        match &outcome {
            Outcome::Refused(_) => {
                let mut refusals = replica.falsely_refused.lock().unwrap();
                if fits {
                    refusals.add();
                } else {
                    refusals.end();
                }
            }
            // Of the latter, the store is away, and another rule holds.
            Outcome::Passed | Outcome::Unavailable => {
                replica.falsely_refused.lock().unwrap().end();
            }
            Outcome::Lost => return outcome,
        }
        *client = Some(connected);
        outcome
    }

    /// The reference model: whether all that is in flight fits, be it billed already or not.
    fn fits(&self) -> bool {
        let lost = self.held_by_lost.lock().unwrap();
        let held = lost.map_or(
            0,
            |(held, until)| {
                if Instant::now() < until { held } else { 0 }
            },
        );
        let in_flight = self.in_flight.load(Ordering::SeqCst);
        self.load.billed() + held + in_flight * Self::worst_case() <= self.budget
    }

    /// The longest time in which a replica refused what the reference model says fits.
    pub fn longest_false_refusal(&self) -> Duration {
        let longest = self.replicas.iter().map(|replica| {
            let refusals = replica.falsely_refused.lock().unwrap();
            let current = refusals.since.map_or(Duration::ZERO, |it| it.elapsed());
            refusals.longest.max(current)
        });
        longest.max().unwrap_or_default()
    }

    #[track_caller]
    fn assert_no_false_refusal(&self) {
        let longest = self.longest_false_refusal();
        assert!(
            longest <= LONGEST_FALSE_REFUSAL,
            "refused what fits for {longest:?}"
        );
    }

    /// What a replica that is gone has spent, and at most what it may have.
    pub fn take_billed(&self, index: usize) -> u64 {
        self.replicas[index].billed.swap(0, Ordering::SeqCst)
    }

    /// How requests ended.
    pub fn summary(&self) -> String {
        let count = |counter: &AtomicU64| counter.load(Ordering::SeqCst);
        format!(
            "{} passed, {} refused, {} without the store; falsely for {:?} at most",
            count(&self.passed),
            count(&self.refused),
            count(&self.unavailable),
            self.longest_false_refusal()
        )
    }

    /// Checks the bill: the budget, up to `excess` that is documented.
    #[track_caller]
    pub fn check(&self, excess: u64) {
        let billed = self.load.billed();
        let most = self.budget + excess;
        assert!(billed <= most, "{billed} billed of {most}");
        let least = self.budget / 100 * 98;
        assert!(billed >= least, "{billed} billed of {least} at least");
        self.assert_no_false_refusal();
    }
}

/// Ends the callers, also when a wait panics.
struct EndOnDrop<'s>(&'s AtomicBool);

impl Drop for EndOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

// === impl FalseRefusals ===

impl FalseRefusals {
    fn add(&mut self) {
        self.since.get_or_insert_with(Instant::now);
    }

    fn end(&mut self) {
        if let Some(since) = self.since.take() {
            self.longest = self.longest.max(since.elapsed());
        }
    }
}

/// Sends a request and reads all of the response.
#[track_caller]
fn exchange(client: &mut Client, request: &[u8]) -> Outcome {
    if client.try_send(request).is_err() {
        return Outcome::Lost;
    }
    let Some(head) = client.try_head() else {
        return Outcome::Lost;
    };
    let (body, is_complete) = client.read_body();
    if !is_complete {
        return Outcome::Lost;
    }
    match head.status {
        200 => Outcome::Passed,
        429 => Outcome::Refused(serde_json::from_slice(&body).unwrap()),
        503 => {
            let body: Value = serde_json::from_slice(&body).unwrap();
            match body["error"]["code"].as_str() {
                Some("limits_unavailable") => Outcome::Unavailable,
                Some("server_shutting_down") => Outcome::Lost,
                _ => panic!("{body}"),
            }
        }
        status => panic!("{status}: {}", String::from_utf8_lossy(&body)),
    }
}

/// One request of this output to a gateway; false if it is refused.
#[track_caller]
pub fn spend(gateway: &Gateway, output: u32) -> bool {
    let script = Script::new(20, output, Ending::Json);
    let request = script.request_of(KEY, "m", Some(MAX_OUTPUT.max(output)));
    matches!(
        exchange(&mut gateway.client(), &request.bytes()),
        Outcome::Passed
    )
}
