//! Any sequence of requests that wait, leave and end: first come, first served.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use proptest::prelude::*;
use tokio::task::JoinHandle;

use super::{amount, one_request, request, rule, rules, usage};
use crate::config::{LimitUnit, Period};
use crate::limits::{LimitClock, LimitSet, Reservation};

const PERMITS: u64 = 2;
/// A second.
const RATE: u64 = 5;

#[derive(Clone, Debug)]
enum Step {
    Start,
    /// One of those that have not got through leaves.
    Leave(usize),
    /// One of those that run ends.
    End(usize),
    /// So many milliseconds pass.
    Pass(u64),
}

/// What got through, in order, with its reservation while it runs.
type Passed = Arc<Mutex<Vec<(usize, Option<Reservation>)>>>;

struct Run {
    set: Arc<LimitSet>,
    passed: Passed,
    tasks: Vec<(usize, JoinHandle<()>)>,
    started: usize,
}

impl Run {
    fn new() -> Self {
        let mut limit = rule(
            "limit",
            &[],
            &[amount(LimitUnit::Requests, RATE, Period::Second)],
        );
        limit.concurrent = Some(PERMITS);
        limit.wait = Duration::from_secs(10_000);
        Self {
            set: Arc::new(rules(&[limit])),
            passed: Passed::default(),
            tasks: Vec::new(),
            started: 0,
        }
    }

    fn start(&mut self) {
        let (set, passed, id) = (
            Arc::clone(&self.set),
            Arc::clone(&self.passed),
            self.started,
        );
        self.started += 1;
        let task = tokio::spawn(async move {
            let usage = usage(one_request());
            let caller = set.caller(Some(0));
            if let Ok(acquired) = caller.acquire(&request("m"), &usage).await {
                let entry = (id, Some(acquired.reservation));
                passed.lock().unwrap().push(entry);
            }
        });
        self.tasks.push((id, task));
    }

    fn end(&self, index: usize) {
        let mut passed = self.passed.lock().unwrap();
        let mut running: Vec<_> = passed.iter_mut().filter(|it| it.1.is_some()).collect();
        if !running.is_empty() {
            let index = index % running.len();
            let reservation = running[index].1.take().unwrap();
            reservation.settle(LimitClock::now(), &one_request());
        }
    }

    async fn apply(&mut self, step: &Step) {
        self.tasks.retain(|(_, task)| !task.is_finished());
        match *step {
            Step::Start => self.start(),
            Step::Leave(index) if !self.tasks.is_empty() => {
                let index = index % self.tasks.len();
                self.tasks.remove(index).1.abort();
            }
            Step::Leave(_) => {}
            Step::End(index) => self.end(index),
            Step::Pass(time) => tokio::time::sleep(Duration::from_millis(time)).await,
        }
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
    }

    fn check(&self) -> Result<(), TestCaseError> {
        let passed = self.passed.lock().unwrap();
        prop_assert!(passed.is_sorted_by_key(|it| it.0), "out of order");
        let running = passed.iter().filter(|it| it.1.is_some()).count() as u64;
        prop_assert!(running <= PERMITS);
        Ok(())
    }

    /// All that still wait get through, and nothing is left.
    async fn finish(mut self) -> Result<(), TestCaseError> {
        for _ in 0..=self.started {
            self.apply(&Step::Pass(1_000)).await;
            self.end(0);
        }
        self.apply(&Step::Pass(1_000)).await;
        self.check()?;
        prop_assert!(
            self.tasks.iter().all(|(_, task)| task.is_finished()),
            "one is stuck"
        );
        self.passed.lock().unwrap().clear();
        let now = LimitClock::now();
        prop_assert!(self.set.report(now)[0].quotas.iter().all(|it| it.used == 0));
        let queues = &self.set.rules()[0].terms.queues;
        prop_assert!(queues.are_empty(), "a queue is left");
        Ok(())
    }
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => Just(Step::Start),
        1 => any::<usize>().prop_map(Step::Leave),
        3 => any::<usize>().prop_map(Step::End),
        2 => (0_u64..500).prop_map(Step::Pass),
    ];
    prop::collection::vec(step, 1..60)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn those_that_wait_get_through_in_order(steps in steps()) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(async {
            let mut run = Run::new();
            for step in &steps {
                run.apply(step).await;
                run.check()?;
            }
            run.finish().await
        })?;
    }
}
