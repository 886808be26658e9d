//! APIs in front of an endpoint of the OpenAI API.

use bytes::Bytes;

use crate::error_response::ErrorResponse;
use crate::wire::endpoint::Endpoint;

/// An API whose requests become requests to an endpoint, with all that holds for these.
/// Its route converts the responses ([`super::BodyConverter`]).
#[derive(Debug)]
pub struct ApiAdapter {
    pub endpoint: Endpoint,
    /// Makes a body of the endpoint out of a body of this API.
    pub convert_body: fn(&[u8]) -> Result<Bytes, ErrorResponse>,
    /// Puts errors of the gateway into the form of this API.
    pub convert_error: fn(ErrorResponse) -> ErrorResponse,
}
