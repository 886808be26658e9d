//! Dates in response headers, relative to the server's clock.

use std::time::{Duration, SystemTime};

/// When a response was sent: by the server's clock where it has a `date` (RFC
/// 9110, section 6.6.1), else by the local one. Its other dates go by the same
/// clock, so a wrong clock on either side changes no delay.
#[derive(Debug, Clone, Copy)]
pub struct ServerDate<'h> {
    date: Option<&'h str>,
    local: SystemTime,
}

impl<'h> ServerDate<'h> {
    /// `local` is the local time at which the response arrived.
    #[must_use]
    pub fn new(date: Option<&'h str>, local: SystemTime) -> Self {
        Self { date, local }
    }

    /// Time from then until `date`; zero for the past.
    #[must_use]
    pub fn until(&self, date: SystemTime) -> Duration {
        let sent = self.date.and_then(parse_http_date);
        date.duration_since(sent.unwrap_or(self.local))
            .unwrap_or_default()
    }
}

/// Parses an HTTP date (RFC 9110, section 5.6.7).
#[must_use]
pub fn parse_http_date(text: &str) -> Option<SystemTime> {
    httpdate::parse_http_date(text.trim()).ok()
}
