//! Where in a WebSocket's bytes a frame ends (RFC 6455, section 5.2). Only the
//! heads of frames are looked at, so that a word of our own never stands inside
//! one.

/// The opcode that ends a WebSocket (RFC 6455, section 5.5.1).
const CLOSE: u8 = 8;
/// "Going away" (RFC 6455, section 7.4.1).
const GOING_AWAY: [u8; 2] = 1001_u16.to_be_bytes();
/// The first byte of a whole Close frame.
const CLOSE_FRAME: u8 = 0x80 | CLOSE;
const MASKED: u8 = 0x80;

/// Follows the frames of one direction.
#[derive(Debug, Default)]
pub(super) struct Frames {
    /// The first two bytes of the head, as far as they are known.
    first: u8,
    second: u8,
    /// Bytes of the head that have passed.
    head: u8,
    /// The length as far as it has been read.
    length: u64,
    /// Bytes of the payload that are still to pass.
    left: u64,
    closed: bool,
    unsound: bool,
}

impl Frames {
    /// Bytes pass.
    pub(super) fn pass(&mut self, mut bytes: &[u8]) {
        while let Some((byte, behind)) = bytes.split_first() {
            if self.unsound {
                return;
            }
            if self.left == 0 {
                self.take(*byte);
                bytes = behind;
                continue;
            }
            let here = usize::try_from(self.left).map_or(bytes.len(), |it| it.min(bytes.len()));
            self.left -= here as u64;
            bytes = bytes.get(here..).unwrap_or_default();
        }
    }

    /// Whether the last frame that has begun is whole.
    pub(super) fn is_between(&self) -> bool {
        !self.unsound && self.head == 0 && self.left == 0
    }

    /// Whether a Close frame has passed, after which no other may come.
    pub(super) fn is_closed(&self) -> bool {
        self.closed
    }

    fn take(&mut self, byte: u8) {
        match self.head {
            0 => self.first = byte,
            1 => {
                self.second = byte;
                let length = byte & !MASKED;
                self.length = if length < 126 { length.into() } else { 0 };
            }
            at if at < 2 + self.extension() => self.length = self.length << 8 | u64::from(byte),
            // The mask.
            _ => {}
        }
        self.head += 1;
        let mask = if self.second & MASKED == 0 { 0 } else { 4 };
        if self.head < 2 || self.head < 2 + self.extension() + mask {
            return;
        }
        // The highest bit must not be set.
        self.unsound = self.length > u64::MAX >> 1;
        self.closed |= self.first & 0x0f == CLOSE;
        self.left = self.length;
        self.head = 0;
    }

    /// How many more bytes the length takes.
    fn extension(&self) -> u8 {
        match self.second & !MASKED {
            126 => 2,
            127 => 8,
            _ => 0,
        }
    }
}

/// The frame that says that we go away, from a server.
pub(super) fn goodbye() -> Vec<u8> {
    let [high, low] = GOING_AWAY;
    vec![CLOSE_FRAME, 2, high, low]
}

/// The same from a client, whose frames are masked (RFC 6455, section 5.3).
pub(super) fn masked_goodbye(mask: u32) -> Vec<u8> {
    let [high, low] = GOING_AWAY;
    let [a, b, c, d] = mask.to_be_bytes();
    vec![CLOSE_FRAME, MASKED | 2, a, b, c, d, high ^ a, low ^ b]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Frames, goodbye, masked_goodbye};

    fn frame(first: u8, masked: bool, length: usize) -> Vec<u8> {
        let mask = if masked { 0x80 } else { 0 };
        let mut frame = vec![first];
        match length {
            0..126 => frame.push(mask | u8::try_from(length).unwrap()),
            126..65536 => {
                frame.push(mask + 126);
                frame.extend(u16::try_from(length).unwrap().to_be_bytes());
            }
            _ => {
                frame.push(mask + 127);
                frame.extend((length as u64).to_be_bytes());
            }
        }
        if masked {
            frame.extend([1, 2, 3, 4]);
        }
        frame.extend(vec![0x88; length]);
        frame
    }

    #[test]
    fn knows_where_a_frame_ends() {
        for masked in [false, true] {
            for length in [0, 1, 125, 126, 65535, 65536, 70000] {
                let frame = frame(0x82, masked, length);
                let mut frames = Frames::default();
                for (at, byte) in frame.iter().enumerate() {
                    assert_eq!(frames.is_between(), at == 0, "{length} {at}");
                    frames.pass(&[*byte]);
                }
                assert!(frames.is_between(), "{length}");
                assert!(!frames.is_closed(), "{length}");
            }
        }
    }

    #[test]
    fn knows_the_frame_that_ends_all() {
        for close in [goodbye(), masked_goodbye(0x0102_0304)] {
            let mut frames = Frames::default();
            frames.pass(&frame(0x81, false, 300));
            assert!(!frames.is_closed());
            frames.pass(&close);
            assert!(frames.is_closed() && frames.is_between());
        }
        assert_eq!(masked_goodbye(0)[6..], 1001_u16.to_be_bytes());
    }

    #[test]
    fn says_nothing_behind_what_is_no_frame() {
        let mut frames = Frames::default();
        frames.pass(&[0x82, 127, 0xff, 0, 0, 0, 0, 0, 0, 0]);
        assert!(!frames.is_between());
        frames.pass(&goodbye());
        assert!(!frames.is_between() && !frames.is_closed());
    }

    proptest! {
        #[test]
        fn pieces_make_no_difference(
            lengths in prop::collection::vec((0_usize..70_000, any::<bool>()), 1..5),
            piece in 1_usize..40_000,
        ) {
            let mut frames = Frames::default();
            let bytes: Vec<u8> = lengths.iter().flat_map(|(length, masked)| frame(0x01, *masked, *length)).collect();
            for piece in bytes.chunks(piece) {
                frames.pass(piece);
            }
            prop_assert!(frames.is_between() && !frames.is_closed());
        }

        #[test]
        fn takes_any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
            Frames::default().pass(&bytes);
        }
    }
}
