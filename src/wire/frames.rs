//! A buffered body, in the frames in which it arrived.

use std::borrow::Cow;
use std::ops::Range;
use std::slice;

use bytes::Bytes;

/// A body in one frame, as most are, or in several. A clone copies no bytes.
#[derive(Clone, Debug)]
pub struct Frames(Parts);

#[derive(Clone, Debug)]
enum Parts {
    One(Bytes),
    /// None is empty.
    Several(Vec<Bytes>),
}

impl Frames {
    #[must_use]
    pub fn len(&self) -> usize {
        self.iter().map(Bytes::len).sum()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        match &self.0 {
            Parts::One(frame) => frame.is_empty(),
            Parts::Several(frames) => frames.is_empty(),
        }
    }

    pub fn iter(&self) -> slice::Iter<'_, Bytes> {
        match &self.0 {
            Parts::One(frame) => slice::from_ref(frame).iter(),
            Parts::Several(frames) => frames.iter(),
        }
    }

    /// The whole body. Several frames are copied, at each call: a copy that was kept
    /// would be held as long as the request.
    #[must_use]
    pub fn text(&self) -> Cow<'_, [u8]> {
        match &self.0 {
            Parts::One(frame) => Cow::Borrowed(frame),
            Parts::Several(frames) => Cow::Owned(frames.concat()),
        }
    }

    /// The whole body, joined if it has several frames.
    #[must_use]
    pub fn into_bytes(self) -> Bytes {
        match self.0 {
            Parts::One(frame) => frame,
            Parts::Several(frames) => frames.concat().into(),
        }
    }

    /// The parts of the frames in a range of the body; none is empty.
    pub fn slices(&self, range: Range<usize>) -> impl Iterator<Item = Bytes> {
        self.within(range).map(|(frame, range)| frame.slice(range))
    }

    /// Whether this range of the body has these bytes.
    #[must_use]
    pub fn has_at(&self, range: Range<usize>, bytes: &[u8]) -> bool {
        let mut rest = Some(bytes);
        for (frame, range) in self.within(range) {
            let part = frame.get(range).unwrap_or_default();
            rest = rest.and_then(|rest| rest.strip_prefix(part));
        }
        rest.is_some_and(<[u8]>::is_empty)
    }

    /// Copies what is at this offset of the body; returns how many bytes there were.
    pub fn copy_from(&self, start: usize, into: &mut [u8]) -> usize {
        let mut copied = 0;
        for (frame, range) in self.within(start..start.saturating_add(into.len())) {
            let part = frame.get(range).unwrap_or_default();
            if let Some(into) = into.get_mut(copied..copied + part.len()) {
                into.copy_from_slice(part);
                copied += part.len();
            }
        }
        copied
    }

    /// The frames in a range of the body, and what of each is in it.
    fn within(&self, range: Range<usize>) -> impl Iterator<Item = (&Bytes, Range<usize>)> {
        let mut start = 0;
        self.iter().filter_map(move |frame| {
            let (from, to) = (start, start + frame.len());
            start = to;
            let overlap = range.start.max(from)..range.end.min(to);
            (overlap.start < overlap.end).then(|| (frame, overlap.start - from..overlap.end - from))
        })
    }
}

impl Default for Frames {
    fn default() -> Self {
        Self::from(Bytes::new())
    }
}

impl<'f> IntoIterator for &'f Frames {
    type Item = &'f Bytes;
    type IntoIter = slice::Iter<'f, Bytes>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl From<Bytes> for Frames {
    fn from(frame: Bytes) -> Self {
        Self(Parts::One(frame))
    }
}

/// Empty frames are left out.
impl From<Vec<Bytes>> for Frames {
    fn from(mut frames: Vec<Bytes>) -> Self {
        frames.retain(|frame| !frame.is_empty());
        if frames.len() > 1 {
            return Self(Parts::Several(frames));
        }
        Self::from(frames.pop().unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use proptest::prelude::*;

    use super::Frames;

    fn frames(parts: &[&'static str]) -> Frames {
        let parts = parts.iter().map(|part| Bytes::from_static(part.as_bytes()));
        Frames::from(parts.collect::<Vec<_>>())
    }

    #[test]
    fn one_frame_is_never_copied() {
        let body = Bytes::from_static(b"body");
        for frames in [
            Frames::from(body.clone()),
            Frames::from(vec![Bytes::new(), body.clone(), Bytes::new()]),
        ] {
            assert_eq!(frames.iter().count(), 1);
            assert_eq!(frames.text().as_ptr(), body.as_ptr());
            assert_eq!(frames.into_bytes().as_ptr(), body.as_ptr());
        }
    }

    #[test]
    fn a_body_without_bytes_is_empty() {
        for empty in [Frames::default(), frames(&[]), frames(&["", ""])] {
            assert!(empty.is_empty());
            assert_eq!((empty.len(), &*empty.text()), (0, &b""[..]));
            assert!(empty.has_at(0..0, b"") && !empty.has_at(0..0, b"a"));
        }
        assert!(!frames(&["", "a", "b"]).is_empty());
    }

    proptest! {
        #[test]
        fn ranges_are_those_of_the_joined_body(
            parts in prop::collection::vec("[ab]{0,3}", 0..6),
            (start, length) in (0_usize..20, 0_usize..20),
        ) {
            let joined = parts.concat();
            let parts: Vec<Bytes> = parts.into_iter().map(Bytes::from).collect();
            let frames = Frames::from(parts);
            prop_assert_eq!(frames.len(), joined.len());
            prop_assert_eq!(&*frames.text(), joined.as_bytes());
            let start = start.min(joined.len());
            let range = start..(start + length).min(joined.len());
            let expected = &joined.as_bytes()[range.clone()];
            let slices: Vec<u8> = frames.slices(range.clone()).flatten().collect();
            prop_assert_eq!(&slices[..], expected);
            prop_assert!(frames.has_at(range.clone(), expected));
            let longer = [expected, b"a"].concat();
            prop_assert!(!frames.has_at(range.clone(), &longer));
            if let Some((_, shorter)) = expected.split_first() {
                prop_assert!(!frames.has_at(range, shorter));
            }
        }
    }
}
