//! Durations, sizes and counts.

use std::time::Duration;

use bytesize::ByteSize;

/// Longest duration that can be set. Timers add durations to the clock, and a
/// sum that overflows would stop the process.
const LONGEST: Duration = Duration::from_secs(366 * 24 * 60 * 60);
/// Most of anything that can be counted; semaphores take no more than this.
const MOST: u64 = 10_000_000;
/// Largest size that can be set, in bytes.
const LARGEST: u64 = 1 << 40;

/// A duration, nothing among them.
pub fn duration(text: &str) -> Result<Duration, String> {
    match humantime::parse_duration(text) {
        Ok(duration) if duration > LONGEST => {
            Err("longer than a year; write a shorter time".into())
        }
        Ok(duration) => Ok(duration),
        Err(_) => {
            Err("not a duration; write a number with a unit, such as \"10s\" or \"5m\"".into())
        }
    }
}

/// A duration longer than nothing.
pub fn positive_duration(text: &str) -> Result<Duration, String> {
    match duration(text)? {
        Duration::ZERO => Err("must be longer than nothing, such as \"10s\"".into()),
        duration => Ok(duration),
    }
}

/// A duration longer than nothing, or "off" for no limit.
pub fn optional_duration(text: &str) -> Result<Option<Duration>, String> {
    if text == "off" {
        return Ok(None);
    }
    let off = |text| format!("{text}, or \"off\" for no limit");
    positive_duration(text).map(Some).map_err(off)
}

/// A size in bytes, at least `least`.
pub fn size(text: &str, least: u64) -> Result<usize, String> {
    let size: ByteSize = text
        .parse()
        .map_err(|_| "not a size; write a number with a unit, such as \"64KiB\" or \"32MiB\"")?;
    if size.as_u64() < least {
        return Err(format!("must be at least {}", least_text(least)));
    }
    if size.as_u64() > LARGEST {
        return Err("must be at most \"1TiB\"".into());
    }
    usize::try_from(size.as_u64()).map_err(|_| "more than this machine can address".into())
}

fn least_text(least: u64) -> String {
    match least {
        1 => "\"1B\"".into(),
        _ => format!("\"{}KiB\"", least / 1024),
    }
}

/// A count within these bounds.
pub fn count(number: u64, least: u64) -> Result<usize, String> {
    match usize::try_from(number) {
        Ok(count) if (least..=MOST).contains(&number) => Ok(count),
        _ => Err(format!("must be from {least} to {MOST}")),
    }
}

/// A small number within these bounds.
pub fn within(number: u64, least: u64, most: u64) -> Result<u32, String> {
    match u32::try_from(number) {
        Ok(small) if (least..=most).contains(&number) => Ok(small),
        _ => Err(format!("must be from {least} to {most}")),
    }
}
