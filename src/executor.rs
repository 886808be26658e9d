//! Executors: a connection's tasks stay on its worker; allocation-heavy work runs on
//! a temporary thread.

use std::panic::resume_unwind;
use std::thread;

use tokio::task::spawn_local;

/// Runs hyper's tasks on the worker that serves their connection.
#[derive(Debug, Clone, Copy)]
pub struct LocalExecutor;

impl<F> hyper::rt::Executor<F> for LocalExecutor
where
    F: Future<Output = ()> + 'static,
{
    fn execute(&self, future: F) {
        spawn_local(future);
    }
}

/// Runs `work` on a temporary thread and returns a copy of its result. An allocator
/// seldom returns memory that lies between live allocations; the arena of a thread
/// that has left none is returned whole.
pub fn on_scratch_thread<T: Clone + Send>(work: impl FnOnce() -> T + Send) -> T {
    let joined = thread::scope(|scope| scope.spawn(work).join());
    let original = joined.unwrap_or_else(|panic| resume_unwind(panic));
    let copy = original.clone();
    // Dropped on a thread of its own: this one would keep some of the memory.
    let dropped = thread::scope(|scope| scope.spawn(move || drop(original)).join());
    dropped.unwrap_or_else(|panic| resume_unwind(panic));
    copy
}
