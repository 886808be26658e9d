//! Reloads of damaged files, and without the means to watch files (docs/faults.md#wo-04,
//! #wo-06).

use std::process::Command;

use super::reload::{RELOADS, alias, keys, wait_for_model};
use crate::routing::failover::healthy_upstream;
use crate::support::client::Request;
use crate::support::gateway::Setup;

#[test]
fn wo04_a_rotation_to_a_damaged_key_keeps_the_old_one() {
    let upstream = healthy_upstream();
    let setup = Setup::new();
    setup.file("key", b"old-key\r\n");
    let gateway = setup
        .section(&format!(
            "[providers.up]\nbase_url = \"{}\"\napi_key_file = \"key\"\n{}",
            upstream.base_url(),
            alias("m")
        ))
        .start();
    let damaged: [&[u8]; 7] = [
        b"new-key\n\n",
        b"new-key\nsk-b\n",
        b"new-key \n",
        b"\xEF\xBB\xBFnew-key",
        b"\"new-key\"",
        b"KEY=new-key",
        b"",
    ];
    for (index, bytes) in (1_u32..).zip(damaged) {
        std::fs::write(gateway.directory().join("key.new"), bytes).unwrap();
        std::fs::rename(
            gateway.directory().join("key.new"),
            gateway.directory().join("key"),
        )
        .unwrap();
        gateway.await_metric(RELOADS, &[("result", "rejected")], index.into());
        assert_eq!(gateway.send(&Request::chat("m")).status, 200);
        let successful = gateway
            .metrics()
            .sum("trunkline_config_last_reload_successful", &[]);
        assert_eq!(successful, Some(0.0));
    }
    assert!(keys(&upstream).iter().all(|key| key == "Bearer old-key"));
    assert!(!gateway.finish().contains("new-key"));
}

/// Runs the rest where no inotify instance is left; only that user namespace is affected.
const WITHOUT_INOTIFY: &str = "exec unshare --user --map-root-user /bin/sh -c \
    'echo 0 > /proc/sys/user/max_inotify_instances && exec \"$0\" \"$@\"' \"$0\" \"$@\"";

#[test]
fn wo06_without_an_inotify_instance_files_are_polled() {
    let may_unshare = Command::new("unshare")
        .args(["--user", "--map-root-user", "sh", "-c"])
        .arg("echo 0 > /proc/sys/user/max_inotify_instances")
        .output();
    if !may_unshare.is_ok_and(|output| output.status.success()) {
        eprintln!("skipped: this system allows no user namespace");
        return;
    }
    let upstream = healthy_upstream();
    let gateway = Setup::with_upstream(&upstream)
        .shell(WITHOUT_INOTIFY)
        .start();
    gateway.edit(|text| text + &alias("polled"));
    wait_for_model(&gateway, "polled");
    let before = gateway.open_descriptors();
    gateway.reload(|text| text + &alias("signalled"));
    wait_for_model(&gateway, "signalled");
    for count in 0..20 {
        gateway.reload(|text| text + &alias(&format!("m{count}")));
    }
    assert!(gateway.open_descriptors() <= before + 3);
    let output = gateway.finish();
    assert_eq!(output.matches("cannot watch").count(), 1, "{output}");
}
