//! The counts of one `usage` object of any API, and what they mean together.

use serde::Deserialize;

use super::{ServiceTier, Usage};

/// The counts of a `usage` object, each as it was spelt; [`UsageReport::usage`] is
/// what they mean together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UsageReport {
    /// Zero where a count is not known.
    counts: [u64; Count::NUMBER],
    /// A bit for each count that is known.
    known: u32,
    pub(super) tier: Option<ServiceTier>,
    /// Something that is not billed by the counts was used.
    pub(super) other_charges: bool,
    /// A count could not be read.
    pub(super) unreadable: bool,
}

#[derive(Clone, Copy)]
pub(super) enum Count {
    Prompt,
    /// `input_tokens`: the whole prompt (Responses API), or without cached tokens
    /// (Anthropic).
    Input,
    Completion,
    Total,
    Cached,
    CacheRead,
    /// Written to a cache, part of the prompt.
    CacheWrite,
    /// The same, next to `input_tokens`.
    CacheCreated,
    /// Of these, by the time that they are kept.
    Created5m,
    Created1h,
    Reasoning,
    /// Within details, of the prompt or the completion.
    Audio,
    Image,
    AudioInput,
    AudioOutput,
    ImageInput,
    ImageOutput,
    Searches,
}

// === impl UsageReport ===

impl UsageReport {
    /// Parses the object at the start of `bytes` and ignores the rest.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let mut report = Self::default();
        if report.read_plain(bytes).is_none() {
            report = Self::parse_any(bytes)?;
        }
        (report.known != 0).then_some(report)
    }

    /// As `parse`, of whatever the object holds.
    pub(super) fn parse_any(bytes: &[u8]) -> Option<Self> {
        let mut json = serde_json::Deserializer::from_slice(bytes);
        Self::deserialize(&mut json).ok()
    }

    /// True if no count is above zero: some upstreams fill in zeros where they do not
    /// count.
    #[must_use]
    pub fn is_zero(&self) -> bool {
        self.counts.iter().all(|count| *count == 0)
    }

    /// The report that stands after a later one of the same response: each counts
    /// from the start and is taken as a whole. One that says less than the earlier
    /// one is ignored.
    #[must_use]
    pub fn replaced_by(self, later: Self) -> Self {
        if later.sides() >= self.sides() {
            later
        } else {
            self
        }
    }

    /// Merges a later event of Anthropic's Messages, in which each count is the total
    /// so far and any may be left out.
    #[must_use]
    pub fn merged_with(mut self, later: Self) -> Self {
        for (count, later) in self.counts.iter_mut().zip(later.counts) {
            if later > 0 {
                *count = later;
            }
        }
        self.known |= later.known;
        self.add_tier(later.tier);
        self.other_charges |= later.other_charges;
        self.unreadable |= later.unreadable;
        self
    }

    pub(super) fn add_tier(&mut self, tier: Option<ServiceTier>) {
        let both = self.tier.zip(tier).map(|(one, other)| one.combined(other));
        self.tier = both.or(self.tier).or(tier);
    }

    /// Sets the tier if the report names none.
    pub fn set_default_tier(&mut self, tier: Option<ServiceTier>) {
        self.tier = self.tier.or(tier);
    }

    /// Notes what the event with the report may not show: `hosted_tool` was used, or
    /// it `is_shortened`.
    pub fn add_hidden_charges(&mut self, hosted_tool: bool, is_shortened: bool) {
        self.other_charges |= hosted_tool && self.get(Count::Searches).is_none()
            || is_shortened && self.tier.is_none();
    }

    /// How many of prompt and completion are known.
    fn sides(&self) -> u8 {
        let usage = self.usage();
        let is_known = |count: Option<u64>| u8::from(count.is_some_and(|count| count > 0));
        is_known(usage.input) + u8::from(usage.billed_output() > 0)
    }

    /// True for a report of the Responses API.
    pub(super) fn is_of_responses(&self) -> bool {
        self.get(Count::Input).is_some() && self.get(Count::Prompt).is_none()
    }

    pub(super) fn add_searches(&mut self, searches: u64) {
        self.raise(Count::Searches, Some(searches));
    }

    pub(super) fn get(&self, count: Count) -> Option<u64> {
        let is_known = self.known & count.bit() != 0;
        self.counts
            .get(count as usize)
            .copied()
            .filter(|_| is_known)
    }

    /// Some upstreams write two spellings, with zero in the one they do not use.
    pub(super) fn raise(&mut self, count: Count, value: Option<u64>) {
        if let (Some(slot), Some(value)) = (self.counts.get_mut(count as usize), value) {
            *slot = (*slot).max(value);
            self.known |= count.bit();
        }
    }

    /// What the counts mean together.
    #[must_use]
    pub fn usage(&self) -> Usage {
        let get = |count| self.get(count);
        let cache_read = get(Count::CacheRead);
        let by_duration = [get(Count::Created5m), get(Count::Created1h)];
        let by_duration: Option<u64> = by_duration
            .into_iter()
            .flatten()
            .reduce(u64::saturating_add);
        let created = get(Count::CacheCreated).max(by_duration);
        // Next to `prompt_tokens`, Anthropic's counts repeat tokens included in it.
        let prompt = get(Count::Prompt).filter(|count| *count > 0);
        let input = get(Count::Input).map(|fresh| {
            let outside = if prompt.is_some() {
                0
            } else {
                let cached = [cache_read, created].into_iter().flatten();
                cached.fold(0, u64::saturating_add)
            };
            fresh.saturating_add(outside)
        });
        Usage {
            input: get(Count::Prompt).max(input),
            output: get(Count::Completion),
            cached: get(Count::Cached).max(cache_read),
            cache_write: get(Count::CacheWrite).max(created),
            cache_write_1h: get(Count::Created1h),
            reasoning: get(Count::Reasoning),
            total: get(Count::Total),
            audio_input: get(Count::AudioInput),
            audio_output: get(Count::AudioOutput),
            image_input: get(Count::ImageInput),
            image_output: get(Count::ImageOutput),
            searches: get(Count::Searches),
            tier: self.tier,
            inexact: self.unreadable
                || self.other_charges
                || by_duration.is_some_and(|sum| sum > 0 && Some(sum) != created),
        }
    }
}

impl Count {
    const NUMBER: usize = Self::Searches as usize + 1;

    const fn bit(self) -> u32 {
        1 << self as u32
    }
}
