//! A semaphore that can be resized while permits are held.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Permits are issued in the order of the requests for them.
#[derive(Debug)]
pub struct ResizableSemaphore {
    semaphore: Arc<Semaphore>,
    limit: AtomicUsize,
    /// Permits to be removed as soon as they are released.
    debt: AtomicUsize,
}

/// Released on drop.
#[derive(Debug)]
pub struct Permit {
    permit: Option<OwnedSemaphorePermit>,
    semaphore: Arc<ResizableSemaphore>,
}

impl ResizableSemaphore {
    #[must_use]
    pub fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self {
            semaphore: Arc::new(Semaphore::new(limit)),
            limit: AtomicUsize::new(limit),
            debt: AtomicUsize::new(0),
        })
    }

    #[must_use]
    pub fn try_acquire(self: &Arc<Self>) -> Option<Permit> {
        let permit = Arc::clone(&self.semaphore).try_acquire_owned().ok()?;
        Some(self.issue(permit))
    }

    pub async fn acquire(self: &Arc<Self>) -> Permit {
        loop {
            // Fails only for a closed semaphore; this one is never closed.
            if let Ok(permit) = Arc::clone(&self.semaphore).acquire_owned().await {
                return self.issue(permit);
            }
        }
    }

    /// Changes the limit. Permits held stay valid: if more are held than the new limit,
    /// none is issued until enough are released. Must not be called concurrently.
    pub fn resize(&self, limit: usize) {
        let before = self.limit.swap(limit, Ordering::Relaxed);
        if let Some(removed) = before.checked_sub(limit) {
            let forgotten = self.semaphore.forget_permits(removed);
            self.debt.fetch_add(removed - forgotten, Ordering::Relaxed);
            return;
        }
        let mut added = limit - before;
        while added > 0 && self.repay() {
            added -= 1;
        }
        self.semaphore.add_permits(added);
    }

    /// Permits held above the limit.
    #[must_use]
    pub fn debt(&self) -> usize {
        self.debt.load(Ordering::Relaxed)
    }

    fn issue(self: &Arc<Self>, permit: OwnedSemaphorePermit) -> Permit {
        Permit {
            permit: Some(permit),
            semaphore: Arc::clone(self),
        }
    }

    /// Reduces the debt by one; false if there is none.
    fn repay(&self) -> bool {
        let debt = &self.debt;
        debt.load(Ordering::Relaxed) > 0
            && debt
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |debt| {
                    debt.checked_sub(1)
                })
                .is_ok()
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if self.semaphore.repay()
            && let Some(permit) = self.permit.take()
        {
            permit.forget();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::ResizableSemaphore;

    #[test]
    fn a_smaller_limit_holds_once_enough_permits_are_released() {
        let semaphore = ResizableSemaphore::new(3);
        let mut held: Vec<_> = (0..3).map(|_| semaphore.try_acquire().unwrap()).collect();
        semaphore.resize(1);
        held.pop();
        held.pop();
        assert!(semaphore.try_acquire().is_none(), "one is still held");
        held.pop();
        let last = semaphore.try_acquire();
        assert!(last.is_some());
        assert!(semaphore.try_acquire().is_none());
    }

    #[test]
    fn a_larger_limit_holds_at_once() {
        let semaphore = ResizableSemaphore::new(1);
        let _held = semaphore.try_acquire().unwrap();
        semaphore.resize(2);
        let _more = semaphore.try_acquire().unwrap();
        assert!(semaphore.try_acquire().is_none());
    }

    #[test]
    fn debt_is_repaid_before_permits_are_added() {
        let semaphore = ResizableSemaphore::new(2);
        let held = (
            semaphore.try_acquire().unwrap(),
            semaphore.try_acquire().unwrap(),
        );
        semaphore.resize(1);
        semaphore.resize(2);
        assert!(semaphore.try_acquire().is_none());
        drop(held);
        let _taken = (
            semaphore.try_acquire().unwrap(),
            semaphore.try_acquire().unwrap(),
        );
        assert!(semaphore.try_acquire().is_none());
    }
}
