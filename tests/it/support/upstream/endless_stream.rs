//! Streams without end.

use super::{Exchange, reply};

/// To those who ask for a stream, events with so many bytes of content for as
/// long as they are taken, each told of to `sent` once it has left; a whole
/// answer to the others.
pub fn endless(content: usize, sent: impl Fn(usize)) -> impl Fn(&mut Exchange<'_>) {
    let event = reply::chunk(reply::delta(&"x".repeat(content)));
    move |exchange| {
        if exchange.begins_stream() {
            while exchange.send(&event) {
                sent(event.len());
            }
        }
    }
}
