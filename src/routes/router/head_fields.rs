//! The header fields that every request is checked by.

use std::ptr;

use http::header::{CONTENT_LENGTH, CONTENT_TYPE, EXPECT, HOST, ORIGIN, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::access::CREDENTIAL_HEADERS;
use crate::proxy::PROVIDER;

/// Headers of which one program reads the first and another the last, so that they may
/// disagree on what the request is; likewise the headers of credentials. hyper merges
/// equal lengths and rejects others (RFC 9110, section 8.6), over HTTP/1 at least; `host`
/// has an error of its own.
const SINGLE_HEADERS: [HeaderName; 4] = [CONTENT_LENGTH, CONTENT_TYPE, ORIGIN, PROVIDER];

fn is_single(name: &HeaderName) -> bool {
    SINGLE_HEADERS.contains(name) || CREDENTIAL_HEADERS.contains(name)
}

/// The fields that are checked in every request, found in one pass: a lookup for
/// each took several times as long.
#[derive(Default)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "each is an independent finding"
)]
pub(super) struct HeadFields<'h> {
    pub origin: Option<&'h HeaderValue>,
    pub host: Option<&'h HeaderValue>,
    has_several_hosts: bool,
    /// A header that was sent more than once although [`is_single`].
    pub repeated: Option<&'h HeaderName>,
    pub has_unknown_coding: bool,
    pub has_unknown_expectation: bool,
    pub names_provider: bool,
}

impl<'h> HeadFields<'h> {
    pub(super) fn from_headers(headers: &'h HeaderMap) -> Self {
        let mut fields = Self::default();
        let mut previous: Option<&HeaderName> = None;
        for (name, value) in headers {
            // The map has one name for all of its values, and returns them in a row.
            let is_repeated = previous.is_some_and(|previous| ptr::eq(previous, name));
            previous = Some(name);
            if is_repeated && is_single(name) {
                fields.repeated = Some(name);
            }
            if *name == HOST {
                fields.has_several_hosts |= fields.host.replace(value).is_some();
            } else if *name == ORIGIN {
                fields.origin = fields.origin.or(Some(value));
            } else if *name == TRANSFER_ENCODING {
                // hyper accepts any list that ends in "chunked"; an upstream
                // might not. Two fields are a list.
                let is_chunked = value.as_bytes().eq_ignore_ascii_case(b"chunked");
                fields.has_unknown_coding |= !is_chunked || is_repeated;
            } else if *name == EXPECT {
                let known = value.as_bytes().eq_ignore_ascii_case(b"100-continue");
                fields.has_unknown_expectation |= !known;
            } else if *name == PROVIDER {
                fields.names_provider = true;
            }
        }
        fields
    }

    pub(super) fn single_host(&self) -> Option<&'h str> {
        let host = self.host.filter(|_| !self.has_several_hosts)?;
        host.to_str().ok()
    }
}
