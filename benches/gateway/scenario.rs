//! What is asked of the gateways.

use std::time::Duration;

use crate::options::Options;
use crate::protocol::{Answer, Transport};

/// One kind of load.
#[derive(Debug, Clone)]
pub struct Scenario {
    pub name: &'static str,
    pub about: String,
    pub transport: Transport,
    pub answer: Answer,
    pub body: usize,
    pub model_first: bool,
    pub connections: usize,
    pub rate: Option<f64>,
    /// One stream for each connection, begun evenly over this time.
    pub spread: Option<Duration>,
    /// Aliases, and as many client keys where that is the point.
    pub names: usize,
    pub keys: bool,
    pub window: Duration,
    pub kind: Kind,
}

/// Which figures matter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// As many requests as will go: what one costs.
    Requests,
    /// Requests at an even rate: how long one takes.
    Even,
    /// Streams as fast as they will go: what a chunk costs.
    Burst,
    /// Paced streams: what a chunk costs and how long it takes.
    Paced,
    /// Open streams with little to say: what one holds.
    Open,
}

const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;
const LONG_BODY: usize = 256 * KIB;
const LONGEST_BODY: usize = 8 * MIB;

impl Scenario {
    fn new(name: &'static str, about: &str, options: &Options) -> Self {
        Self {
            name,
            about: about.to_owned(),
            transport: Transport::Plain,
            answer: Answer::Unary,
            body: KIB,
            model_first: false,
            connections: if options.quick { 8 } else { 64 },
            rate: None,
            spread: None,
            names: 1,
            keys: false,
            window: options.window(),
            kind: Kind::Requests,
        }
    }

    fn streams(mut self, connections: usize, gap: Duration, spread: Duration) -> Self {
        // Long enough that every stream is still open when the window closes.
        let lasts = spread * 2 + self.window + Duration::from_secs(1);
        let chunks = lasts.as_secs_f64() / gap.as_secs_f64();
        self.connections = connections;
        self.answer = Answer::Stream {
            chunks: chunks.ceil() as u32 + 1,
            gap,
        };
        self.spread = Some(spread);
        self
    }

    /// Descriptors that a gateway needs, one each side.
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
    ]
    .concat()
}

fn small(options: &Options) -> Vec<Scenario> {
    vec![
        Scenario::new(
            "small",
            "request and answer of 1 KiB, as many as will go",
            options,
        ),
        Scenario {
            rate: Some(if options.quick { 200.0 } else { 2000.0 }),
            connections: 32,
            kind: Kind::Even,
            ..Scenario::new(
                "even",
                "request and answer of 1 KiB, 2,000 a second",
                options,
            )
        },
    ]
}

fn bodies(options: &Options) -> Vec<Scenario> {
    let body = |name, about: &str, body, connections| Scenario {
        body,
        connections,
        ..Scenario::new(name, about, options)
    };
    let connections = if options.quick { 4 } else { 16 };
    let mut bodies = vec![
        body(
            "body-256k",
            "request of 256 KiB, model behind the messages",
            LONG_BODY,
            connections,
        ),
        body(
            "body-8m",
            "request of 8 MiB, model behind the messages",
            LONGEST_BODY,
            2,
        ),
    ];
    bodies.push(Scenario {
        name: "body-8m-first",
        about: "request of 8 MiB, model before the messages".to_owned(),
        model_first: true,
        ..bodies[1].clone()
    });
    bodies
}

fn streams(options: &Options) -> Vec<Scenario> {
    let burst = Scenario {
        answer: Answer::Stream {
            chunks: 64,
            gap: Duration::ZERO,
        },
        connections: if options.quick { 4 } else { 32 },
        kind: Kind::Burst,
        ..Scenario::new(
            "burst",
            "streams of 64 chunks as fast as they will go",
            options,
        )
    };
    vec![burst, paced(options), open(options)]
}

fn variants(options: &Options) -> Vec<Scenario> {
    let named = |name, about: &str, names| Scenario {
        names,
        keys: true,
        ..Scenario::new(name, about, options)
    };
    let secured = |name, about: &str, transport| Scenario {
        transport,
        ..Scenario::new(name, about, options)
    };
    let many = if options.quick { 500 } else { 10_000 };
    vec![
        named("names-1", "as small, with 1 alias and client key", 1),
        named(
            "names-10000",
            "as small, with 10,000 aliases and client keys, called in turn",
            many,
        ),
        secured(
            "tls-http1",
            "as small, the upstream behind TLS, HTTP/1.1",
            Transport::TlsHttp1,
        ),
        secured(
            "tls-http2",
            "as small, the upstream behind TLS, HTTP/2",
            Transport::TlsHttp2,
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
        ..Scenario::new("open", "5,000 streams, one chunk a second", options)
    }
    .streams(
        count,
        Duration::from_millis(gap),
        Duration::from_millis(spread),
    )
}
