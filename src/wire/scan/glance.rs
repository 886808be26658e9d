//! A second look into a body that was found sound, or into a part of one, which
//! ends where enough was seen.

use super::ScanError;
use super::cursor::Cursor;
use super::string::Text;

/// Enough was seen, or what comes next is not sound.
pub(super) struct Halt;

impl From<ScanError> for Halt {
    fn from(_: ScanError) -> Self {
        Self
    }
}

/// Hands over the members of the object that a body is, until it is told to
/// halt.
pub(super) fn members<'b>(
    body: &'b [u8],
    member: impl FnMut(&mut Cursor<'b>, Text) -> Result<(), Halt>,
) {
    let mut cursor = Cursor::new(body);
    if cursor.start().is_ok() && cursor.peek() == Some(b'{') {
        // However it ended, what was found was found.
        let _ = cursor.object(member);
    }
}
