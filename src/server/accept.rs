//! Takes callers in and hands each to the worker that has the fewest.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::sleep;
use tracing::warn;

use super::listen;
use super::page::Page;
use super::site::Site;
use super::worker::Handle;
use crate::config::Config;
use crate::proxy::Snapshot;
use crate::proxy::curfew::Phase;
use crate::telemetry::metric::{self, Counter, Gauge, Registry};

/// Pause after the system refused to hand out a connection (too many open
/// files, most likely).
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);
/// Between two looks whether the workers have finished.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// All workers.
#[derive(Debug)]
pub(super) struct Workers {
    handles: Vec<Handle>,
    write_timeout: Duration,
    places: Arc<Semaphore>,
    full: Counter,
    open: Gauge,
}

impl Workers {
    /// Starts as many as the configuration asks for.
    pub(super) fn start(
        config: &Config,
        registry: &Registry,
        snapshot: &Arc<Snapshot>,
    ) -> io::Result<Self> {
        let page = config.server.page.then(Page::load);
        let handles = (0..config.server.workers).map(|index| {
            let site = Site::new(config, registry, page);
            Handle::start(index, Arc::clone(snapshot), site)
        });
        Ok(Self {
            handles: handles.collect::<io::Result<_>>()?,
            write_timeout: config.server.write_timeout,
            places: Arc::new(Semaphore::new(config.server.max_connections)),
            full: registry.counter(&metric::SHED, &[("reason", "connections")]),
            open: registry.gauge(&metric::CONNECTIONS, &[]),
        })
    }

    /// Accepts until it is dropped, which closes the listener.
    pub(super) async fn accept(&self, listener: TcpListener) {
        loop {
            let place = self.place().await;
            match listener.accept().await {
                Ok((tcp, _)) => {
                    if let Err(error) = self.hand_out(tcp, place) {
                        warn!(%error, "lost a connection");
                    }
                }
                Err(error) => {
                    warn!(%error, "cannot accept");
                    sleep(ACCEPT_AGAIN).await;
                }
            }
        }
    }

    /// A place among the connections. While there is none, callers wait in the
    /// system's queue.
    async fn place(&self) -> Option<OwnedSemaphorePermit> {
        if let Ok(place) = Arc::clone(&self.places).try_acquire_owned() {
            return Some(place);
        }
        self.full.increment(1);
        Arc::clone(&self.places).acquire_owned().await.ok()
    }

    fn hand_out(&self, tcp: TcpStream, place: Option<OwnedSemaphorePermit>) -> io::Result<()> {
        // A peer that is gone already fails here.
        listen::tune(&tcp, self.write_timeout)?;
        let tcp = tcp.into_std()?;
        if let (Some(worker), Some(place)) = (self.idlest(), place) {
            worker.serve(tcp, place, self.open.clone());
        }
        Ok(())
    }

    fn idlest(&self) -> Option<&Handle> {
        let alive = self.handles.iter().filter(|worker| !worker.is_finished());
        alive.min_by_key(|worker| worker.load())
    }

    /// Connections open.
    pub(super) fn load(&self) -> usize {
        self.handles.iter().map(Handle::load).sum()
    }

    /// Tells all how far the shutdown has come.
    pub(super) fn ring(&self, phase: Phase) {
        for worker in &self.handles {
            worker.ring(phase);
        }
    }

    /// Waits until all have finished.
    pub(super) async fn finished(&self) {
        while !self.handles.iter().all(Handle::is_finished) {
            sleep(LOOK_AGAIN).await;
        }
    }
}
