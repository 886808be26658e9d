//! `trunkline import litellm`: what it writes is a configuration that serves.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

use crate::support::client::Request;
use crate::support::gateway::Setup;
use crate::support::upstream::{Upstream, response};

const CONFIG: &str = "model_list:\n- model_name: m\n  litellm_params: {model: groq/x, api_key: gsk-a-secret, seed: 1}\n";

/// Runs in this directory, with only these variables.
fn run(directory: &Path, arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_trunkline"))
        .args(arguments)
        .current_dir(directory)
        .env_clear()
        .env("GROQ_API_KEY", "a-credential")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // A command that fails before it reads closes the pipe.
    let _ = stdin.write_all(input.as_bytes());
    drop(stdin);
    child.wait_with_output().unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

#[test]
fn the_configuration_goes_to_standard_output_and_notes_to_standard_error() {
    let directory = TempDir::new().unwrap();
    fs::write(directory.path().join("config.yaml"), CONFIG).unwrap();
    for (file, name) in [("config.yaml", "config.yaml"), ("-", "standard input")] {
        let output = run(directory.path(), &["import", "litellm", file], CONFIG);
        assert_eq!(output.status.code(), Some(0));
        assert!(text(&output.stdout).contains("[models.m]"));
        let notes = text(&output.stderr);
        let expected = [
            format!("{name}:3: litellm_params.seed: "),
            format!(
                "{name}:3: litellm_params.api_key: the key itself is not copied: set GROQ_API_KEY"
            ),
            format!("{name}: carried over 1 of 1 deployments; 1 alias, 2 notes"),
        ];
        for line in expected {
            assert!(notes.contains(&line), "{line}: {notes}");
        }
        assert!(!(text(&output.stdout).to_owned() + notes).contains("gsk-a-secret"));
    }
}

#[test]
fn a_file_is_written_whole_and_replaced_only_on_demand() {
    let directory = TempDir::new().unwrap();
    let path = |name: &str| directory.path().join(name);
    fs::write(path("config.yaml"), CONFIG).unwrap();
    let arguments = [
        "import",
        "litellm",
        "config.yaml",
        "--output",
        "trunkline.toml",
    ];
    let output = run(directory.path(), &arguments, "");
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(output.stdout.is_empty());
    assert!(text(&output.stderr).contains("trunkline check --online --config trunkline.toml"));
    let written = fs::read_to_string(path("trunkline.toml")).unwrap();
    let mode = fs::metadata(path("trunkline.toml"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o400, 0o400);
    assert_eq!(run(directory.path(), &["check"], "").status.code(), Some(0));

    fs::write(path("trunkline.toml"), "# mine\n").unwrap();
    let refused = run(directory.path(), &arguments, "");
    assert_eq!(refused.status.code(), Some(1));
    assert!(text(&refused.stderr).contains("--force"));
    assert_eq!(
        fs::read_to_string(path("trunkline.toml")).unwrap(),
        "# mine\n"
    );

    let forced = run(
        directory.path(),
        &[&arguments[..], &["--force"]].concat(),
        "",
    );
    assert_eq!(forced.status.code(), Some(0));
    assert_eq!(fs::read_to_string(path("trunkline.toml")).unwrap(), written);
    let files = fs::read_dir(directory.path()).unwrap().count();
    assert_eq!(files, 2, "a temporary file is left");
}

#[test]
fn a_failure_has_a_message_an_exit_code_and_no_output() {
    let directory = TempDir::new().unwrap();
    for (file, input, message) in [
        ("missing.yaml", "", "missing.yaml: cannot be read"),
        ("-", "a: [", "standard input:2:1: not YAML"),
        ("-", "a: 1", "no model_list"),
        (
            "-",
            "model_list: [{model_name: m, litellm_params: {model: bedrock/x}}]",
            "none of its 1 deployments",
        ),
    ] {
        let arguments = ["import", "litellm", file, "--output", "out.toml"];
        let output = run(directory.path(), &arguments, input);
        assert_eq!(output.status.code(), Some(1));
        assert!(
            text(&output.stderr).contains(message),
            "{}",
            text(&output.stderr)
        );
        assert!(!directory.path().join("out.toml").exists());
    }
}

#[test]
fn an_imported_configuration_serves_its_models() {
    let upstream = Upstream::with_response(response::completion("hi"));
    let directory = TempDir::new().unwrap();
    let config = format!(
        "model_list:\n- model_name: local\n  litellm_params: {{model: openai/served, api_base: '{}'}}\n",
        upstream.base_url()
    );
    let output = run(directory.path(), &["import", "litellm", "-"], &config);
    assert_eq!(output.status.code(), Some(0));
    // The harness chooses the addresses of both listeners.
    let tables = text(&output.stdout).split_once("[providers").unwrap().1;
    let gateway = Setup::new().section(&format!("[providers{tables}")).start();
    assert_eq!(gateway.send(&Request::chat("local")).status, 200);
    let body = upstream.only_request().text();
    assert!(body.contains("\"served\""), "{body}");
}
