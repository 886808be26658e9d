//! A real Valkey or Redis server in a temporary folder.
//!
//! Debian's and Ubuntu's packages of tools hold the server's program, which runs as the
//! server under that name, and start no service.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use redis::{ConnectionInfo, FromRedisValue, IntoConnectionInfo, RedisResult};
use rustix::process::{Pid, Signal, kill_process};
use socket2::{Domain, Socket, Type};
use tempfile::TempDir;

use crate::support::upstream::tls::{CertificateAuthority, Flaw};
use crate::support::wait;

/// Programs that are the server, and the name to run each under.
const PROGRAMS: [(&str, &str); 4] = [
    ("valkey-server", "valkey-server"),
    ("valkey-check-rdb", "valkey-server"),
    ("redis-server", "redis-server"),
    ("redis-check-rdb", "redis-server"),
];

/// Files and folders of the server's data.
const DATA: [&str; 2] = ["dump.rdb", "appendonlydir"];

/// How to start a server.
#[derive(Clone, Default)]
pub struct StoreSetup {
    lines: String,
    password: Option<String>,
    is_tls: bool,
    is_persistent: bool,
    is_sentinel: bool,
    env: Vec<(String, String)>,
    /// Runs the program.
    wrapper: Vec<String>,
}

/// A running server; killed on drop.
pub struct StoreServer {
    setup: StoreSetup,
    program: PathBuf,
    directory: TempDir,
    port: ReservedPort,
    child: Option<Child>,
}

/// What a server has of its data once it runs again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreData {
    /// All of it, if the server is [persistent](StoreSetup::persistent).
    Kept,
    Lost,
}

/// How often a command ran, and for how long.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CommandCalls {
    pub calls: u64,
    pub time: Duration,
}

/// A loopback port that no other socket gets: one is bound to it, but does not listen,
/// which leaves it to a server that sets `SO_REUSEADDR`.
struct ReservedPort {
    number: u16,
    _socket: Socket,
}

// === impl StoreSetup ===

impl StoreSetup {
    /// A server on a loopback port and on a Unix-domain socket, which keeps its data in
    /// memory only.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds lines to the server's configuration.
    pub fn lines(mut self, lines: &str) -> Self {
        writeln!(self.lines, "{lines}").unwrap();
        self
    }

    /// Requires this password of all clients.
    pub fn password(mut self, password: &str) -> Self {
        self.password = Some(password.to_owned());
        self
    }

    /// Writes each change to disk before the response, so that a kill loses none.
    pub fn persistent(mut self) -> Self {
        self.is_persistent = true;
        self
    }

    /// The port takes TLS only, with a certificate of this authority for 127.0.0.1.
    pub fn tls(mut self, authority: &CertificateAuthority, directory: &Path) -> Self {
        let issued = authority.issue("127.0.0.1", Flaw::None);
        self.is_tls = true;
        let files = [
            ("tls-cert-file", "store.pem", issued.pem().to_owned()),
            ("tls-key-file", "store.key", issued.key_pem()),
            (
                "tls-ca-cert-file",
                "store-ca.pem",
                authority.pem().to_owned(),
            ),
        ];
        for (key, name, content) in files {
            let path = directory.join(name);
            std::fs::write(&path, content).unwrap();
            self = self.lines(&format!("{key} {}", path.display()));
        }
        if self.lines.contains("tls-auth-clients") {
            return self;
        }
        self.lines("tls-auth-clients optional")
    }

    /// A sentinel; the lines say what it monitors.
    pub fn sentinel(mut self) -> Self {
        self.is_sentinel = true;
        self
    }

    /// Sets a variable of its environment.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Starts it by way of a program that becomes the server, such as `unshare --net`.
    pub fn wrapper(mut self, words: &[&str]) -> Self {
        self.wrapper = words.iter().map(|word| (*word).to_owned()).collect();
        self
    }

    /// Starts it and waits until it responds. `None` where no server is installed, which
    /// in CI fails the test.
    #[track_caller]
    pub fn start(self) -> Option<StoreServer> {
        let Some((program, name)) = program() else {
            let cure = "install valkey-server, valkey-tools or redis-tools";
            assert!(std::env::var_os("CI").is_none(), "no server: {cure}");
            eprintln!("skipped: no Valkey or Redis server: {cure}");
            return None;
        };
        let directory = tempfile::tempdir().unwrap();
        let link = directory.path().join(name);
        std::os::unix::fs::symlink(program, &link).unwrap();
        let mut server = StoreServer {
            setup: self,
            program: link,
            directory,
            port: ReservedPort::new(),
            child: None,
        };
        server.spawn();
        Some(server)
    }

    fn config(&self, port: u16, directory: &Path) -> String {
        let folder = directory.display();
        let port = match (self.is_tls, self.is_sentinel) {
            (true, _) => format!("port 0\ntls-port {port}"),
            (false, _) => format!("port {port}"),
        };
        let password = self.password.as_ref();
        let password = password.map_or_else(String::new, |it| format!("requirepass {it}"));
        let persistence = match (self.is_sentinel, self.is_persistent) {
            (true, _) => "",
            (false, true) => "save \"\"\nappendonly yes\nappendfsync always",
            (false, false) => "save \"\"\nappendonly no",
        };
        format!(
            "bind 127.0.0.1\n{port}\nunixsocket {folder}/store.sock\ndir {folder}\n\
             logfile {folder}/store.log\n{password}\n{persistence}\n{}",
            self.lines
        )
    }
}

// === impl StoreServer ===

impl StoreServer {
    /// See [`StoreSetup::new`] and [`StoreSetup::start`].
    #[track_caller]
    pub fn start() -> Option<Self> {
        StoreSetup::new().start()
    }

    pub fn port(&self) -> u16 {
        self.port.number
    }

    pub fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.port()))
    }

    /// Its URL by TCP, with the password if it requires one.
    pub fn url(&self) -> String {
        let scheme = if self.setup.is_tls { "rediss" } else { "redis" };
        let password = self.setup.password.as_ref();
        let user = password.map_or_else(String::new, |it| format!(":{it}@"));
        format!("{scheme}://{user}127.0.0.1:{}", self.port())
    }

    /// Its Unix-domain socket.
    pub fn socket(&self) -> PathBuf {
        self.directory.path().join("store.sock")
    }

    /// Runs a command of words; panics if it fails.
    #[track_caller]
    pub fn command<T: FromRedisValue>(&self, words: &[&str]) -> T {
        self.try_command(words)
            .unwrap_or_else(|error| panic!("{words:?}: {error}"))
    }

    pub fn try_command<T: FromRedisValue>(&self, words: &[&str]) -> RedisResult<T> {
        let client = redis::Client::open(self.control())?;
        let mut connection = client.get_connection()?;
        connection.set_read_timeout(Some(wait::DEADLINE))?;
        let mut command = redis::cmd(words[0]);
        command.arg(&words[1..]).query(&mut connection)
    }

    /// How often clients called this command (`evalsha`).
    #[track_caller]
    pub fn calls(&self, command: &str) -> CommandCalls {
        let text: String = self.command(&["INFO", "commandstats"]);
        let prefix = format!("cmdstat_{command}:");
        let line = text.lines().find_map(|line| line.strip_prefix(&prefix));
        let Some(line) = line else {
            return CommandCalls::default();
        };
        let number = |name: &str| -> u64 {
            let mut fields = line.split(',').filter_map(|field| field.split_once('='));
            let (_, value) = fields.find(|(found, _)| *found == name).unwrap();
            value.parse().unwrap()
        };
        CommandCalls {
            calls: number("calls"),
            time: Duration::from_micros(number("usec")),
        }
    }

    /// Lets no client's command through for a while, those of this struct included.
    #[track_caller]
    pub fn pause_clients(&self, duration: Duration) {
        let milliseconds = duration.as_millis().to_string();
        let _: () = self.command(&["CLIENT", "PAUSE", &milliseconds, "ALL"]);
    }

    /// Stops the process (`SIGSTOP`): connections stay open, and nothing is read.
    pub fn suspend(&self) {
        self.signal(Signal::STOP);
    }

    pub fn resume(&self) {
        self.signal(Signal::CONT);
    }

    /// The number of the process.
    pub fn pid(&self) -> u32 {
        self.child.as_ref().expect("a running server").id()
    }

    /// Kills it (`SIGKILL`); connections are refused from now on.
    #[track_caller]
    pub fn kill(&mut self) {
        let mut child = self.child.take().expect("a running server");
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Starts it again at the same addresses.
    #[track_caller]
    pub fn restart(&mut self, data: StoreData) {
        if self.child.is_some() {
            self.kill();
        }
        if data == StoreData::Lost {
            for name in DATA {
                let path = self.directory.path().join(name);
                let _ = std::fs::remove_file(&path);
                let _ = std::fs::remove_dir_all(&path);
            }
        }
        self.spawn();
    }

    /// What it wrote to its log.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("store.log")).unwrap_or_default()
    }

    #[track_caller]
    fn spawn(&mut self) {
        let config = self.directory.path().join("store.conf");
        let text = self.setup.config(self.port(), self.directory.path());
        std::fs::write(&config, text).unwrap();
        let _ = std::fs::remove_file(self.socket());
        let mut words: Vec<&OsStr> = self.setup.wrapper.iter().map(OsStr::new).collect();
        words.push(self.program.as_os_str());
        let mut command = Command::new(words[0]);
        command.args(&words[1..]).arg(config);
        command.envs(self.setup.env.iter().map(|(name, value)| (name, value)));
        if self.setup.is_sentinel {
            command.arg("--sentinel");
        }
        let null = [Stdio::null(), Stdio::null(), Stdio::null()];
        let [input, output, errors] = null;
        let command = command.stdin(input).stdout(output).stderr(errors);
        self.child = Some(command.spawn().unwrap());
        wait::until("the store to respond", || {
            let child = self.child.as_mut().unwrap();
            let ended = child.try_wait().unwrap();
            assert!(ended.is_none(), "the store ended: {ended:?}");
            self.try_command::<String>(&["PING"]).ok()
        });
    }

    fn signal(&self, signal: Signal) {
        let child = self.child.as_ref().expect("a running server");
        kill_process(Pid::from_child(child), signal).unwrap();
    }

    fn control(&self) -> ConnectionInfo {
        let mut url = format!("redis+unix://{}", self.socket().display());
        if let Some(password) = &self.setup.password {
            write!(url, "?pass={password}").unwrap();
        }
        url.into_connection_info().unwrap()
    }
}

impl Drop for StoreServer {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
        if std::thread::panicking() {
            eprintln!("log of the store:\n{}", self.log());
        }
    }
}

// === impl ReservedPort ===

impl ReservedPort {
    fn new() -> Self {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.set_reuse_address(true).unwrap();
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        socket.bind(&any.into()).unwrap();
        let address = socket.local_addr().unwrap().as_socket().unwrap();
        Self {
            number: address.port(),
            _socket: socket,
        }
    }
}

/// The first program in `PATH` that is a server, and its name as one.
fn program() -> Option<(PathBuf, &'static str)> {
    let path = std::env::var_os("PATH")?;
    PROGRAMS.iter().find_map(|(file, name)| {
        let mut folders = std::env::split_paths(&path);
        let program = folders.find_map(|folder| {
            let program = folder.join(file);
            program.is_file().then_some(program)
        });
        Some((program?, *name))
    })
}
