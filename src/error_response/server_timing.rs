//! The `Server-Timing` header of responses (W3C, Server Timing).

use std::io::{self, Write};
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};

use crate::metering::Meter;

const SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");

/// Both names, and two durations of the largest size.
const MAX_BYTES: usize = 80;

/// Appends the time until the response head to what the upstream sent itself.
pub fn append_server_timing(headers: &mut HeaderMap, meter: &Meter) {
    let (own, upstream) = meter.times();
    if let Some(value) = value(own, upstream) {
        headers.append(SERVER_TIMING, value);
    }
}

/// Formatted on the stack, since it is written for every request.
fn value(own: Duration, upstream: Option<Duration>) -> Option<HeaderValue> {
    let mut buffer = [0; MAX_BYTES];
    let mut free = buffer.as_mut_slice();
    write(&mut free, "trunkline;dur=", own).ok()?;
    if let Some(upstream) = upstream {
        write(&mut free, ", upstream;dur=", upstream).ok()?;
    }
    let length = MAX_BYTES - free.len();
    HeaderValue::from_bytes(buffer.get(..length)?).ok()
}

/// Writes a duration as milliseconds with three decimals.
#[allow(clippy::mut_mut, reason = "writing advances the slice")]
fn write(free: &mut &mut [u8], name: &str, duration: Duration) -> io::Result<()> {
    // 64 bits hold 580,000 years of microseconds, and 128 bits are slow.
    let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
    let mut digits = itoa::Buffer::new();
    free.write_all(name.as_bytes())?;
    free.write_all(digits.format(micros / 1000).as_bytes())?;
    // A leading 1 keeps the zeros of the decimals; a point replaces it.
    let decimals = digits.format(1000 + micros % 1000);
    free.write_all(b".")?;
    free.write_all(decimals.strip_prefix('1').unwrap_or_default().as_bytes())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::value;

    #[test]
    fn durations_are_milliseconds() {
        let micros = Duration::from_micros;
        for (own, upstream, expected) in [
            (micros(0), None, "trunkline;dur=0.000"),
            (micros(7), None, "trunkline;dur=0.007"),
            (micros(1_111), None, "trunkline;dur=1.111"),
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
            let value = value(own, upstream).unwrap();
            assert_eq!(value, expected);
        }
        let longest = value(micros(u64::MAX), Some(micros(u64::MAX))).unwrap();
        assert!(longest.as_bytes().starts_with(b"trunkline;dur="));
    }
}
