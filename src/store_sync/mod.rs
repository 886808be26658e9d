//! Keeps this process and the store in step: a thread of its own, which is no worker,
//! collects the calls that are due, sends many at once over one connection, and applies the
//! responses. No failure of the store reaches a request but by `without`.

mod batch;
mod calls;
mod health;
mod key;
mod objects;
mod run;
mod scripts;
mod server_facts;
mod session;
#[cfg(test)]
mod tests;

use std::io;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::Duration;

use tokio::runtime::LocalOptions;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;
use tokio::task::spawn_local;
use tokio::time::timeout;

use crate::config::StoreConfig;
use crate::limits::{LeaseLink, StoredWindows};
use crate::routing::ObjectDirectory;
use crate::store::{StoreConnection, StoreError, StoreFacts, StoreHandle, store_handle};
use crate::telemetry::metric::Registry;

pub use objects::SharedObjects;

use calls::StoreReplica;
use run::{Inbox, StoreThread};

/// The start waits so long for the first connection, so that the first requests find it.
const START_TIMEOUT: Duration = Duration::from_secs(1);
/// For handing back what is leased, at the end of the process.
pub const HAND_BACK_TIMEOUT: Duration = Duration::from_secs(1);

/// The handle of the store's thread. When it is dropped, what is leased is handed back,
/// and the thread ends.
#[derive(Debug)]
pub struct StoreSync {
    link: Arc<LeaseLink>,
    handle: StoreHandle,
    objects: Arc<SharedObjects>,
    commands: UnboundedSender<SyncCommand>,
    config: std::sync::Mutex<StoreConfig>,
}

#[derive(Debug)]
enum SyncCommand {
    Configure(Box<StoreConfig>),
    /// Hand back, and report it.
    Finish(oneshot::Sender<()>),
}

impl StoreSync {
    /// Connects, and goes on without the store if that fails; the thread tries again.
    /// `stored` is the ledger's, if there is one.
    ///
    /// # Errors
    ///
    /// There is no thread, or no randomness.
    pub fn start(
        config: &StoreConfig,
        stored: Option<&Arc<StoredWindows>>,
        registry: &Registry,
    ) -> io::Result<Arc<Self>> {
        let replica = replica_id()?;
        let link = LeaseLink::new(&replica, config.timeout, config.replicas, stored);
        let (handle, jobs) = store_handle(&config.prefix, config.timeout);
        let (commands, receiver) = unbounded_channel();
        let inbox = Inbox {
            commands: receiver,
            jobs,
        };
        let objects = SharedObjects::new(&handle, registry);
        let writer = Arc::clone(&objects);
        let (connected, is_connected) = channel();
        let thread = StoreThread::new(config.clone(), stored.is_some(), &link, &handle, registry);
        std::thread::Builder::new()
            .name("store".to_owned())
            .spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build_local(LocalOptions::default());
                let runtime = match runtime {
                    Ok(runtime) => runtime,
                    Err(error) => {
                        // The start waits for it.
                        let _ = connected.send(error);
                        return;
                    }
                };
                runtime.block_on(async {
                    // Until the thread ends.
                    spawn_local(async move { writer.run().await });
                    thread.run(inbox, connected).await;
                });
            })?;
        // Without a connection in time, the start goes on.
        if let Ok(error) = is_connected.recv_timeout(START_TIMEOUT) {
            return Err(error);
        }
        Ok(Arc::new(Self {
            link,
            handle,
            objects,
            commands,
            config: std::sync::Mutex::new(config.clone()),
        }))
    }

    /// For the limits of every generation with this store.
    #[must_use]
    pub fn link(&self) -> &Arc<LeaseLink> {
        &self.link
    }

    /// Shares the objects of this directory, which is that of every generation.
    #[must_use]
    pub fn share_objects(&self, directory: &Arc<ObjectDirectory>) -> Arc<SharedObjects> {
        self.objects.share(directory);
        Arc::clone(&self.objects)
    }

    /// Whether it holds what this configuration names, so that all leases go on.
    #[must_use]
    pub fn has_same_data(&self, config: &StoreConfig) -> bool {
        let own = self.config();
        own.prefix == config.prefix && own.server.has_same_data(&config.server)
    }

    /// Goes by the settings of the next generation, which [have the same
    /// data](Self::has_same_data).
    pub fn configure(&self, config: &StoreConfig) {
        *self.config() = config.clone();
        self.link.set_timeout(config.timeout);
        self.handle.set_timeout(config.timeout);
        let command = SyncCommand::Configure(Box::new(config.clone()));
        // The thread runs as long as this.
        let _ = self.commands.send(command);
    }

    /// Hands back what is leased, within [`HAND_BACK_TIMEOUT`].
    pub async fn finish(&self) {
        let _ = timeout(HAND_BACK_TIMEOUT / 4, self.objects.flush()).await;
        let (done, is_done) = oneshot::channel();
        if self.commands.send(SyncCommand::Finish(done)).is_ok() {
            let _ = timeout(HAND_BACK_TIMEOUT / 4 * 3, is_done).await;
        }
    }

    fn config(&self) -> std::sync::MutexGuard<'_, StoreConfig> {
        let locked = self.config.lock();
        locked.unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// Whether the store can be used, and how it is set up. Changes nothing in it.
///
/// # Errors
///
/// It cannot be used.
pub async fn probe(config: &StoreConfig) -> Result<StoreFacts, StoreError> {
    let connection = StoreConnection::open(&config.server).await?;
    let replica = StoreReplica {
        prefix: &config.prefix,
        replica: "none",
        replicas: 1,
    };
    // As a replica that leaves: a script that writes runs, and writes nothing.
    let responses = connection.run(&[replica.heartbeat(false)]).await;
    let mut responses = responses.map_err(StoreError::at_start)?;
    responses
        .pop()
        .unwrap_or_else(|| Err(StoreError::unreadable()))?;
    Ok(StoreFacts::of(&connection).await)
}

/// No other process has it.
fn replica_id() -> io::Result<String> {
    let random = getrandom::u64().map_err(io::Error::from)?;
    Ok(format!("{random:016x}"))
}
