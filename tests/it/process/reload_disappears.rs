//! A configuration that disappears, or is half written, changes nothing: it never
//! opens the gateway.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::reload::{RELOADS, alias, wait_for_model};
use crate::routing::failover::healthy_upstream;
use crate::support::client::Request;
use crate::support::gateway::{Gateway, Setup};
use crate::support::upstream::Upstream;
use crate::support::wait;

const SUCCESSFUL: &str = "trunkline_config_last_reload_successful";

fn guarded(upstream: &Upstream) -> Setup {
    Setup::with_upstream(upstream).key("a", "sk-a", "")
}

fn path(gateway: &Gateway) -> PathBuf {
    gateway.directory().join("test.toml")
}

fn text(gateway: &Gateway) -> String {
    fs::read_to_string(path(gateway)).unwrap()
}

/// Waits for a rejection with this reason; the gateway must be as it was.
#[track_caller]
fn assert_rejected(gateway: &Gateway, count: u32, reason: &str) {
    gateway.await_metric(RELOADS, &[("result", "rejected")], count.into());
    gateway.await_metric(SUCCESSFUL, &[], 0.0);
    wait::until(&format!("{reason:?} in the log"), || {
        let lines = gateway.log_lines_at("ERROR");
        lines.iter().any(|it| it.contains(reason)).then_some(())
    });
    assert_unchanged(gateway);
}

#[track_caller]
fn assert_unchanged(gateway: &Gateway) {
    assert_eq!(gateway.send(&Request::chat("m")).status, 401);
    assert_eq!(gateway.send(&Request::chat("m").key("sk-a")).status, 200);
    assert!((gateway.generation() - 1.0).abs() < 1e-9);
}

#[test]
fn b1_a_file_that_is_gone_or_empty_changes_nothing() {
    let upstream = healthy_upstream();
    let gateway = guarded(&upstream).start();
    let (path, good) = (path(&gateway), text(&gateway));
    let put_back = |count: u32| {
        fs::write(path.with_extension("new"), &good).unwrap();
        fs::rename(path.with_extension("new"), &path).unwrap();
        gateway.await_metric(SUCCESSFUL, &[], 1.0);
        gateway.await_metric(RELOADS, &[("result", "unchanged")], count.into());
    };
    fs::rename(&path, path.with_extension("old")).unwrap();
    assert_rejected(&gateway, 1, "no such file");
    put_back(1);
    fs::write(&path, "").unwrap();
    assert_rejected(&gateway, 2, "is empty, but had settings that are in force");
    put_back(2);
    gateway.edit(|_| "\n  \n# listen = \"0.0.0.0:80\"\n".to_owned());
    assert_rejected(&gateway, 3, "is empty, but had settings");
    put_back(3);
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    gateway.signal("HUP");
    wait::until("the directory in the log", || {
        let lines = gateway.log_lines_at("ERROR").join("\n");
        lines.contains("is a directory").then_some(())
    });
    assert_unchanged(&gateway);
    fs::remove_dir(&path).unwrap();
    put_back(4);
    // What was changed on the way is applied as soon as it is good.
    gateway.edit(|text| text + &alias("late"));
    gateway.await_metric("trunkline_config_generation", &[], 2.0);
    assert_eq!(gateway.send(&Request::chat("late").key("sk-a")).status, 200);
}

#[test]
fn b1_a_file_that_was_found_is_the_file_of_the_process() {
    let upstream = healthy_upstream();
    let setup = guarded(&upstream);
    let _ = setup.command();
    let file = setup.directory().join("trunkline.toml");
    fs::rename(setup.directory().join("test.toml"), &file).unwrap();
    let gateway = setup
        .shell("set -- --log-format json && rm test.toml")
        .start();
    assert_eq!(gateway.send(&Request::chat("m")).status, 401);
    fs::rename(&file, file.with_extension("x")).unwrap();
    gateway.await_metric(RELOADS, &[("result", "rejected")], 1.0);
    wait::until("the cause and the cure", || {
        let log = gateway.log_lines_at("ERROR").join("\n");
        let cure = "no such file, but it is in force; restore it, or restart to run without it";
        log.contains(cure).then_some(())
    });
    assert_eq!(gateway.send(&Request::chat("m")).status, 401);
    assert_eq!(gateway.send(&Request::chat("m").key("sk-a")).status, 200);
}

#[test]
fn b1_a_dotenv_that_is_gone_or_empty_changes_nothing() {
    let upstream = healthy_upstream();
    let setup = guarded(&upstream);
    let dotenv = setup.file(".env", b"# keys\nUP_KEY=x\n");
    let gateway = setup.start();
    fs::remove_file(&dotenv).unwrap();
    assert_rejected(&gateway, 1, "no such file, but it is in force");
    fs::write(&dotenv, "# keys\n").unwrap();
    assert_rejected(&gateway, 2, "is empty, but had settings");
    fs::write(&dotenv, "# keys\nUP_KEY=x\n").unwrap();
    gateway.await_metric(SUCCESSFUL, &[], 1.0);
}

#[test]
fn b1_the_last_key_goes_only_if_the_file_says_so() {
    let upstream = healthy_upstream();
    let setup = guarded(&upstream);
    // Older than any change, so it says nothing about one.
    let gateway = setup.env("TRUNKLINE_ACCESS__OPEN", "true").start();
    let without = |text: String| text[..text.find("[access").unwrap()].to_owned();
    gateway.edit(without);
    assert_rejected(&gateway, 1, "no client key or certificate is left");
    gateway.reload(|text| text + "\n[access]\nopen = true\n");
    assert_eq!(gateway.send(&Request::chat("m")).status, 200);
}

#[test]
fn b1_a_reload_leaves_loopback_only_with_keys_or_words() {
    let upstream = healthy_upstream();
    let gateway = Setup::with_upstream(&upstream)
        .env("TRUNKLINE_ACCESS__OPEN", "true")
        .start();
    let server = |address| format!("[server]\nlisten = \"{address}:0\"");
    gateway.edit(|text| text.replace(&server("127.0.0.1"), &server("0.0.0.0")));
    gateway.await_metric(RELOADS, &[("result", "rejected")], 1.0);
    wait::until("the reason", || {
        let log = gateway.log_lines_at("ERROR").join("\n");
        log.contains("leaves loopback without client keys")
            .then_some(())
    });
    assert_eq!(gateway.send(&Request::chat("m")).status, 200);
    gateway.reload(|text| text + "\n[access]\nopen = true\n");
}

/// Writes in place and holds the file open.
fn write_part(gateway: &Gateway, part: &str) -> fs::File {
    let mut file = OpenOptions::new()
        .write(true)
        .truncate(true)
        .open(path(gateway))
        .unwrap();
    file.write_all(part.as_bytes()).unwrap();
    file
}

#[test]
fn b1_half_a_file_is_not_applied_while_it_is_being_written() {
    let upstream = healthy_upstream();
    let gateway = guarded(&upstream).start();
    wait::until("the watch, which reports writers", || {
        let files = fs::read_dir(gateway.proc_dir().join("fdinfo")).ok()?;
        let mut texts = files.filter_map(|it| fs::read_to_string(it.ok()?.path()).ok());
        texts.any(|it| it.contains("inotify wd:")).then_some(())
    });
    let next = text(&gateway) + &alias("late") + &alias("last");
    // Valid by itself, with its keys.
    let half = next.find("[models.last]").unwrap();
    let mut file = write_part(&gateway, &next[..half]);
    gateway.signal("HUP");
    wait::until("a report of the long write", || {
        let lines = gateway.log_lines_at("WARN").join("\n");
        lines.contains("is being written").then_some(())
    });
    gateway.await_metric(SUCCESSFUL, &[], 0.0);
    assert_unchanged(&gateway);
    file.write_all(&next.as_bytes()[half..]).unwrap();
    drop(file);
    gateway.await_metric("trunkline_config_generation", &[], 2.0);
    gateway.await_metric(SUCCESSFUL, &[], 1.0);
    assert_eq!(gateway.send(&Request::chat("last").key("sk-a")).status, 200);
    let applied = gateway.metrics().sum(RELOADS, &[("result", "applied")]);
    assert_eq!(applied, Some(1.0));
}

#[test]
fn b1_a_file_that_is_cut_off_is_rejected() {
    let upstream = healthy_upstream();
    let gateway = guarded(&upstream).start();
    let good = text(&gateway);
    // Valid: the comment and the keys are whole.
    let cut = format!("{good}# a comment that is cut o");
    drop(write_part(&gateway, &cut));
    assert_rejected(&gateway, 1, "its last line has no line end");
    drop(write_part(&gateway, &good));
    gateway.await_metric(SUCCESSFUL, &[], 1.0);
    for without in [
        &good[..good.find("[access").unwrap()],
        &good[..good.len() / 3],
    ] {
        drop(write_part(&gateway, without));
        gateway.await_metric(SUCCESSFUL, &[], 0.0);
        assert_unchanged(&gateway);
        drop(write_part(&gateway, &good));
        gateway.await_metric(SUCCESSFUL, &[], 1.0);
    }
}

#[test]
fn b1_a_renamed_file_is_applied_at_once_and_a_rewritten_one_after_a_second() {
    let upstream = healthy_upstream();
    let gateway = Setup::with_upstream(&upstream).start();
    let rewritten = text(&gateway) + &alias("rewritten");
    let start = Instant::now();
    drop(write_part(&gateway, &rewritten));
    wait_for_model(&gateway, "rewritten");
    assert!(start.elapsed() >= Duration::from_secs(1));
    gateway.reload(|text| text + &alias("renamed"));
    assert_eq!(gateway.send(&Request::chat("renamed")).status, 200);
}
