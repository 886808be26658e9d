//! No core dump holds keys, prompts or responses.

use std::os::unix::process::ExitStatusExt;

use crate::support::gateway::Setup;

#[test]
fn a_crash_leaves_no_core_dump() {
    let mut gateway = Setup::new()
        .shell("{ ulimit -c unlimited || true; }")
        .start();
    let limits = std::fs::read_to_string(gateway.proc_dir().join("limits")).unwrap();
    let core = limits.lines().find(|line| line.contains("core file size"));
    let numbers = core.unwrap().split_whitespace().skip(4).take(2);
    assert_eq!(numbers.collect::<Vec<_>>(), ["0", "0"], "{core:?}");
    gateway.signal("ABRT");
    let status = gateway.wait_for_exit();
    assert_eq!(status.signal(), Some(6));
    assert!(!status.core_dumped());
}

/// A core handler (`core_pattern` with a pipe) runs regardless of the limit (core(5)).
#[cfg(target_os = "linux")]
#[test]
fn a_core_handler_gets_no_memory() {
    let gateway = Setup::new().start();
    let filter = std::fs::read_to_string(gateway.proc_dir().join("coredump_filter")).unwrap();
    assert_eq!(u32::from_str_radix(filter.trim(), 16), Ok(0));
}
