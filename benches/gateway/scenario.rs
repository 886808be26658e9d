//! The scenarios.

use std::time::Duration;

use crate::corpus::Content;
use crate::options::Options;
use crate::protocol::{RequestShape, ResponseKind, Transport};

#[derive(Debug, Clone)]
pub struct Scenario {
    pub name: &'static str,
    pub description: String,
    pub transport: Transport,
    pub response: ResponseKind,
    pub body: RequestShape,
    pub connections: usize,
    pub rate: Option<f64>,
    /// One stream per connection, started evenly over this time.
    pub spread: Option<Duration>,
    /// The number of aliases and, with `keys`, of client keys.
    pub alias_count: usize,
    pub keys: bool,
    pub limits: Limits,
    pub window: Duration,
    pub kind: Kind,
}

/// Limits of clients, which none of the requests reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limits {
    None,
    OfProcess,
    /// Over all replicas, by a store.
    OverReplicas,
}

/// The figures that matter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Requests at full speed: the cost of one.
    Requests,
    /// Requests with a large body: also the memory of one in flight.
    LargeRequests,
    /// Requests at an even rate: the latency of one.
    Even,
    /// As [`Even`](Self::Even): also what the store does.
    Leases,
    /// Streams at full speed: the cost of a chunk.
    Burst,
    /// Paced streams: cost and delay of a chunk.
    Paced,
    /// Open streams with little traffic: the memory of one.
    Open,
}

const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;
const LONG_BODY: usize = 256 * KIB;
const LONGEST_BODY: usize = 8 * MIB;

/// Bodies as clients of today send them.
const CONVERSATIONS: [(&str, &str, Content, usize); 6] = [
    (
        "agent-60k",
        "a coding agent's request of 62 KB",
        Content::Agent,
        62_000,
    ),
    (
        "agent-400k",
        "a coding agent's request of 421 KB",
        Content::Agent,
        421_000,
    ),
    (
        "agent-1500k",
        "a coding agent's request of 1.5 MB",
        Content::Agent,
        1_500_000,
    ),
    (
        "image-2m",
        "request of 2 MB, one picture",
        Content::Picture,
        2_000_000,
    ),
    (
        "messages-250k",
        "request of 253 KB, some 4,000 short messages",
        Content::ShortMessages,
        253_000,
    ),
    (
        "prose-256k",
        "request of 256 KiB, an escape in every 40 bytes",
        Content::Prose,
        LONG_BODY,
    ),
];

impl Scenario {
    fn new(name: &'static str, description: &str, options: &Options) -> Self {
        Self {
            name,
            description: description.to_owned(),
            transport: Transport::Plain,
            response: ResponseKind::Unary,
            body: RequestShape {
                length: KIB,
                content: None,
                model_first: false,
            },
            connections: if options.quick { 8 } else { 64 },
            rate: None,
            spread: None,
            alias_count: 1,
            keys: false,
            limits: Limits::None,
            window: options.window(),
            kind: Kind::Requests,
        }
    }

    fn streams(mut self, connections: usize, gap: Duration, spread: Duration) -> Self {
        // Long enough that every stream is still open at the end of the window.
        let duration = spread * 2 + self.window + Duration::from_secs(1);
        let chunks = duration.as_secs_f64() / gap.as_secs_f64();
        self.connections = connections;
        self.response = ResponseKind::Stream {
            chunks: chunks.ceil() as u32 + 1,
            gap,
        };
        self.spread = Some(spread);
        self
    }

    /// Length of every request body.
    pub fn body_length(&self) -> usize {
        self.body.body_length(self.response.is_stream())
    }

    /// Descriptors that a gateway needs, one per side.
    pub fn open_files(&self) -> usize {
        self.connections * 2 + 256
    }
}

/// Every scenario, scaled down for the short run.
pub fn all(options: &Options) -> Vec<Scenario> {
    [
        small(options),
        bodies(options),
        streams(options),
        variants(options),
        limited(options),
    ]
    .concat()
}

fn small(options: &Options) -> Vec<Scenario> {
    vec![
        Scenario::new(
            "small",
            "request and response of 1 KiB, at full speed",
            options,
        ),
        Scenario {
            rate: Some(if options.quick { 200.0 } else { 2000.0 }),
            connections: 32,
            kind: Kind::Even,
            ..Scenario::new(
                "even",
                "request and response of 1 KiB, 2,000 per second",
                options,
            )
        },
    ]
}

fn bodies(options: &Options) -> Vec<Scenario> {
    let body = |name, description: &str, length, connections| {
        let scenario = Scenario::new(name, description, options);
        Scenario {
            body: RequestShape {
                length,
                ..scenario.body
            },
            connections,
            kind: Kind::LargeRequests,
            ..scenario
        }
    };
    let connections = if options.quick { 4 } else { 16 };
    let mut bodies = vec![
        body(
            "body-256k",
            "request of 256 KiB, model after the messages",
            LONG_BODY,
            connections,
        ),
        body(
            "body-8m",
            "request of 8 MiB, model after the messages",
            LONGEST_BODY,
            2,
        ),
    ];
    let mut first = Scenario {
        name: "body-8m-first",
        description: "request of 8 MiB, model before the messages".to_owned(),
        ..bodies[1].clone()
    };
    first.body.model_first = true;
    bodies.push(first);
    let connections = if options.quick { 2 } else { 8 };
    for (name, description, content, length) in CONVERSATIONS {
        let mut scenario = body(name, description, length, connections);
        scenario.body.content = Some(content);
        bodies.push(scenario);
    }
    bodies
}

fn streams(options: &Options) -> Vec<Scenario> {
    let burst = Scenario {
        response: ResponseKind::Stream {
            chunks: 64,
            gap: Duration::ZERO,
        },
        connections: if options.quick { 4 } else { 32 },
        kind: Kind::Burst,
        ..Scenario::new("burst", "streams of 64 chunks at full speed", options)
    };
    vec![burst, paced(options), open(options)]
}

fn variants(options: &Options) -> Vec<Scenario> {
    let named = |name, description: &str, alias_count| Scenario {
        alias_count,
        keys: true,
        ..Scenario::new(name, description, options)
    };
    let with_tls = |name, description: &str, transport| Scenario {
        transport,
        ..Scenario::new(name, description, options)
    };
    let many = if options.quick { 500 } else { 10_000 };
    vec![
        named("names-1", "as small, with 1 alias and client key", 1),
        named(
            "names-10000",
            "as small, with 10,000 aliases and client keys, called in turn",
            many,
        ),
        with_tls(
            "tls-http1",
            "as small, the upstream over TLS, HTTP/1.1",
            Transport::TlsHttp1,
        ),
        with_tls(
            "tls-http2",
            "as small, the upstream over TLS, HTTP/2",
            Transport::TlsHttp2,
        ),
    ]
}

/// Requests of clients with a rule for each key: a rate, and a budget of a day.
fn limited(options: &Options) -> Vec<Scenario> {
    let many = if options.quick { 500 } else { 5_000 };
    let scenario = |name, description: &str, alias_count, limits, rate: f64| Scenario {
        alias_count,
        keys: true,
        limits,
        rate: Some(if options.quick { 200.0 } else { rate }),
        connections: 32,
        kind: if limits == Limits::OverReplicas {
            Kind::Leases
        } else {
            Kind::Even
        },
        ..Scenario::new(name, description, options)
    };
    let (none, own, shared) = (Limits::None, Limits::OfProcess, Limits::OverReplicas);
    vec![
        scenario("keys-even", "as even, 100 client keys", 100, none, 2_000.0),
        scenario(
            "limits-even",
            "as keys-even, with limits of two amounts for each key",
            100,
            own,
            2_000.0,
        ),
        scenario(
            "leases-even",
            "as limits-even, over replicas, by a store",
            100,
            shared,
            2_000.0,
        ),
        scenario(
            "limits-10000",
            "5,000 client keys with limits of two amounts, each called once a second",
            many,
            own,
            5_000.0,
        ),
        scenario(
            "leases-10000",
            "as limits-10000, over replicas, by a store: 10,000 leases in use",
            many,
            shared,
            5_000.0,
        ),
    ]
}

fn paced(options: &Options) -> Scenario {
    let (count, spread) = if options.quick {
        (50, 100)
    } else {
        (500, 1000)
    };
    Scenario {
        kind: Kind::Paced,
        ..Scenario::new("paced", "500 streams, 20 ms between chunks", options)
    }
    .streams(
        count,
        Duration::from_millis(20),
        Duration::from_millis(spread),
    )
}

fn open(options: &Options) -> Scenario {
    let (count, spread, gap) = if options.quick {
        (200, 200, 100)
    } else {
        (5000, 2000, 1000)
    };
    Scenario {
        kind: Kind::Open,
        window: options.window().max(Duration::from_millis(gap)),
        ..Scenario::new("open", "5,000 streams, one chunk per second", options)
    }
    .streams(
        count,
        Duration::from_millis(gap),
        Duration::from_millis(spread),
    )
}
