//! Three targets: one refuses connections, one stalls, one works.

use crate::routing::failover::healthy_upstream;
use crate::support::client::Request;
use crate::support::gateway::{Gateway, Setup};
use crate::support::upstream::{Upstream, refused_base_url, response};

pub struct ThreeTargets {
    pub stalling: Upstream,
    pub fine: Upstream,
    pub gateway: Gateway,
}

impl ThreeTargets {
    /// The model `m` over all three, with non-idempotent retries. `head` is the
    /// stalling target's `response_header` timeout, `retry` further lines of
    /// `[retry]`.
    pub fn start(head: &str, retry: &str) -> Self {
        let stalling = Upstream::start(|exchange| {
            exchange.read_body();
            exchange.wait_for_disconnect();
        });
        let fine = healthy_upstream();
        let head = format!("timeouts = {{ response_header = \"{head}\" }}");
        let gateway = Setup::new()
            .provider("refusing", &refused_base_url(), "")
            .provider("stalling", &stalling.base_url(), &head)
            .provider("fine", &fine.base_url(), "")
            .section(&format!(
                "[retry]\nnon_idempotent = true\n{retry}\n[models.m]\ntargets = [\
                 {{ provider = \"refusing\" }}, {{ provider = \"stalling\" }}, {{ provider = \"fine\" }}]"
            ))
            .start();
        Self {
            stalling,
            fine,
            gateway,
        }
    }

    /// Requests `each` streams from every client; all must arrive complete from the
    /// working target.
    #[track_caller]
    pub fn assert_streams_complete(&self, clients: usize, each: usize) {
        stream_all(&self.gateway, clients, each);
        assert_eq!(self.fine.requests().len(), clients * each);
        // The other two are ejected early, and probed now and then.
        let metrics = self.gateway.metrics();
        for provider in ["refusing", "stalling"] {
            let labels = [("provider", provider)];
            assert_eq!(metrics.sum("trunkline_targets_ejected", &labels), Some(1.0));
        }
        self.gateway.wait_until_idle();
    }
}

/// Requests streams from many clients at once; all must arrive complete.
pub fn stream_all(gateway: &Gateway, clients: usize, each: usize) {
    std::thread::scope(|scope| {
        for _ in 0..clients {
            scope.spawn(|| {
                let mut client = gateway.client();
                for _ in 0..each {
                    client.send(&Request::stream("m").bytes());
                    let response = client.response();
                    assert_eq!(response.status, 200, "{}", response.text());
                    assert!(response.complete && response.text() == good_text());
                }
            });
        }
    });
}

/// The content of [`response::good_stream`].
pub fn good_text() -> String {
    let events = [
        response::delta("one"),
        response::delta("two"),
        response::finish(),
    ];
    events.concat() + response::DONE
}
