//! Limits of all kinds at once under many clients: none is passed, a refused request
//! counts nothing, and nothing stays reserved however requests end.

use std::io::Read;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use serde_json::Value;

use super::proof_load::{
    Called, Ending, KEY, Load, Script, amount, call, read_first_event, report, used,
};
use crate::support::client::{Client, Request};
use crate::support::gateway::Gateway;
use crate::support::random_json::Rng;
use crate::support::wait;

const OTHER_KEY: &str = "tk-proof-other";
const CALLERS: usize = 32;
/// Permits of which some are always free.
const PLENTY: usize = 64;
const PERMITS: usize = 8;
const REQUESTS: u64 = 150;
const TOKENS: u64 = 8_000;
const MAX_TOKENS: u32 = 64;

/// What one key used of one model, as the upstream reported it.
#[derive(Clone, Copy, Default)]
struct Tally {
    requests: u64,
    tokens: u64,
}

/// Goes on until a limit other than the permits refuses for good.
fn run_caller(gateway: &Gateway, key: &str, model: &str, rng: &mut Rng) -> (Tally, usize) {
    let mut client = gateway.client();
    let (mut tally, mut lacking) = (Tally::default(), 0);
    loop {
        let output = 30 + u32::try_from(rng.below(30)).unwrap();
        let script = Script {
            wave: 1,
            ..Script::new(20, output, Ending::Usage)
        };
        match call(
            &mut client,
            &script.request_of(key, model, Some(MAX_TOKENS)),
        ) {
            Called::Refused(body) if body["error"]["limit"]["of"] == "concurrent" => lacking += 1,
            // What others have reserved may come back.
            Called::Refused(body) if body["error"]["code"] == "rate_limit_exceeded" => {
                assert_eq!(body["error"]["limit"]["of"], "tokens", "{body}");
            }
            Called::Refused(body) => {
                assert_eq!(body["error"]["code"], "insufficient_quota", "{body}");
                return (tally, lacking);
            }
            Called::Passed(head) => {
                assert_eq!(head.status, 200);
                assert!(client.read_body().1);
                tally.requests += 1;
                tally.tokens += u64::from(script.input + script.output);
            }
        }
    }
}

#[track_caller]
fn assert_not_passed(gateway: &Gateway) {
    let report = report(gateway, OTHER_KEY);
    for rule in report["limits"].as_array().unwrap() {
        for amount in rule["amounts"].as_array().unwrap() {
            let number = |member: &str| amount[member].as_str().unwrap().parse::<u64>().unwrap();
            assert!(number("used") <= number("limit"), "{report}");
        }
    }
}

fn start(load: &Load) -> Gateway {
    load.setup()
        .model("n", "up", "real-model")
        .key("other", OTHER_KEY, "")
        .section(&format!("[limits.at-once]\nconcurrent = {PERMITS}"))
        .section(&format!(
            "[limits.calls]\nkeys = [\"proof\"]\nper = [\"key\"]\nrequests = [\"{REQUESTS}/total\"]"
        ))
        .section(&format!(
            "[limits.sizes]\nkeys = [\"other\"]\nper = [\"key\", \"model\"]\nreserve = \"worst\"\n\
             tokens = [\"{TOKENS}/total\"]"
        ))
        .section("[limits.both]\nper = [\"key\"]\nrequests = [\"100000/total\"]")
        .start()
}

#[test]
fn no_limit_is_passed_and_a_refused_request_counts_nothing() {
    let load = Load::start();
    let gateway = start(&load);
    let tallies = Mutex::new([Tally::default(); 3]);
    thread::scope(|scope| {
        let callers = (0..CALLERS).map(|index| {
            let (gateway, tallies) = (&gateway, &tallies);
            scope.spawn(move || {
                let (slot, key, model) = match index % 4 {
                    0 | 1 => (0, KEY, ["m", "n"][index % 2]),
                    2 => (1, OTHER_KEY, "m"),
                    _ => (2, OTHER_KEY, "n"),
                };
                let mut rng = Rng::new(index as u64);
                let (tally, lacking) = run_caller(gateway, key, model, &mut rng);
                let sum = &mut tallies.lock().unwrap()[slot];
                sum.requests += tally.requests;
                sum.tokens += tally.tokens;
                lacking
            })
        });
        let callers: Vec<_> = callers.collect();
        // All permits are held, and the callers beyond them are refused.
        wait::until("all permits to be held, and a refusal", || {
            let refused = [("rule", "at-once")];
            let refused = gateway
                .metrics()
                .sum("trunkline_limit_refused_total", &refused);
            (load.most_in_flight() == PERMITS && refused > Some(0.0)).then_some(())
        });
        load.release(1);
        while !callers.iter().all(thread::ScopedJoinHandle::is_finished) {
            assert_not_passed(&gateway);
        }
        let lacking: usize = callers.into_iter().map(|it| it.join().unwrap()).sum();
        assert!(lacking > 0, "no caller lacked a permit");
    });
    assert_eq!(load.most_in_flight(), PERMITS);
    gateway.wait_until_idle();
    let [calls, sizes @ ..] = tallies.into_inner().unwrap();
    assert_eq!(calls.requests, REQUESTS);
    assert_eq!(used(&gateway, "calls", "requests"), REQUESTS);
    assert_eq!(used(&gateway, "both", "requests"), REQUESTS);
    assert_eq!(used(&gateway, "at-once", "concurrent"), 0);
    let report = report(&gateway, OTHER_KEY);
    let requests: u64 = sizes.iter().map(|it| it.requests).sum();
    assert_eq!(amount(&report, "both", "requests", "used"), requests);
    for (model, sum) in ["m", "n"].into_iter().zip(sizes) {
        let rules = report["limits"].as_array().unwrap();
        let is_of_model = |it: &&Value| it["rule"] == "sizes" && it["model"] == model;
        let rule = rules.iter().find(is_of_model).unwrap();
        assert_eq!(rule["amounts"][0]["used"], sum.tokens.to_string(), "{rule}");
        // A request reserves a token for each byte, and all that it may say.
        assert!((TOKENS - 400..=TOKENS).contains(&sum.tokens), "{rule}");
    }
    gateway.finish_without_errors();
}

/// A way in which a request ends, and whether it counts as one: `None` if that depends on
/// how far it came.
#[derive(Clone, Copy, Debug)]
enum Way {
    /// The response is read to its end.
    Read(Ending),
    /// The client leaves after so many bytes of the response.
    LeaveResponse(usize),
    /// The client leaves after so many bytes of the request.
    LeaveRequest(usize),
    /// The client leaves at the first event.
    LeaveStream,
    /// The client leaves before a response.
    LeaveBefore,
    NoJson,
    NoModel,
    NoKey,
    /// A limit of 0.
    Blocked,
}

impl Way {
    fn pick(rng: &mut Rng) -> Self {
        match rng.below(20) {
            0..=1 => Self::LeaveStream,
            2..=5 => Self::LeaveResponse(rng.below(700)),
            6..=8 => Self::LeaveRequest(rng.below(300)),
            9 => Self::LeaveBefore,
            10 => Self::NoJson,
            11 => Self::NoModel,
            12 => Self::NoKey,
            13 => Self::Blocked,
            14..=15 => Self::Read(Ending::Usage),
            16 => Self::Read(Ending::Json),
            17 => Self::Read(Ending::Silent),
            18 => Self::Read([Ending::Rejected, Ending::Cut][rng.below(2)]),
            _ => Self::Read([Ending::Failed, Ending::Lost][rng.below(2)]),
        }
    }

    /// Sends a request that ends in this way.
    fn run(self, gateway: &Gateway, rng: &mut Rng) {
        let usage = Script::new(20, 40, Ending::Usage).request(Some(MAX_TOKENS));
        match self {
            Self::Read(ending) => {
                let script = Script::new(20, 40, ending);
                let response = send(gateway, &script.request(Some(MAX_TOKENS)));
                assert_eq!(response, self.status(), "{self:?}");
            }
            Self::LeaveResponse(count) => {
                let mut client = gateway.client();
                client.send(&usage.bytes());
                read_bytes(&client, count);
                leave(client, rng);
            }
            Self::LeaveRequest(count) => {
                let mut client = gateway.client();
                let bytes = usage.bytes();
                client.send(&bytes[..count.min(bytes.len() - 1)]);
                leave(client, rng);
            }
            Self::LeaveStream => {
                let mut client = gateway.client();
                client.send(&Script::new(20, 40, Ending::Hang).request(None).bytes());
                assert_eq!(client.head().status, 200);
                read_first_event(&mut client);
                leave(client, rng);
            }
            Self::LeaveBefore => {
                let mut client = gateway.client();
                client.send(&Script::new(20, 40, Ending::Mute).request(None).bytes());
                leave(client, rng);
            }
            Self::NoJson => assert_eq!(send(gateway, &usage.body("{")), 400),
            Self::NoModel => {
                let script = Script::new(20, 40, Ending::Usage);
                assert_eq!(send(gateway, &script.request_of(KEY, "unknown", None)), 404);
            }
            Self::NoKey => {
                let request = usage.without("Authorization").key("wrong");
                assert_eq!(send(gateway, &request), 401);
            }
            Self::Blocked => {
                let script = Script::new(20, 40, Ending::Usage);
                assert_eq!(send(gateway, &script.request_of(KEY, "shut", None)), 403);
            }
        }
    }

    fn status(self) -> u16 {
        match self {
            Self::Read(Ending::Rejected) => 400,
            Self::Read(Ending::Failed) => 500,
            Self::Read(Ending::Lost) => 502,
            _ => 200,
        }
    }

    /// Whether it counts as a request; `None` if it depends on how far it came.
    fn counts(self) -> Option<bool> {
        match self {
            Self::Read(Ending::Failed | Ending::Lost)
            | Self::LeaveRequest(_)
            | Self::NoJson
            | Self::NoModel
            | Self::NoKey
            | Self::Blocked => Some(false),
            Self::Read(_) | Self::LeaveStream => Some(true),
            Self::LeaveResponse(_) | Self::LeaveBefore => None,
        }
    }
}

/// The status of a response that is read to its end, whether or not that is cut.
fn send(gateway: &Gateway, request: &Request) -> u16 {
    let mut client = gateway.client();
    client.send(&request.bytes());
    let head = client.head();
    client.read_body();
    head.status
}

/// Reads up to `count` bytes.
fn read_bytes(client: &Client, count: usize) {
    let mut bytes = Vec::new();
    let mut socket = client.socket().take(count as u64);
    let mut chunk = [0; 64];
    while !bytes.ends_with(b"0\r\n\r\n") {
        match socket.read(&mut chunk) {
            Ok(0) | Err(_) => return,
            Ok(read) => bytes.extend(&chunk[..read]),
        }
    }
}

fn leave(client: Client, rng: &mut Rng) {
    if rng.below(2) == 0 {
        client.reset();
    }
}

#[test]
fn nothing_stays_reserved_however_a_thousand_requests_end() {
    const COUNT: usize = 1_000;
    let load = Load::start();
    let gateway = load
        .setup()
        .model("shut", "up", "real-model")
        .section("[limits.shut]\nmodels = [\"shut\"]\nrequests = [\"0/day\"]")
        .section(&format!(
            "[limits.at-once]\nper = [\"team\"]\nconcurrent = {PLENTY}"
        ))
        .section(
            "[limits.amounts]\nper = [\"key\"]\nrequests = [\"1000000/total\"]\n\
             tokens = [\"1000000000/total\"]\nbudget = [\"1000000/total\"]",
        )
        .start();
    let next = AtomicUsize::new(0);
    let ways = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..CALLERS / 2 {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    if index >= COUNT {
                        return;
                    }
                    let mut rng = Rng::new(index as u64 + 1);
                    let way = Way::pick(&mut rng);
                    way.run(&gateway, &mut rng);
                    ways.lock().unwrap().push(way);
                }
            });
        }
    });
    gateway.wait_until_idle();
    let ways = ways.into_inner().unwrap();
    let count = |counts| ways.iter().filter(|way| way.counts() == counts).count() as u64;
    let (certain, possible) = (count(Some(true)), count(Some(true)) + count(None));
    let requests = used(&gateway, "amounts", "requests");
    assert!(
        (certain..=possible).contains(&requests),
        "{requests} of {certain} to {possible}"
    );
    assert_eq!(used(&gateway, "at-once", "concurrent"), 0);
    let reserved = gateway.metrics().sum("trunkline_limit_reserved", &[]);
    assert_eq!(reserved, Some(0.0));
    assert_all_permits_are_free(&gateway);
    gateway.finish_without_errors();
}

/// As many streams as there are permits pass at once, and one more does not.
#[track_caller]
fn assert_all_permits_are_free(gateway: &Gateway) {
    let request = Script::new(20, 40, Ending::Hang).request(None);
    let clients: Vec<Client> = (0..PLENTY)
        .map(|index| {
            let mut client = gateway.client();
            let Called::Passed(head) = call(&mut client, &request) else {
                panic!("only {index} permits are free");
            };
            assert_eq!(head.status, 200);
            client
        })
        .collect();
    let Called::Refused(body) = call(&mut gateway.client(), &request) else {
        panic!("more permits than {PLENTY}");
    };
    assert_eq!(body["error"]["limit"]["of"], "concurrent", "{body}");
    drop(clients);
    gateway.wait_until_idle();
}
