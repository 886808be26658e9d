//! Which thread does what: a connection's work stays on the thread that began
//! it, and work that leaves much litter gets one of its own.

use std::panic::resume_unwind;
use std::thread;

use tokio::task::spawn_local;

/// Runs hyper's own tasks on the worker that serves their connection.
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

/// Does `work` on a thread of its own and gives a copy of what it made. An
/// allocator seldom gives memory back that lies between things still in use;
/// the memory of a thread that left nothing behind goes back whole.
pub fn apart<T: Clone + Send>(work: impl FnOnce() -> T + Send) -> T {
    let done = thread::scope(|scope| scope.spawn(work).join());
    let original = done.unwrap_or_else(|panic| resume_unwind(panic));
    let copy = original.clone();
    // This thread would keep some of the memory for its own use.
    let dropped = thread::scope(|scope| scope.spawn(move || drop(original)).join());
    dropped.unwrap_or_else(|panic| resume_unwind(panic));
    copy
}
