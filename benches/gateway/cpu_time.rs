//! CPU time and memory of a process group (a gateway and its workers), from
//! `/proc`.

use std::fs;
use std::path::Path;

/// Nanoseconds in a tick of `/proc/PID/stat`: Linux exposes a hundred ticks per
/// second on every machine this runs on.
const TICK: u64 = 10_000_000;

/// CPU time used and memory held by a group.
#[derive(Debug, Clone, Copy, Default)]
pub struct Usage {
    /// User and system time, in nanoseconds.
    pub cpu: u64,
    /// Resident memory in KiB; shared pages count for each process.
    pub resident: u64,
    /// Peak resident memory in KiB, the sum of each process's own peak.
    pub peak: u64,
    /// Running processes.
    pub processes: u32,
}

pub fn of_group(group: u32) -> Usage {
    let mut all = Usage::default();
    let Ok(processes) = fs::read_dir("/proc") else {
        return all;
    };
    for process in processes.flatten() {
        let path = process.path();
        if let Some(ticks) = ticks_in_group(&path, group) {
            let (resident, peak) = memory(&path);
            // Ticks include threads that have ended.
            all.cpu += scheduled(&path).unwrap_or(0).max(ticks * TICK);
            all.resident += resident;
            all.peak += peak;
            all.processes += 1;
        }
    }
    all
}

/// CPU time in nanoseconds of the whole machine, including time stolen by the
/// hypervisor.
pub fn of_machine() -> u64 {
    let stat = fs::read_to_string("/proc/stat").unwrap_or_default();
    let numbers = stat.lines().next().unwrap_or_default().split_whitespace();
    let columns: Vec<u64> = numbers.filter_map(|number| number.parse().ok()).collect();
    // user, nice, system, idle, iowait, irq, softirq, steal; proc(5).
    let busy = columns.iter().enumerate().take(8);
    busy.filter(|(column, _)| !matches!(column, 3 | 4))
        .map(|(_, ticks)| ticks * TICK)
        .sum()
}

/// Ticks of user and system time, if this is a running process of the group.
fn ticks_in_group(process: &Path, group: u32) -> Option<u64> {
    let stat = fs::read_to_string(process.join("stat")).ok()?;
    // The name, in parentheses, may contain anything; numbers follow it.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let field = |number: usize| fields.get(number - 3).copied();
    if field(3)? == "Z" || field(5)?.parse() != Ok(group) {
        return None;
    }
    let ticks = |number| field(number)?.parse::<u64>().ok();
    Some(ticks(14)? + ticks(15)?)
}

/// The scheduler's run time of each thread, in nanoseconds. Ticks are too coarse
/// for short windows.
fn scheduled(process: &Path) -> Option<u64> {
    let mut sum = 0;
    for task in fs::read_dir(process.join("task")).ok()?.flatten() {
        let text = fs::read_to_string(task.path().join("schedstat")).ok()?;
        sum += text.split_whitespace().next()?.parse::<u64>().ok()?;
    }
    (sum > 0).then_some(sum)
}

fn memory(process: &Path) -> (u64, u64) {
    let status = fs::read_to_string(process.join("status")).unwrap_or_default();
    let kib = |key: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(key));
        let number = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
        number.unwrap_or(0)
    };
    (kib("VmRSS:"), kib("VmHWM:"))
}
