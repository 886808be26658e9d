//! Metrics of the process, read from the operating system at each scrape.

use std::time::Duration;

use metrics_process::collector;

use super::{
    PROCESS_CPU, PROCESS_MAX_FDS, PROCESS_MEMORY, PROCESS_OPEN_FDS, PROCESS_START_TIME, Registry,
};

/// What the system does not tell is left out.
pub(super) fn collect(registry: &Registry) {
    let process = collector::collect();
    let cpu = process.cpu_seconds_total;
    if let Some(cpu) = cpu.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()) {
        let nanoseconds = u64::try_from(cpu.as_nanos()).unwrap_or(u64::MAX);
        registry.counter(&PROCESS_CPU, &[]).absolute(nanoseconds);
    }
    let gauges = [
        (PROCESS_MEMORY, process.resident_memory_bytes),
        (PROCESS_OPEN_FDS, process.open_fds),
        (PROCESS_MAX_FDS, process.max_fds),
        (PROCESS_START_TIME, process.start_time_seconds),
    ];
    for (metric, value) in gauges {
        if let Some(value) = value {
            registry.gauge(&metric, &[]).set(value as f64);
        }
    }
}
