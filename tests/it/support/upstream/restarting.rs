//! An upstream that can be killed, connections and all, and started again at
//! the same address.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use super::{Exchange, Ledger, Link};
use crate::support::wait::{DEADLINE, until};

type Handler = dyn Fn(&mut Exchange<'_>) + Send + Sync;

/// An upstream that lives, or not.
pub struct Mortal {
    address: SocketAddr,
    handler: Arc<Handler>,
    ledger: Arc<Ledger>,
    life: Option<Life>,
}

/// From a start to the next kill.
struct Life {
    over: Arc<AtomicBool>,
    sockets: Arc<Mutex<Vec<TcpStream>>>,
    listening: JoinHandle<()>,
}

impl Mortal {
    /// Calls the handler for each request, as [`super::Upstream::start`] does.
    pub fn start(handler: impl Fn(&mut Exchange<'_>) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut mortal = Self {
            address: listener.local_addr().unwrap(),
            handler: Arc::new(handler),
            ledger: Arc::new(Ledger::default()),
            life: None,
        };
        mortal.live(listener);
        mortal
    }

    /// The base URL, as the config wants it.
    pub fn base_url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// How many requests came, over all lives.
    pub fn requests(&self) -> usize {
        self.ledger.with(|record| record.requests.len())
    }

    /// Stops listening and resets every connection.
    pub fn kill(&mut self) {
        let Some(life) = self.life.take() else { return };
        life.over.store(true, Ordering::SeqCst);
        // Wakes the accept, which then finds that it is over.
        let _ = TcpStream::connect(self.address);
        life.listening.join().unwrap();
        for socket in life.sockets.lock().unwrap().drain(..) {
            let socket_ref = socket2::SockRef::from(&socket);
            let _ = socket_ref.set_linger(Some(Duration::ZERO));
            let _ = socket.shutdown(std::net::Shutdown::Both);
        }
    }

    /// Listens again.
    pub fn revive(&mut self) {
        let listener = until("the address to be free", || {
            TcpListener::bind(self.address).ok()
        });
        self.live(listener);
    }

    fn live(&mut self, listener: TcpListener) {
        let over = Arc::new(AtomicBool::new(false));
        let sockets = Arc::new(Mutex::new(Vec::new()));
        let (is_over, open) = (Arc::clone(&over), Arc::clone(&sockets));
        let (handler, ledger) = (Arc::clone(&self.handler), Arc::clone(&self.ledger));
        let listening = std::thread::spawn(move || {
            for socket in listener.incoming().map_while(Result::ok) {
                if is_over.load(Ordering::SeqCst) {
                    break;
                }
                open.lock().unwrap().push(socket.try_clone().unwrap());
                let (handler, ledger) = (Arc::clone(&handler), Arc::clone(&ledger));
                std::thread::spawn(move || serve(socket, &*handler, ledger));
            }
        });
        self.life = Some(Life {
            over,
            sockets,
            listening,
        });
    }
}

impl Drop for Mortal {
    fn drop(&mut self) {
        self.kill();
    }
}

fn serve(socket: TcpStream, handler: &Handler, ledger: Arc<Ledger>) {
    let set_up = || {
        socket.set_nodelay(true)?;
        socket.set_read_timeout(Some(DEADLINE))?;
        socket.set_write_timeout(Some(DEADLINE))?;
        socket.try_clone()
    };
    // It may be dead already.
    let Ok(copy) = set_up() else { return };
    let mut link = Link {
        number: 0,
        socket: copy,
        wire: Box::new(socket),
        buffer: Vec::new(),
        ledger,
    };
    while Exchange::run(&mut link, &handler) {}
}
