//! What an answer says of how long it took (W3C, Server Timing).

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};

use crate::metering::Meter;

/// Read by browsers and by whoever looks for where the time went.
const SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");

/// Room for both words and two times of twenty digits.
const MOST_BYTES: usize = 80;

/// Says how long it took until this answer's head, behind what the upstream
/// says itself.
pub fn tell_times(headers: &mut HeaderMap, meter: &Meter) {
    let (own, upstream) = meter.times();
    if let Ok(value) = HeaderValue::from_bytes(Text::of(own, upstream).bytes()) {
        headers.append(SERVER_TIMING, value);
    }
}

/// The value, put together in place: it is written for every request.
struct Text {
    bytes: [u8; MOST_BYTES],
    /// It is written from its end, as digits come.
    start: usize,
}

impl Text {
    fn of(own: Duration, upstream: Option<Duration>) -> Self {
        let mut text = Self {
            bytes: [0; MOST_BYTES],
            start: MOST_BYTES,
        };
        if let Some(upstream) = upstream {
            text.milliseconds(upstream);
            text.push(b", upstream;dur=");
        }
        text.milliseconds(own);
        text.push(b"trunkline;dur=");
        text
    }

    fn bytes(&self) -> &[u8] {
        self.bytes.get(self.start..).unwrap_or_default()
    }

    fn push(&mut self, word: &[u8]) {
        let start = self.start.saturating_sub(word.len());
        if let Some(place) = self.bytes.get_mut(start..self.start)
            && place.len() == word.len()
        {
            place.copy_from_slice(word);
            self.start = start;
        }
    }

    /// Milliseconds, with microseconds behind the point.
    fn milliseconds(&mut self, time: Duration) {
        // A year's microseconds fit many times over, and 128 bits are slow.
        let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        self.digits(micros % 1000, 3);
        self.push(b".");
        self.digits(micros / 1000, 1);
    }

    /// A number, and at least so many digits of it.
    fn digits(&mut self, mut number: u64, least: usize) {
        let end = self.start;
        while number > 0 || end - self.start < least {
            let Some(place) = self.start.checked_sub(1) else {
                return;
            };
            if let Some(digit) = self.bytes.get_mut(place) {
                *digit = b'0' + (number % 10) as u8;
            }
            number /= 10;
            self.start = place;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Text;

    #[test]
    fn times_are_milliseconds() {
        let micros = Duration::from_micros;
        for (own, upstream, expected) in [
            (micros(0), None, "trunkline;dur=0.000"),
            (micros(7), None, "trunkline;dur=0.007"),
            (
                micros(120),
                Some(micros(1_234_567)),
                "trunkline;dur=0.120, upstream;dur=1234.567",
            ),
            (
                micros(u64::MAX),
                Some(micros(10_000)),
                "trunkline;dur=18446744073709551.615, upstream;dur=10.000",
            ),
        ] {
            let text = Text::of(own, upstream);
            assert_eq!(std::str::from_utf8(text.bytes()), Ok(expected));
        }
        let most = Text::of(micros(u64::MAX), Some(micros(u64::MAX)));
        assert!(most.bytes().starts_with(b"trunkline;dur="));
    }
}
