//! About how many tokens the deltas of a stream have, where no usage says it.

/// Bytes of an event's data with a delta: below are pings and ends; above, copies of the
/// whole response, as the Responses API sends them.
const DELTA_BYTES: std::ops::RangeInclusive<usize> = 40..=4096;
/// Most of an event that is not its text: ids, and the name of the model.
const MAX_OVERHEAD: u64 = 300;
/// English text and code.
const BYTES_PER_TOKEN: u64 = 4;

/// The sizes of the events so far.
#[derive(Debug, Default)]
pub(super) struct DeltaSize {
    events: u64,
    bytes: u64,
    /// The smallest one has hardly any text: what is in it is in all of them.
    smallest: u64,
}

impl DeltaSize {
    /// `bytes` of the data of an event.
    pub(super) fn add(&mut self, bytes: usize) {
        if DELTA_BYTES.contains(&bytes) {
            let bytes = bytes as u64;
            self.smallest = match self.events {
                0 => bytes,
                _ => self.smallest.min(bytes),
            };
            self.events += 1;
            self.bytes += bytes;
        }
    }

    /// At least one for each event.
    pub(super) fn tokens(&self) -> u64 {
        let overhead = self.events * self.smallest.min(MAX_OVERHEAD);
        self.events + self.bytes.saturating_sub(overhead) / BYTES_PER_TOKEN
    }
}

#[cfg(test)]
mod tests {
    use super::DeltaSize;

    fn tokens(sizes: &[usize]) -> u64 {
        let mut deltas = DeltaSize::default();
        for size in sizes {
            deltas.add(*size);
        }
        deltas.tokens()
    }

    #[test]
    fn the_overhead_of_events_is_no_text() {
        assert_eq!(tokens(&[]), 0);
        // A token in each.
        assert_eq!(tokens(&[250, 251, 253, 250]), 5);
        // Sentences.
        assert_eq!(tokens(&[100, 300, 500]), 3 + 150);
        // All of the text in one.
        assert_eq!(tokens(&[2300]), 1 + 500);
        // Neither a ping, nor a copy of the response.
        assert_eq!(tokens(&[16, 100_000]), 0);
    }
}
