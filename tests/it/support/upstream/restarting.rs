//! An upstream that can be killed, with its connections, and restarted at the same
//! address.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use super::{Connection, Exchange, Recorder};
use crate::support::wait::{DEADLINE, until};

type Handler = dyn Fn(&mut Exchange<'_>) + Send + Sync;

pub struct RestartingUpstream {
    address: SocketAddr,
    handler: Arc<Handler>,
    recorder: Arc<Recorder>,
    running: Option<Running>,
}

/// The state between a start and the next kill.
struct Running {
    stopped: Arc<AtomicBool>,
    sockets: Arc<Mutex<Vec<TcpStream>>>,
    listener_thread: JoinHandle<()>,
}

impl RestartingUpstream {
    /// Calls the handler for each request, as [`super::Upstream::start`] does.
    pub fn start(handler: impl Fn(&mut Exchange<'_>) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut upstream = Self {
            address: listener.local_addr().unwrap(),
            handler: Arc::new(handler),
            recorder: Arc::new(Recorder::default()),
            running: None,
        };
        upstream.listen(listener);
        upstream
    }

    pub fn base_url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// The number of requests over all restarts.
    pub fn requests(&self) -> usize {
        self.recorder.with(|record| record.requests.len())
    }

    /// Stops listening and resets every connection.
    pub fn kill(&mut self) {
        let Some(running) = self.running.take() else {
            return;
        };
        running.stopped.store(true, Ordering::SeqCst);
        // Wakes `accept`, which then sees `stopped`.
        let _ = TcpStream::connect(self.address);
        running.listener_thread.join().unwrap();
        for socket in running.sockets.lock().unwrap().drain(..) {
            let socket_ref = socket2::SockRef::from(&socket);
            let _ = socket_ref.set_linger(Some(Duration::ZERO));
            let _ = socket.shutdown(std::net::Shutdown::Both);
        }
    }

    pub fn restart(&mut self) {
        let listener = until("the address to be free", || {
            TcpListener::bind(self.address).ok()
        });
        self.listen(listener);
    }

    fn listen(&mut self, listener: TcpListener) {
        let stopped = Arc::new(AtomicBool::new(false));
        let sockets = Arc::new(Mutex::new(Vec::new()));
        let (is_stopped, open) = (Arc::clone(&stopped), Arc::clone(&sockets));
        let (handler, recorder) = (Arc::clone(&self.handler), Arc::clone(&self.recorder));
        let listener_thread = std::thread::spawn(move || {
            for socket in listener.incoming().map_while(Result::ok) {
                if is_stopped.load(Ordering::SeqCst) {
                    break;
                }
                open.lock().unwrap().push(socket.try_clone().unwrap());
                let (handler, recorder) = (Arc::clone(&handler), Arc::clone(&recorder));
                std::thread::spawn(move || serve(socket, &*handler, recorder));
            }
        });
        self.running = Some(Running {
            stopped,
            sockets,
            listener_thread,
        });
    }
}

impl Drop for RestartingUpstream {
    fn drop(&mut self) {
        self.kill();
    }
}

fn serve(socket: TcpStream, handler: &Handler, recorder: Arc<Recorder>) {
    let set_up = || {
        socket.set_nodelay(true)?;
        socket.set_read_timeout(Some(DEADLINE))?;
        socket.set_write_timeout(Some(DEADLINE))?;
        socket.try_clone()
    };
    // The connection may have been reset already.
    let Ok(copy) = set_up() else { return };
    let mut link = Connection {
        number: 0,
        socket: copy,
        wire: Box::new(socket),
        buffer: Vec::new(),
        recorder,
    };
    while Exchange::run(&mut link, &handler) {}
}
