//! Finds the frames of a WebSocket (RFC 6455, section 5.2): a Close frame of ours is never
//! put inside another frame, and messages may be read while they pass.

/// Opcode of a Close frame (RFC 6455, section 5.5.1).
const CLOSE: u8 = 8;
/// "Going away" (RFC 6455, section 7.4.1).
const GOING_AWAY: [u8; 2] = 1001_u16.to_be_bytes();
const FIN: u8 = 0x80;
/// First byte of an unfragmented Close frame.
const CLOSE_FRAME: u8 = FIN | CLOSE;
const MASKED: u8 = 0x80;

/// Frame state of one direction.
#[derive(Debug, Default)]
pub(super) struct FrameTracker {
    first_byte: u8,
    second_byte: u8,
    /// Bytes of the head seen so far.
    head_len: u8,
    /// The payload length, as far as it was read.
    length: u64,
    payload_left: u64,
    close_seen: bool,
    invalid: bool,
}

/// A part of a frame.
#[derive(Debug, Clone, Copy)]
pub(super) struct FramePart<'b> {
    /// Of the frame's head: FIN, RSV1 to RSV3, opcode.
    first_byte: u8,
    /// Masked in the frames of clients.
    pub(super) payload: &'b [u8],
    /// The frame ends here.
    pub(super) is_last: bool,
}

// === impl FramePart ===

impl FramePart<'_> {
    /// Of a frame of data; 0 continues a message.
    pub(super) fn data_opcode(&self) -> Option<u8> {
        Some(self.first_byte & 0x0f).filter(|opcode| *opcode < CLOSE)
    }

    /// Whether the message ends with this frame.
    pub(super) fn is_final(&self) -> bool {
        self.first_byte & FIN != 0
    }

    /// RSV1: with permessage-deflate, a compressed message (RFC 7692, section 6).
    pub(super) fn is_compressed(&self) -> bool {
        self.first_byte & 0x40 != 0
    }
}

// === impl FrameTracker ===

impl FrameTracker {
    pub(super) fn on_bytes(&mut self, mut bytes: &[u8], mut on_part: impl FnMut(FramePart<'_>)) {
        while let Some((byte, rest)) = bytes.split_first() {
            if self.invalid {
                return;
            }
            if self.payload_left == 0 {
                let is_complete = self.on_head_byte(*byte);
                bytes = rest;
                if is_complete && self.payload_left == 0 {
                    on_part(self.part(&[]));
                }
                continue;
            }
            let here =
                usize::try_from(self.payload_left).map_or(bytes.len(), |it| it.min(bytes.len()));
            self.payload_left -= here as u64;
            on_part(self.part(bytes.get(..here).unwrap_or_default()));
            bytes = bytes.get(here..).unwrap_or_default();
        }
    }

    fn part<'b>(&self, payload: &'b [u8]) -> FramePart<'b> {
        FramePart {
            first_byte: self.first_byte,
            payload,
            is_last: self.payload_left == 0,
        }
    }

    pub(super) fn at_frame_boundary(&self) -> bool {
        !self.invalid && self.head_len == 0 && self.payload_left == 0
    }

    pub(super) fn is_closed(&self) -> bool {
        self.close_seen
    }

    /// True when the head is complete.
    fn on_head_byte(&mut self, byte: u8) -> bool {
        match self.head_len {
            0 => self.first_byte = byte,
            1 => {
                self.second_byte = byte;
                let length = byte & !MASKED;
                self.length = if length < 126 { length.into() } else { 0 };
            }
            at if at < 2 + self.extended_length_bytes() => {
                self.length = self.length << 8 | u64::from(byte);
            }
            // The masking key.
            _ => {}
        }
        self.head_len += 1;
        let mask = if self.second_byte & MASKED == 0 { 0 } else { 4 };
        if self.head_len < 2 || self.head_len < 2 + self.extended_length_bytes() + mask {
            return false;
        }
        // The highest bit must not be set.
        self.invalid = self.length > u64::MAX >> 1;
        self.close_seen |= self.first_byte & 0x0f == CLOSE;
        self.payload_left = self.length;
        self.head_len = 0;
        !self.invalid
    }

    fn extended_length_bytes(&self) -> u8 {
        match self.second_byte & !MASKED {
            126 => 2,
            127 => 8,
            _ => 0,
        }
    }
}

/// A Close frame "going away" of a server.
pub(super) fn close_frame() -> Vec<u8> {
    let [high, low] = GOING_AWAY;
    vec![CLOSE_FRAME, 2, high, low]
}

/// The same of a client, whose frames are masked (RFC 6455, section 5.3).
pub(super) fn masked_close_frame(mask: u32) -> Vec<u8> {
    let [high, low] = GOING_AWAY;
    let [a, b, c, d] = mask.to_be_bytes();
    vec![CLOSE_FRAME, MASKED | 2, a, b, c, d, high ^ a, low ^ b]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{FrameTracker, close_frame, masked_close_frame};

    fn frame(first_byte: u8, masked: bool, length: usize) -> Vec<u8> {
        let mask = if masked { 0x80 } else { 0 };
        let mut frame = vec![first_byte];
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
    fn finds_the_end_of_a_frame() {
        for masked in [false, true] {
            for length in [0, 1, 125, 126, 65535, 65536, 70000] {
                let frame = frame(0x82, masked, length);
                let mut tracker = FrameTracker::default();
                for (at, byte) in frame.iter().enumerate() {
                    assert_eq!(tracker.at_frame_boundary(), at == 0, "{length} {at}");
                    tracker.on_bytes(&[*byte], |_| {});
                }
                assert!(tracker.at_frame_boundary(), "{length}");
                assert!(!tracker.is_closed(), "{length}");
            }
        }
    }

    #[test]
    fn recognizes_a_close_frame() {
        for close in [close_frame(), masked_close_frame(0x0102_0304)] {
            let mut tracker = FrameTracker::default();
            tracker.on_bytes(&frame(0x81, false, 300), |_| {});
            assert!(!tracker.is_closed());
            tracker.on_bytes(&close, |_| {});
            assert!(tracker.is_closed() && tracker.at_frame_boundary());
        }
        assert_eq!(masked_close_frame(0)[6..], 1001_u16.to_be_bytes());
    }

    #[test]
    fn is_at_no_boundary_behind_an_invalid_frame() {
        let mut tracker = FrameTracker::default();
        tracker.on_bytes(&[0x82, 127, 0xff, 0, 0, 0, 0, 0, 0, 0], |_| {});
        assert!(!tracker.at_frame_boundary());
        tracker.on_bytes(&close_frame(), |_| {});
        assert!(!tracker.at_frame_boundary() && !tracker.is_closed());
    }

    proptest! {
        #[test]
        fn chunking_makes_no_difference(
            lengths in prop::collection::vec((0_usize..70_000, any::<bool>()), 1..5),
            chunk in 1_usize..40_000,
        ) {
            let mut tracker = FrameTracker::default();
            let bytes: Vec<u8> = lengths.iter().flat_map(|(length, masked)| frame(0x01, *masked, *length)).collect();
            for chunk in bytes.chunks(chunk) {
                tracker.on_bytes(chunk, |_| {});
            }
            prop_assert!(tracker.at_frame_boundary() && !tracker.is_closed());
        }

        #[test]
        fn accepts_any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
            FrameTracker::default().on_bytes(&bytes, |_| {});
        }
    }
}
