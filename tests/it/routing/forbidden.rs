//! A provider's 403: about the request, or about our key (docs/faults.md#a5).

use crate::routing::failover::in_order;
use crate::support::assert_response;
use crate::support::client::Request;
use crate::support::gateway::Setup;
use crate::support::upstream::{Upstream, response};

const OF_THE_KEY: [&str; 4] = [
    r#"{"error":{"message":"Your API key does not have permission to use the resource."}}"#,
    r#"{"error":{"code":403,"status":"PERMISSION_DENIED","message":"Denied."}}"#,
    r#"{"message":"The security token included in the request is expired"}"#,
    "<html>Forbidden</html>",
];
const OF_THE_REQUEST: [&str; 3] = [
    r#"{"error":{"message":"No access to model `x`","code":"model_not_found"}}"#,
    r#"{"error":{"code":403,"message":"Your input was flagged","metadata":{"reasons":["x"]}}}"#,
    r#"{"error":{"message":"Not here","code":"unsupported_country_region_territory"}}"#,
];

#[test]
fn a5_a_403_for_our_key_counts_as_unauthorized() {
    for body in OF_THE_KEY {
        let upstream = Upstream::with_response(response::json("403 Forbidden", body));
        let gateway = Setup::with_upstream(&upstream).start();
        let result = |result| {
            let labels = [("provider", "up"), ("result", result)];
            gateway.metrics().sum("trunkline_attempts_total", &labels)
        };
        assert_eq!(result("unauthorized"), Some(0.0), "for the first increment");
        let response = gateway.send(&Request::chat("m"));
        assert_response::error(&response, 403, "upstream_forbidden", None);
        assert_eq!(response.header("x-should-retry"), Some("false"));
        let labels = [("provider", "up"), ("result", "unauthorized")];
        gateway.await_metric("trunkline_attempts_total", &labels, 1.0);
        assert!(matches!(result("rejected"), None | Some(0.0)));
    }
}

#[test]
fn a5_a_403_for_the_request_passes() {
    for body in OF_THE_REQUEST {
        let upstream = Upstream::with_response(response::json("403 Forbidden", body));
        let gateway = Setup::with_upstream(&upstream).start();
        let response = gateway.send(&Request::chat("m"));
        assert_eq!((response.status, response.text()), (403, body.to_owned()));
        let labels = [("provider", "up"), ("result", "rejected")];
        gateway.await_metric("trunkline_attempts_total", &labels, 1.0);
        let labels = [("provider", "up"), ("result", "unauthorized")];
        gateway.await_metric("trunkline_attempts_total", &labels, 0.0);
        gateway.await_metric(
            "trunkline_requests_total",
            &[("model", "m"), ("outcome", "client_error")],
            1.0,
        );
    }
}

/// Clients can cause it, so it does not shut others out from the key's other models.
#[test]
fn a5_a_403_ejects_nothing() {
    for body in [OF_THE_KEY[0], OF_THE_REQUEST[0]] {
        let forbids = Upstream::with_response(response::json("403 Forbidden", body));
        let fine = Upstream::with_response(response::completion("hi"));
        let bases = [forbids.base_url(), fine.base_url()];
        let gateway = in_order(&bases, "").start();
        for count in 1..=5 {
            assert_eq!(gateway.send(&Request::chat("m")).status, 200);
            assert_eq!(forbids.requests().len(), count);
        }
    }
}

#[test]
fn a5_a_key_that_is_refused_under_a_good_status_counts_as_unauthorized() {
    for (body, result) in [
        (r#"{"error":{"message":"No","code":401}}"#, "unauthorized"),
        (
            r#"{"error":{"message":"No","code":"invalid_api_key"}}"#,
            "unauthorized",
        ),
        (r#"{"error":{"message":"No","code":403}}"#, "unauthorized"),
        (
            r#"{"error":{"message":"Your input was flagged","code":403}}"#,
            "rejected",
        ),
    ] {
        let refuses = Upstream::with_response(response::json("200 OK", body));
        let fine = Upstream::with_response(response::completion("hi"));
        let bases = [refuses.base_url(), fine.base_url()];
        let gateway = in_order(&bases, "").start();
        let response = gateway.send(&Request::chat("m"));
        assert_eq!(response.status, 200, "{}", response.text());
        assert_eq!(fine.requests().len(), 1, "{body}");
        let labels = [("result", result)];
        gateway.await_metric("trunkline_attempts_total", &labels, 1.0);
    }
}
