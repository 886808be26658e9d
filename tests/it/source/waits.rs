//! A test waits for the output that it reads: a line reaches it through a pipe, later
//! than the metric or the response that the same event causes.

use super::{files_below, read};

/// What gives the output as far as it was read (`support/gateway.rs`).
const READS: [&str; 2] = ["gateway.output()", ".log_lines_at("];

/// What a read may follow: a wait whose condition it is, or the end of the output.
const WAITS: [&str; 3] = ["until(", "while !", ".wait("];
const END: &str = ".wait_for_exit()";

/// Lines between the start of a wait and a read in its condition.
const MAX_DISTANCE: usize = 4;

/// The numbers of the lines that read output without a wait for it.
fn unawaited(source: &str) -> Vec<usize> {
    let lines: Vec<&str> = source.lines().collect();
    let mut found = Vec::new();
    let mut has_ended = false;
    for (index, line) in lines.iter().enumerate() {
        let code = line.trim_start();
        if code.starts_with("fn ") || code.starts_with("pub fn ") {
            has_ended = false;
        }
        has_ended |= line.contains(END);
        let is_read = READS.iter().any(|read| line.contains(read))
            || (code == ".output()" && lines[index.saturating_sub(1)].ends_with("gateway"));
        let before = &lines[index.saturating_sub(MAX_DISTANCE)..=index];
        let is_awaited = before
            .iter()
            .any(|line| WAITS.iter().any(|wait| line.contains(wait)));
        if is_read && !is_awaited && !has_ended {
            found.push(index + 1);
        }
    }
    found
}

#[test]
fn s2_no_test_reads_output_that_it_has_not_waited_for() {
    let mut found = Vec::new();
    for file in files_below("tests/it", &["rs"]) {
        if file.starts_with("tests/it/support") || file.starts_with("tests/it/source") {
            continue;
        }
        let lines = unawaited(&read(&file)).into_iter();
        found.extend(lines.map(|line| format!("{}:{line}", file.display())));
    }
    assert!(
        found.is_empty(),
        "use Gateway::await_log for a line, Gateway::finish for its absence: {found:#?}"
    );
}

#[test]
fn a_read_without_a_wait_is_found() {
    for (source, expected) in [
        (
            "fn a() {\n    let lines = gateway.log_lines_at(\"WARN\");\n}",
            &[2][..],
        ),
        ("fn a() {\n    !gateway.output().contains(\"x\");\n}", &[2]),
        (
            "fn a() {\n    gateway\n        .output()\n        .contains(\"x\");\n}",
            &[3],
        ),
        (
            "fn a() {\n    wait::until(\"x\", || {\n        gateway.output().contains(\"x\")\n    });\n}",
            &[],
        ),
        (
            "fn a() {\n    gateway.wait_for_exit();\n    gateway.output();\n}\nfn b() {\n    gateway.output();\n}",
            &[6],
        ),
    ] {
        assert_eq!(unawaited(source), expected, "{source}");
    }
}
