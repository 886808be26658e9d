//! Requests that say which response they get, an upstream that obeys them, and what the
//! gateway reports of the money.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use serde_json::Value;

use crate::support::client::{BodyFrame, Client, Head, Request};
use crate::support::gateway::{Gateway, Setup};
use crate::support::upstream::{Exchange, Upstream, response};
use crate::support::wait::Watched;

pub const KEY: &str = "tk-proof";
/// Picodollars of a token, as [`setup`] prices them.
pub const INPUT_PRICE: u64 = 1_000_000;
pub const OUTPUT_PRICE: u64 = 2_000_000;
pub const DOLLAR: u64 = 1_000_000_000_000;
/// Where a request's script begins.
const MARK: &str = "script=";

/// How a response ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// A stream with its usage in the last event.
    Usage,
    /// A complete stream without usage.
    Silent,
    /// As [`Silent`](Self::Silent), of many events of a word each.
    Chatty,
    /// A stream that stops after its first event, until the gateway leaves.
    Hang,
    /// A stream whose connection ends after its first event.
    Cut,
    /// A 400 of the provider.
    Rejected,
    /// A 500 of the provider.
    Failed,
    /// The connection ends before a response.
    Lost,
    /// A JSON body with its usage.
    Json,
    /// No response until the gateway leaves.
    Mute,
}

/// What the upstream does with a request.
#[derive(Clone, Copy, Debug)]
pub struct Script {
    /// A stream goes on once this wave is [released](Load::release).
    pub wave: usize,
    pub input: u32,
    pub output: u32,
    pub ending: Ending,
}

/// The upstream and what it knows.
pub struct Load {
    pub upstream: Upstream,
    state: Arc<LoadState>,
}

#[derive(Default)]
struct LoadState {
    released: Watched<usize>,
    in_flight: AtomicUsize,
    most_in_flight: AtomicUsize,
    billed: AtomicU64,
}

// === impl Ending ===

impl Ending {
    pub const ALL: [Self; 10] = [
        Self::Usage,
        Self::Silent,
        Self::Chatty,
        Self::Hang,
        Self::Cut,
        Self::Rejected,
        Self::Failed,
        Self::Lost,
        Self::Json,
        Self::Mute,
    ];

    fn is_stream(self) -> bool {
        !matches!(self, Self::Json | Self::Rejected | Self::Failed)
    }
}

// === impl Script ===

impl Script {
    pub fn new(input: u32, output: u32, ending: Ending) -> Self {
        let wave = 0;
        Self {
            wave,
            input,
            output,
            ending,
        }
    }

    /// Of the key [`KEY`] for the model `m`.
    pub fn request(&self, max_tokens: Option<u32>) -> Request {
        self.request_of(KEY, "m", max_tokens)
    }

    /// All requests with the same `model` and `max_tokens` have the same length, but that
    /// a stream's body is a byte shorter.
    pub fn request_of(&self, key: &str, model: &str, max_tokens: Option<u32>) -> Request {
        let ending = Ending::ALL.iter().position(|it| *it == self.ending);
        let script = format!(
            "{MARK}{:04} {:06} {:06} {}",
            self.wave,
            self.input,
            self.output,
            ending.unwrap()
        );
        let limit = max_tokens.map_or_else(String::new, |it| format!(r#""max_tokens":{it},"#));
        let stream = self.ending.is_stream();
        let body = format!(
            r#"{{"model":"{model}","stream":{stream},{limit}"messages":[{{"role":"user","content":"{script}"}}]}}"#
        );
        Request::post("/v1/chat/completions", body).key(key)
    }

    fn read(body: &str) -> Self {
        let (_, text) = body.split_once(MARK).expect("a script");
        let (text, _) = text.split_once('"').expect("the end of a script");
        let mut numbers = text.split(' ').map(|it| it.parse::<usize>().unwrap());
        let mut next = || numbers.next().unwrap();
        Self {
            wave: next(),
            input: next().try_into().unwrap(),
            output: next().try_into().unwrap(),
            ending: Ending::ALL[next()],
        }
    }

    /// Picodollars of its usage.
    pub fn cost(&self) -> u64 {
        u64::from(self.input) * INPUT_PRICE + u64::from(self.output) * OUTPUT_PRICE
    }
}

// === impl Load ===

impl Load {
    pub fn start() -> Self {
        let state = Arc::new(LoadState::default());
        let shared = Arc::clone(&state);
        let upstream = Upstream::start(move |exchange| shared.respond(exchange));
        Self { upstream, state }
    }

    /// A gateway with the model `m`, its price and the key [`KEY`].
    pub fn setup(&self) -> Setup {
        setup(&self.upstream)
    }

    /// Lets the streams of this wave and of earlier ones go on.
    pub fn release(&self, wave: usize) {
        self.state.released.with(|released| *released = wave);
    }

    pub fn await_release(&self, wave: usize) {
        self.state.await_release(wave);
    }

    /// The most requests that were at the upstream at a time.
    pub fn most_in_flight(&self) -> usize {
        self.state.most_in_flight.load(Ordering::SeqCst)
    }

    /// The cost of all usage that it reported, or was about to.
    pub fn billed(&self) -> u64 {
        self.state.billed.load(Ordering::SeqCst)
    }
}

fn setup(upstream: &Upstream) -> Setup {
    Setup::with_upstream(upstream)
        .key("proof", KEY, "team = \"makers\"")
        .section("[prices.\"up/*\"]\ninput = \"1\"\noutput = \"2\"")
        .section("[retry]\nattempts = 1\n[breaker]\nfailures = 0\nerror_rate = 0")
}

// === impl LoadState ===

impl LoadState {
    fn await_release(&self, wave: usize) {
        self.released.wait("the release of a wave", |released| {
            (*released >= wave).then_some(())
        });
    }

    fn respond(&self, exchange: &mut Exchange<'_>) {
        let body = String::from_utf8(exchange.read_body()).unwrap();
        exchange.discard_record();
        let now = self.in_flight.fetch_add(1, Ordering::SeqCst) + 1;
        self.most_in_flight.fetch_max(now, Ordering::SeqCst);
        if let Some(rest) = self.begin(exchange, Script::read(&body)) {
            // The gateway cannot release its permit before it has the rest.
            self.in_flight.fetch_sub(1, Ordering::SeqCst);
            exchange.send(rest);
        } else {
            self.in_flight.fetch_sub(1, Ordering::SeqCst);
        }
    }

    /// Sends all but the end of the response, which it returns.
    fn begin(&self, exchange: &mut Exchange<'_>, script: Script) -> Option<Vec<u8>> {
        let Script { input, output, .. } = script;
        if matches!(script.ending, Ending::Usage | Ending::Json) {
            self.billed.fetch_add(script.cost(), Ordering::SeqCst);
        }
        match script.ending {
            Ending::Rejected => {
                return Some(response::json(
                    "400 Bad Request",
                    r#"{"error":{"message":"no"}}"#,
                ));
            }
            Ending::Failed => {
                let body = r#"{"error":{"message":"down"}}"#;
                return Some(response::json("500 Internal Server Error", body));
            }
            Ending::Lost => {
                exchange.reset();
                return None;
            }
            Ending::Mute => {
                exchange.wait_for_disconnect();
                return None;
            }
            Ending::Json => {
                let usage = format!(r#"{{"prompt_tokens":{input},"completion_tokens":{output}}}"#);
                let body = format!(r#"{{"id":"c","choices":[],"usage":{usage}}}"#);
                return Some(response::json("200 OK", &body));
            }
            Ending::Usage | Ending::Silent | Ending::Chatty | Ending::Hang | Ending::Cut => {}
        }
        exchange.send(
            [
                response::stream_head().into_bytes(),
                response::chunk(response::delta("one")),
            ]
            .concat(),
        );
        self.await_release(script.wave);
        let usage = match script.ending {
            Ending::Hang => {
                exchange.wait_for_disconnect();
                return None;
            }
            Ending::Cut => {
                exchange.close();
                return None;
            }
            Ending::Usage => response::usage(input, output),
            Ending::Chatty => response::delta("word").repeat(usize::try_from(output).unwrap()),
            _ => String::new(),
        };
        let end = [response::finish(), usage, response::DONE.to_owned()].concat();
        Some([response::chunk(end), response::LAST_CHUNK.to_vec()].concat())
    }
}

/// What a caller got.
pub enum Called {
    /// The head of a response that is not an error of a limit; its body is unread.
    Passed(Head),
    /// The body of a 429.
    Refused(Value),
}

/// Sends a request and reads the head, and all of a 429.
#[track_caller]
pub fn call(client: &mut Client, request: &Request) -> Called {
    client.send(&request.bytes());
    let head = client.head();
    if head.status != 429 {
        return Called::Passed(head);
    }
    let (body, complete) = client.read_body();
    assert!(complete);
    Called::Refused(serde_json::from_slice(&body).unwrap())
}

/// Reads the first event of a stream.
#[track_caller]
pub fn read_first_event(client: &mut Client) {
    let BodyFrame::Data(_) = client.next_frame() else {
        panic!("the stream ended at once");
    };
}

/// What `GET /trunkline/limits` says to a key.
#[track_caller]
pub fn report(gateway: &Gateway, key: &str) -> Value {
    let response = gateway.send(&Request::get("/trunkline/limits").key(key));
    assert_eq!(response.status, 200, "{}", response.text());
    response.json()
}

/// A member of an amount of a rule, such as `used` of `requests`.
#[track_caller]
pub fn amount(report: &Value, rule: &str, of: &str, member: &str) -> u64 {
    let rules = report["limits"].as_array().unwrap();
    let rule = rules.iter().find(|it| it["rule"] == rule).unwrap();
    let amounts = rule["amounts"].as_array().unwrap();
    let amount = amounts.iter().find(|it| it["of"] == of).unwrap();
    let text = amount[member]
        .as_str()
        .unwrap_or_else(|| panic!("{member} of {amount}"));
    if of == "budget" {
        picodollars(text)
    } else {
        text.parse().unwrap()
    }
}

/// What is used of an amount, reserved amounts included.
#[track_caller]
pub fn used(gateway: &Gateway, rule: &str, of: &str) -> u64 {
    amount(&report(gateway, KEY), rule, of, "used")
}

/// Picodollars of a decimal text.
#[track_caller]
pub fn picodollars(text: &str) -> u64 {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = format!("{whole}{fraction:0<12}");
    assert!(fraction.len() <= 12, "{text}");
    digits.parse().unwrap()
}

/// A time zone whose day does not end while a test runs.
pub fn time_zone_by_day() -> &'static str {
    let now = std::time::SystemTime::now();
    let since_1970 = now.duration_since(std::time::UNIX_EPOCH).unwrap();
    match since_1970.as_secs() / 3600 % 24 {
        // Five hours west of Greenwich.
        22.. | 0 => "Etc/GMT+5",
        _ => "UTC",
    }
}
