//! Input that is damaged, hostile, or not what it should be.

use super::import;

fn error(text: impl AsRef<[u8]>) -> String {
    match import(text) {
        Ok(output) => panic!("accepted: {}", output.text),
        Err((error, _)) => error,
    }
}

const MODEL: &str = "model_list:\n- model_name: m\n  litellm_params: {model: groq/x}\n";

#[test]
fn what_is_not_yaml_is_an_error_with_its_line() {
    for (text, location) in [
        ("model_list:\n\t- a: b", "config.yaml:2:"),
        ("model_list: [\n", "config.yaml:2:"),
        ("a: b: c", "config.yaml:1:"),
        ("model_list: *unknown", "config.yaml:1:"),
        ("\"open", "config.yaml:"),
    ] {
        let error = error(text);
        assert!(error.contains(location), "{error}");
        assert!(error.contains("not YAML"), "{error}");
    }
}

#[test]
fn a_file_without_models_is_an_error() {
    for text in [
        "",
        "# nothing\n",
        "model_list: []",
        "model_list:",
        "general_settings: {master_key: x}",
        "just text",
        "- a\n- list",
        "{}",
    ] {
        assert!(error(text).contains("no model_list"), "{text:?}");
    }
}

#[test]
fn a_file_of_which_nothing_can_be_carried_over_is_an_error_with_notes() {
    let text = "model_list:\n- model_name: a\n  litellm_params: {model: bedrock/x}\n- text\n-\n- {model_name: b}\n- {model_name: [1], litellm_params: 5}\n";
    let (error, notes) = import(text).err().unwrap();
    assert!(error.contains("none of its 5 deployments"), "{error}");
    assert!(notes.contains("bedrock-runtime"), "{notes}");
}

#[test]
fn aliases_that_multiply_are_refused() {
    use std::fmt::Write as _;
    let mut bomb = String::from("a0: &a0 [x, x]\n");
    for level in 1..60 {
        let below = level - 1;
        writeln!(bomb, "a{level}: &a{level} [*a{below}, *a{below}]").unwrap();
    }
    bomb.push_str(MODEL);
    assert!(error(bomb).contains("more than 200000 values"));
}

#[test]
fn an_alias_within_its_own_node_is_refused() {
    assert!(error("a: &a [*a]").contains("remove it"));
}

#[test]
fn deep_nesting_is_refused() {
    for text in ["[".repeat(5000), format!("a: {}", "{b: ".repeat(5000))] {
        let error = error(&text);
        // The parser has a limit of its own, for what it reads ahead.
        let is_limit = error.contains("64 levels") || error.contains("recursion limit");
        assert!(is_limit, "{error}");
    }
}

#[test]
fn a_huge_file_and_one_that_is_no_text_are_refused() {
    assert!(error(vec![b'#'; (4 << 20) + 1]).contains("larger than 4 MiB"));
    assert!(error([0xFF, 0xFE, 0x00]).contains("UTF-8"));
    assert!(error("---\na: 1\n---\nb: 2\n").contains("more than one document"));
}

#[test]
fn many_entries_take_no_more_than_their_share_of_time() {
    use std::fmt::Write as _;
    let mut text = String::from("litellm_settings:\n");
    for number in 0..20_000 {
        writeln!(text, "  unknown_{number}: 1").unwrap();
    }
    text.push_str("model_list:\n");
    for number in 0..5_000 {
        writeln!(
            text,
            "- {{model_name: m{number}, litellm_params: {{model: groq/x{number}, unknown: 1}}}}"
        )
        .unwrap();
    }
    text.push_str("  \n");
    let output = import(text).unwrap();
    assert!(output.notes.contains("5000 of 5000 deployments"));
}

#[test]
fn unknown_keys_are_named_with_their_lines_and_are_no_errors() {
    let text = format!("{MODEL}  other: 1\nwhat_is_this: 2\nrouter_settings: {{odd: 3}}\n");
    let notes = import(text).unwrap().notes;
    for line in [
        "config.yaml:4: other: ",
        "config.yaml:5: what_is_this: ",
        "config.yaml:6: router_settings.odd: ",
    ] {
        assert!(notes.contains(line), "{notes}");
    }
}

#[test]
fn a_key_that_stands_twice_is_named_and_the_last_one_counts() {
    let text = format!(
        "router_settings: {{num_retries: 1}}\n{MODEL}router_settings: {{num_retries: 7}}\n"
    );
    let output = import(text).unwrap();
    assert!(
        output
            .notes
            .contains("config.yaml:5: router_settings: is written twice")
    );
    assert!(output.text.contains("attempts = 8"), "{}", output.text);
}

#[test]
fn names_of_the_input_cannot_add_lines_to_the_output() {
    let text = "model_list:\n- model_name: \"m\\n[server]\\nlisten='0.0.0.0:1'\"\n  litellm_params: {model: groq/x}\n- model_name: ok\n  litellm_params: {model: groq/x, \"a\\n[evil]\": 1}\n\"b\\n[evil]\": 1\n";
    let output = import(text).unwrap();
    let lines = output.text.lines().chain(output.notes.lines());
    let evil = lines.filter(|line| line.starts_with("[evil]") || line.contains("0.0.0.0:1\""));
    assert_eq!(evil.count(), 0, "{}", output.text);
}
