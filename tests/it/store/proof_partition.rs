//! A partition of a real network between one replica and the store, in each direction.
//! The test needs network namespaces, which Linux grants to users that may create a user
//! namespace; elsewhere it is skipped.
//!
//! The store is in a namespace of its own, at the other end of a pair of interfaces. A
//! route that leads nowhere loses what is sent by it, so TCP sends it again, and a new
//! connection hangs or is refused.

use std::process::Command;

use super::proof_budget::{REPLICAS, await_billed, daily};
use super::proof_outages::{await_store, without_store};
use super::replicas::{Storm, replica};
use crate::limits::proof_load::{DOLLAR, Load};
use crate::support::gateway::Gateway;
use crate::support::store_server::{StoreServer, StoreSetup};

/// The store's addresses, by which the first replica reaches it and by which the others do.
const STORE: [&str; 2] = ["10.9.0.2", "10.9.0.3"];
/// Where those connections come from.
const REPLICA: [&str; 2] = ["10.9.0.4", "10.9.0.5"];

const CALLERS: u64 = 60;
const IN_NAMESPACE: [&str; 3] = ["--user", "--map-root-user", "--net"];

/// A route at one of the two sides.
#[derive(Clone, Copy)]
struct Cut<'n> {
    store: &'n StoreServer,
    direction: Direction,
}

#[derive(Clone, Copy, Debug)]
enum Direction {
    ToStore,
    FromStore,
}

fn shell(script: &str) {
    let output = Command::new("sh").args(["-e", "-c", script]).output();
    let output = output.unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{script}: {errors}");
}

/// Runs commands in the namespace of the store.
fn shell_at_store(store: &StoreServer, script: &str) {
    let pid = store.pid();
    shell(&format!(
        "nsenter --net=/proc/{pid}/ns/net sh -e -c '{script}'"
    ));
}

fn connect_namespaces(store: &StoreServer) {
    let pid = store.pid();
    let [first, others] = REPLICA;
    shell(&format!(
        "ip link add near type veth peer name far
         ip link set far netns {pid}
         ip addr add {first}/32 dev near
         ip addr add {others}/32 dev near
         ip link set near up"
    ));
    let addresses = STORE.map(|it| format!("ip addr add {it}/32 dev far\n"));
    let routes = REPLICA.map(|it| format!("ip route add {it}/32 dev far\n"));
    shell_at_store(
        store,
        &format!(
            "ip link set lo up\n{}ip link set far up\n{}",
            addresses.concat(),
            routes.concat()
        ),
    );
    for (to, from) in STORE.iter().zip(REPLICA) {
        shell(&format!("ip route add {to}/32 dev near src {from}"));
    }
}

// === impl Cut ===

impl Cut<'_> {
    /// Loses all packets in its direction from now on.
    fn begin(&self) {
        self.set_route("replace blackhole", "");
    }

    fn end(&self) {
        match self.direction {
            Direction::ToStore => {
                self.set_route("replace", &format!("dev near src {}", REPLICA[0]));
            }
            Direction::FromStore => self.set_route("replace", "dev far"),
        }
    }

    fn set_route(&self, action: &str, by: &str) {
        match self.direction {
            Direction::ToStore => shell(&format!("ip route {action} {}/32 {by}", STORE[0])),
            Direction::FromStore => {
                let script = format!("ip route {action} {}/32 {by}", REPLICA[0]);
                shell_at_store(self.store, &script);
            }
        }
    }
}

#[test]
fn a_partition_of_the_network_in_either_direction_spends_nothing_twice() {
    let mut probe = Command::new("unshare");
    let probe = probe.args(IN_NAMESPACE).args(["unshare", "--net", "true"]);
    let has_namespaces = probe.output().is_ok_and(|it| it.status.success());
    if !has_namespaces || StoreServer::start().is_none() {
        eprintln!("skipped: no network namespace available");
        return;
    }
    let mut command = Command::new("unshare");
    command.args(IN_NAMESPACE).args(["sh", "-c"]);
    command.arg("ip link set lo up && exec \"$0\" --ignored --exact --nocapture store::proof_partition::in_namespaces");
    let output = command.arg(std::env::current_exe().unwrap()).output();
    let output = output.unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && text.contains("1 passed"),
        "{text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
#[ignore = "run by another test, in a network namespace"]
fn in_namespaces() {
    let setup = StoreSetup::new().lines("bind 0.0.0.0\nprotected-mode no");
    let store = setup.wrapper(&["unshare", "--net"]).start().unwrap();
    connect_namespaces(&store);
    for direction in [Direction::ToStore, Direction::FromStore] {
        let _: () = store.command(&["FLUSHALL"]);
        let load = Load::start();
        let start = |index: usize| {
            let address = STORE[index.min(1)];
            let url = format!("redis://{address}:{}", store.port());
            replica(&load, &url, &daily(1)).start()
        };
        let gateways: Vec<Gateway> = (0..REPLICAS).map(start).collect();
        await_store(&gateways, true);
        let spending = Storm::new(&load, DOLLAR, &gateways.iter().collect::<Vec<_>>());
        let cut = Cut {
            store: &store,
            direction,
        };
        spending.run(CALLERS, || {
            await_billed(&load, DOLLAR, 30);
            cut.begin();
            await_store(&gateways[..1], false);
            cut.end();
            await_store(&gateways, true);
        });
        spending.check(without_store(DOLLAR / 100 * 70));
    }
}
