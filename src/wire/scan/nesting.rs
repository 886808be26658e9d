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

    /// Opens and closes objects, in any order, if those around them are objects too, and
    /// none below `min_depth`; returns whether it did.
    #[inline]
    pub(super) fn step_in_objects(&mut self, opening: u64, closing: u64, min_depth: u32) -> bool {
        let (opened, closed) = (opening.count_ones(), closing.count_ones());
        #[allow(clippy::cast_possible_truncation, reason = "the innermost are enough")]
        let innermost = (self.kinds as u64).trailing_ones();
        let depth = self.depth + opened;
        if closed >= innermost || self.depth < min_depth + closed || depth > MAX_DEPTH {
            return false;
        }
        // At most 64 more, all of them of objects.
        self.kinds = ((self.kinds << opened) | ((1 << opened) - 1)) >> closed;
        self.depth = depth - closed;
        true
    }

    /// How many objects can be closed, the objects around them being left at each, and none
    /// below `min_depth`; and how many can be opened. None can be closed if any bracket
    /// around is that of an array.
    pub(super) fn room_in_objects(self, min_depth: u32) -> (u32, u32) {
        #[allow(clippy::cast_possible_truncation, reason = "the innermost are enough")]
        let innermost = (self.kinds as u64).trailing_ones();
        let above = self.depth.saturating_sub(min_depth);
        let closable = innermost.saturating_sub(1).min(above);
        (closable, MAX_DEPTH.saturating_sub(self.depth))
    }

    /// Opens or closes objects in objects, from so many to so many.
    pub(super) fn set_objects(&mut self, before: u32, after: u32) {
        if after >= before {
            let opened = after - before;
            self.depth += opened;
            self.kinds = (self.kinds << opened) | ((1 << opened) - 1);
        } else {
            let closed = before - after;
            self.depth -= closed;
            self.kinds >>= closed;
        }
    }

    /// Whether an object in an array can be closed, without going below `min_depth`, or
    /// opened.
    pub(super) const fn is_in_objects_of_array(self, min_depth: u32) -> bool {
        if self.in_object() {
            self.kinds & 2 == 0 && self.depth > min_depth
        } else {
            self.depth >= min_depth && self.depth < MAX_DEPTH
        }
    }

    /// Opens or closes an object in an array, unless it is open or closed already.
    pub(super) fn set_in_object(&mut self, in_object: bool) {
        if in_object == self.in_object() {
            return;
        }
        if in_object {
            self.depth += 1;
            self.kinds = (self.kinds << 1) | 1;
        } else {
            self.leave();
        }
    }

    pub(super) const fn in_object(self) -> bool {
        self.kinds & 1 == 1
    }
}
