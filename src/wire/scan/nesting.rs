//! The open brackets.

/// Limit of nested objects and arrays. `serde_json` has the same one, and so have
/// many upstreams and SDKs.
pub(super) const MAX_DEPTH: u32 = 127;

/// The open brackets: one bit each, so that no input can grow a stack.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Nesting {
    depth: u32,
    /// The lowest bit is the innermost bracket; it is set for an object.
    kinds: u128,
}

impl Nesting {
    pub(super) const fn depth(self) -> u32 {
        self.depth
    }

    /// Returns false above [`MAX_DEPTH`].
    #[must_use]
    pub(super) fn enter(&mut self, object: bool) -> bool {
        self.depth += 1;
        self.kinds = (self.kinds << 1) | u128::from(object);
        self.depth <= MAX_DEPTH
    }

    pub(super) fn leave(&mut self) {
        self.depth = self.depth.saturating_sub(1);
        self.kinds >>= 1;
    }

    pub(super) const fn in_object(self) -> bool {
        self.kinds & 1 == 1
    }
}
