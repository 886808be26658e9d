//! What every request must have, whatever its route.

use http::uri::Authority;
use http::{Method, Request, StatusCode, Version};

use super::head_fields::HeadFields;
use super::strip_root_path;
use crate::error_response::{self, ErrorResponse};
use crate::routes::context::HttpContext;

pub(super) fn check<B>(
    context: &HttpContext,
    request: &Request<B>,
    fields: &HeadFields<'_>,
) -> Result<(), ErrorResponse> {
    if fields.has_unknown_coding {
        return Err(error_response::unsupported_transfer_encoding());
    }
    if let Some(name) = fields.repeated {
        return Err(error_response::repeated_header(name));
    }
    if fields.has_unknown_expectation {
        return Err(error_response::expectation_failed());
    }
    if request.method() == Method::CONNECT {
        return Err(error_response::connect_not_supported());
    }
    let target = request.uri().authority().map(Authority::as_str);
    let host = match request.version() {
        // The field stands in for a missing `:authority`, and must not differ from it
        // (RFC 9113, section 8.3.1).
        Version::HTTP_2 => match target {
            Some(target) if fields.host.is_none() => Some(target),
            Some(target) => fields.single_host().filter(|host| *host == target),
            None => fields.single_host(),
        },
        // A host in the target takes precedence over the field, which must be
        // present nevertheless (RFC 9112, section 3.2.2).
        _ => fields.single_host().map(|host| target.unwrap_or(host)),
    };
    // Health checks come by any name or address, and by HTTP/1.0 without a name.
    let is_health = || strip_root_path(&context.root_path, request.uri().path()) == "/health";
    match host {
        None if request.version() == Version::HTTP_10 && fields.host.is_none() && is_health() => {
            Ok(())
        }
        None => Err(error_response::invalid_host()),
        Some(host) => match context.hosts.admit(host) {
            Err(error) if error.status == StatusCode::FORBIDDEN && is_health() => Ok(()),
            admitted => admitted,
        },
    }
}
