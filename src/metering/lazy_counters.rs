//! Counters that are created at their first increment.

use std::cell::OnceCell;

use metrics::Counter;

use crate::telemetry::metric::label::token_kind;
use crate::wire::usage::Usage;

/// Counters of one metric by the index of their label's value, each registered
/// at its first increment.
#[derive(Debug)]
pub(super) struct LazyCounters<const N: usize>([OnceCell<Counter>; N]);

// === impl LazyCounters ===

impl<const N: usize> Default for LazyCounters<N> {
    fn default() -> Self {
        Self(std::array::from_fn(|_| OnceCell::new()))
    }
}

impl<const N: usize> LazyCounters<N> {
    #[inline]
    pub(super) fn add(&self, index: usize, count: u64, register: impl FnOnce() -> Counter) {
        if let Some(cell) = self.0.get(index) {
            cell.get_or_init(register).increment(count);
        }
    }
}

impl LazyCounters<5> {
    /// Counts tokens by kind; `register` gets the kind's label.
    pub(super) fn add_usage(&self, usage: &Usage, register: impl Fn(&'static str) -> Counter) {
        let kinds = [
            (token_kind::INPUT, usage.input),
            (token_kind::OUTPUT, usage.output),
            (token_kind::CACHED, usage.cached),
            (token_kind::CACHE_WRITE, usage.cache_write),
            (token_kind::REASONING, usage.reasoning),
        ];
        for (index, (kind, count)) in kinds.into_iter().enumerate() {
            if let Some(count) = count {
                self.add(index, count, || register(kind));
            }
        }
    }
}
