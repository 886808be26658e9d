//! A network between a gateway and its store that can lose one direction, or both.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use crate::support::wait::{DEADLINE, Watched};

/// Passes the bytes of connections on to a store. What arrives in a direction that is
/// stopped waits until it goes on, as TCP's retransmissions do.
pub struct StoreLink {
    address: SocketAddr,
    store: SocketAddr,
    network: Arc<Network>,
    is_over: Arc<AtomicBool>,
}

#[derive(Default)]
struct Network {
    /// By [`Direction`].
    stopped: Watched<[bool; 2]>,
    /// What was sent to the store, by connection.
    sent: Mutex<Vec<Vec<u8>>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    ToStore,
    FromStore,
}

// === impl StoreLink ===

impl StoreLink {
    pub fn start(store: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let link = Self {
            address: listener.local_addr().unwrap(),
            store,
            network: Arc::default(),
            is_over: Arc::default(),
        };
        let (network, is_over) = (Arc::clone(&link.network), Arc::clone(&link.is_over));
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                if is_over.load(Ordering::SeqCst) {
                    break;
                }
                // A store that is not there ends the connection at once.
                if let Ok(server) = TcpStream::connect_timeout(&store, DEADLINE) {
                    let index = network.add_connection();
                    connect(&client, &server, Direction::ToStore, (&network, index));
                    connect(&server, &client, Direction::FromStore, (&network, index));
                }
            }
        });
        link
    }

    pub fn url(&self) -> String {
        format!("redis://{}", self.address)
    }

    pub fn stop(&self, direction: Direction) {
        self.set(direction, true);
    }

    pub fn resume(&self, direction: Direction) {
        self.set(direction, false);
    }

    /// Sends all that was sent to the store once more, as connections that were lost may
    /// deliver it late, and waits until the store has read it.
    pub fn replay(&self) {
        let sent = self.network.sent.lock().unwrap().clone();
        for bytes in sent.into_iter().filter(|bytes| !bytes.is_empty()) {
            let mut socket = TcpStream::connect_timeout(&self.store, DEADLINE).unwrap();
            socket.set_read_timeout(Some(DEADLINE)).unwrap();
            let mut writer = socket.try_clone().unwrap();
            // The last command may be there in part.
            let end = std::thread::spawn(move || {
                writer.write_all(&bytes).unwrap();
                writer.shutdown(Shutdown::Write).unwrap();
            });
            std::io::copy(&mut socket, &mut std::io::sink()).unwrap();
            end.join().unwrap();
        }
    }

    fn set(&self, direction: Direction, is_stopped: bool) {
        let stopped = &self.network.stopped;
        stopped.with(|stopped| stopped[direction as usize] = is_stopped);
    }
}

// === impl Network ===

impl Network {
    fn add_connection(&self) -> usize {
        let mut sent = self.sent.lock().unwrap();
        sent.push(Vec::new());
        sent.len() - 1
    }
}

impl Drop for StoreLink {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::SeqCst);
        self.network.stopped.with(|stopped| *stopped = [false; 2]);
        // Wakes `accept`, which then sees that it is over.
        let _ = TcpStream::connect(self.address);
    }
}

/// Copies what one side sends to the other, on a thread of its own.
fn connect(
    from: &TcpStream,
    to: &TcpStream,
    direction: Direction,
    (network, index): (&Arc<Network>, usize),
) {
    let (mut from, mut to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
    let network = Arc::clone(network);
    let _ = to.set_nodelay(true);
    std::thread::spawn(move || {
        let mut bytes = [0; 16 * 1024];
        while let Ok(count @ 1..) = from.read(&mut bytes) {
            let stopped = &network.stopped;
            stopped.try_wait(|stopped| (!stopped[direction as usize]).then_some(()));
            if direction == Direction::ToStore {
                network.sent.lock().unwrap()[index].extend(&bytes[..count]);
            }
            if to.write_all(&bytes[..count]).is_err() {
                break;
            }
        }
        let _ = to.shutdown(Shutdown::Both);
        let _ = from.shutdown(Shutdown::Both);
    });
}
