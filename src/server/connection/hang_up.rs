//! Notices that a client has left while hyper does not read from its connection.
//!
//! hyper finds the end of a connection only by reading, and while a request is served, it
//! reads no further than it has to: not behind bytes of the next request, half a head or
//! a stray line end, nor a body that nothing consumes. The kernel reports the end
//! regardless of unread bytes (`EPOLLRDHUP` in the manual of `epoll_ctl`).

use std::cell::RefCell;
use std::future::pending;
use std::io;
use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::Interest;
use tokio::net::TcpStream;

use super::state::{ConnState, LastRead};
use crate::descriptors;
use crate::proxy::tunnel::ClientStream;

/// Watches one connection for its end.
#[derive(Default)]
pub struct HangUpWatch(Step);

#[derive(Default)]
enum Step {
    /// hyper has read in its last poll, or waits to.
    #[default]
    Reading,
    /// It has stopped. It reads again in its next poll while a body arrives.
    NotReading,
    Watching(Pin<Box<dyn Future<Output = ()>>>),
    /// No descriptor is left for it, except those of the reserve.
    Unavailable,
}

impl HangUpWatch {
    /// Ready once the client of a request has closed its end, or at least the direction to
    /// us. To be polled after hyper's connection.
    pub fn poll(
        &mut self,
        state: &ConnState,
        stream: &RefCell<impl ClientStream>,
        context: &mut Context<'_>,
    ) -> Poll<()> {
        let read = state.last_read();
        if read != LastRead::None || !state.is_busy() {
            self.0 = Step::Reading;
        }
        if read == LastRead::Waiting || !state.is_busy() {
            return Poll::Pending;
        }
        match self.0 {
            Step::Reading => {
                self.0 = Step::NotReading;
                context.waker().wake_by_ref();
            }
            Step::NotReading => {
                // With a readiness of its own, so that waiting for more events takes none
                // from the stream.
                let socket = stream.borrow().descriptor().try_clone_to_owned().ok();
                let socket = socket.filter(|socket| !descriptors::is_in_reserve(socket));
                self.0 = socket.map_or(Step::Unavailable, |socket| {
                    Step::Watching(Box::pin(closed(socket)))
                });
            }
            Step::Watching(_) | Step::Unavailable => {}
        }
        match &mut self.0 {
            Step::Watching(closed) => closed.as_mut().poll(context),
            _ => Poll::Pending,
        }
    }
}

/// Ends when the peer of a socket, of whatever family, has closed; never if that cannot be
/// determined.
async fn closed(socket: OwnedFd) {
    if wait_until_closed(socket.into()).await.is_err() {
        pending::<()>().await;
    }
}

async fn wait_until_closed(socket: std::net::TcpStream) -> io::Result<()> {
    let socket = TcpStream::from_std(socket)?;
    while !socket.ready(Interest::READABLE).await?.is_read_closed() {
        // These are bytes that hyper will read later: wait for the next event.
        let wait = || Err::<(), _>(io::ErrorKind::WouldBlock.into());
        let _ = socket.try_io(Interest::READABLE, wait);
    }
    Ok(())
}
