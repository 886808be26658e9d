//! The open connections of a worker, of which those that are idle longest are closed
//! when new ones need room.

use std::cell::RefCell;
use std::rc::Rc;

use slab::Slab;
use tokio::time::Instant;

use super::connection::state::ConnState;

/// Searched only when the limit is reached: a connection pays nothing for being in it.
#[derive(Debug, Default)]
pub struct ConnectionTable(RefCell<Slab<Rc<ConnState>>>);

/// A connection in the table, until it is dropped.
#[derive(Debug)]
pub struct TableEntry {
    pub state: Rc<ConnState>,
    table: Rc<ConnectionTable>,
    key: usize,
}

/// The order of eviction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct IdleSince {
    pub rank: IdleRank,
    pub since: Instant,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum IdleRank {
    /// Nothing has arrived since the connection was accepted, or since its last response.
    Idle,
    /// A request head or TLS handshake is incomplete.
    InHead,
}

// === impl ConnectionTable ===

impl ConnectionTable {
    #[must_use]
    pub fn insert(self: &Rc<Self>, state: Rc<ConnState>) -> TableEntry {
        TableEntry {
            key: self.0.borrow_mut().insert(Rc::clone(&state)),
            table: Rc::clone(self),
            state,
        }
    }

    /// The first `count` connections in the order of eviction.
    #[must_use]
    pub fn longest_idle(&self, count: usize) -> Vec<IdleSince> {
        let now = Instant::now();
        let connections = self.0.borrow();
        let states = connections.iter().map(|(_, state)| state);
        let mut idle: Vec<_> = states.filter_map(|state| state.idle_since(now)).collect();
        if count < idle.len() {
            idle.select_nth_unstable(count);
            idle.truncate(count);
        }
        idle
    }

    /// Evicts the connections up to this one in the order of eviction; returns their
    /// number.
    pub fn evict_idle(&self, last: IdleSince) -> usize {
        let now = Instant::now();
        let connections = self.0.borrow();
        let states = connections.iter().map(|(_, state)| state);
        let is_due = |state: &&Rc<ConnState>| state.idle_since(now).is_some_and(|at| at <= last);
        let due = states.filter(is_due);
        due.map(|state| state.evict(now)).count()
    }
}

// === impl TableEntry ===

impl Drop for TableEntry {
    fn drop(&mut self) {
        self.table.0.borrow_mut().try_remove(self.key);
    }
}
