//! Endless streams.

use super::{Exchange, response};

/// For a stream request, sends events with `content` bytes of text until the
/// connection ends, and reports each one's size to `sent`; a complete response
/// otherwise.
pub fn endless_stream(content: usize, sent: impl Fn(usize)) -> impl Fn(&mut Exchange<'_>) {
    let event = response::chunk(response::delta(&"x".repeat(content)));
    move |exchange| {
        if exchange.start_stream_if_requested() {
            while exchange.send(&event) {
                sent(event.len());
            }
        }
    }
}
