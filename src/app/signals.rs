//! Signals of the operating system.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// SIGTERM and SIGINT shut the process down, SIGHUP reloads the configuration.
#[derive(Debug)]
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProcessSignal {
    Shutdown,
    Reload,
}

impl Signals {
    /// From now on the signals no longer end the process by themselves.
    pub fn listen() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    pub async fn next(&mut self) -> ProcessSignal {
        tokio::select! {
            _ = self.terminate.recv() => ProcessSignal::Shutdown,
            _ = self.interrupt.recv() => ProcessSignal::Shutdown,
            _ = self.hangup.recv() => ProcessSignal::Reload,
        }
    }

    /// Waits for the next signal that shuts the process down.
    pub async fn shutdown(&mut self) {
        while self.next().await != ProcessSignal::Shutdown {}
    }
}
