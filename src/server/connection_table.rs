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

#[cfg(test)]
mod tests {
    use std::rc::Rc;
    use std::time::Duration;

    use tokio::time::advance;

    use super::{ConnectionTable, IdleRank, TableEntry};
    use crate::drain::DrainSignal;
    use crate::server::connection::state::ConnState;

    const TIMEOUT: Duration = Duration::from_secs(60);

    fn open(table: &Rc<ConnectionTable>) -> TableEntry {
        let drain = DrainSignal::new().watch();
        table.insert(ConnState::new(drain, TIMEOUT, TIMEOUT))
    }

    fn ranks(table: &ConnectionTable) -> Vec<IdleRank> {
        let idle = table.longest_idle(10);
        idle.into_iter().map(|at| at.rank).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn a_new_connection_has_time_for_its_first_bytes_and_its_head() {
        let table = Rc::new(ConnectionTable::default());
        let silent = open(&table);
        let in_head = open(&table);
        in_head.state.set_head_begun();
        assert_eq!(ranks(&table), []);
        advance(Duration::from_millis(300)).await;
        assert_eq!(ranks(&table), [IdleRank::Idle]);
        advance(Duration::from_secs(1)).await;
        assert_eq!(ranks(&table), [IdleRank::Idle, IdleRank::InHead]);
        // Served, and idle again: at once.
        drop(in_head.state.start_request());
        assert_eq!(ranks(&table), [IdleRank::Idle, IdleRank::Idle]);
        drop(silent);
        assert_eq!(ranks(&table), [IdleRank::Idle]);
    }

    #[tokio::test(start_paused = true)]
    async fn those_that_are_idle_longest_are_evicted() {
        let table = Rc::new(ConnectionTable::default());
        let mut entries = Vec::new();
        for _ in 0..5 {
            entries.push(open(&table));
            advance(Duration::from_secs(1)).await;
        }
        let _busy = entries[0].state.start_request();
        let idle = table.longest_idle(2);
        assert_eq!(table.evict_idle(*idle.iter().max().unwrap()), 2);
        let is_ending = entries.iter().map(|entry| entry.state.is_ending());
        assert_eq!(
            is_ending.collect::<Vec<_>>(),
            [false, true, true, false, false]
        );
    }
}
