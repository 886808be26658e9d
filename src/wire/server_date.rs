//! Dates that an answer names, and how far off they are.

use std::time::{Duration, SystemTime};

/// The moment of an answer: by its sender's clock where it says so (`date`, RFC
/// 9110, section 6.6.1), since that is what its dates go by, else by ours. So a
/// clock that is wrong, here or there, makes no wait longer or shorter.
#[derive(Debug, Clone, Copy)]
pub struct Moment<'h> {
    date: Option<&'h str>,
    ours: SystemTime,
}

impl<'h> Moment<'h> {
    /// The moment of an answer that has this `date` and comes at `ours` by our
    /// own clock.
    #[must_use]
    pub fn new(date: Option<&'h str>, ours: SystemTime) -> Self {
        Self { date, ours }
    }

    /// How long it is from then until `date`; nothing for what has passed.
    #[must_use]
    pub fn until(&self, date: SystemTime) -> Duration {
        let told = self.date.and_then(read);
        date.duration_since(told.unwrap_or(self.ours))
            .unwrap_or_default()
    }
}

/// A date as HTTP writes it (RFC 9110, section 5.6.7).
#[must_use]
pub fn read(text: &str) -> Option<SystemTime> {
    httpdate::parse_http_date(text.trim()).ok()
}
