//! Three targets of which one refuses, one stalls and one answers.

use crate::routing::failover::good;
use crate::support::client::Request;
use crate::support::gateway::{Gateway, Setup};
use crate::support::upstream::{Upstream, refused_base_url, reply};

pub struct Trio {
    pub stalling: Upstream,
    pub fine: Upstream,
    pub gateway: Gateway,
}

impl Trio {
    /// The model `m` over all three, which may be tried again whatever happened.
    /// The one that stalls gets so long for a head; `retry` are further lines of
    /// `[retry]`.
    pub fn start(head: &str, retry: &str) -> Self {
        let stalling = Upstream::start(|exchange| {
            exchange.read_body();
            exchange.gateway_left();
        });
        let fine = good();
        let head = format!("timeouts = {{ head = \"{head}\" }}");
        let gateway = Setup::new()
            .provider("refusing", &refused_base_url(), "")
            .provider("stalling", &stalling.base_url(), &head)
            .provider("fine", &fine.base_url(), "")
            .section(&format!(
                "[retry]\nprocessed = true\n{retry}\n[models.m]\ntargets = [\
                 {{ provider = \"refusing\" }}, {{ provider = \"stalling\" }}, {{ provider = \"fine\" }}]"
            ))
            .start();
        Self {
            stalling,
            fine,
            gateway,
        }
    }

    /// Has so many streams asked for by each of so many callers; every one must
    /// come whole, of the one that answers.
    #[track_caller]
    pub fn streams_come_whole(&self, callers: usize, each: usize) {
        stream_all(&self.gateway, callers, each);
        assert_eq!(self.fine.requests().len(), callers * each);
        // The others were left out soon, and are tried out now and then.
        let metrics = self.gateway.metrics();
        for provider in ["refusing", "stalling"] {
            let labels = [("provider", provider)];
            assert_eq!(metrics.sum("trunkline_targets_ejected", &labels), Some(1.0));
        }
        self.gateway.settle();
    }
}

/// Streams from many callers at once; every one must come whole.
pub fn stream_all(gateway: &Gateway, callers: usize, each: usize) {
    std::thread::scope(|scope| {
        for _ in 0..callers {
            scope.spawn(|| {
                let mut client = gateway.client();
                for _ in 0..each {
                    client.send(&Request::stream("m").bytes());
                    let answer = client.answer();
                    assert_eq!(answer.status, 200, "{}", answer.text());
                    assert!(answer.complete && answer.text() == good_text());
                }
            });
        }
    });
}

/// All of a good stream.
pub fn good_text() -> String {
    let events = [reply::delta("one"), reply::delta("two"), reply::finish()];
    events.concat() + reply::DONE
}
