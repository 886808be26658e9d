use std::io;
use std::process::ExitCode;

use clap::{CommandFactory, Parser};

use super::{Arguments, Command, Failure, conclude, obey};
use crate::config::tests::Trial;
use crate::config::{Environment, Sources};

const CANARY: &str = "Canary7Qx9";

fn output(command: &Command, trial: &Trial) -> Result<String, Failure> {
    let mut out = Vec::new();
    obey(command, &trial.sources(), &mut out)?;
    Ok(String::from_utf8(out).unwrap())
}

fn check(trial: &Trial) -> String {
    output(&Command::Check, trial).unwrap_or_else(|failure| panic!("{failure}"))
}

#[test]
fn the_command_line_is_consistent() {
    Arguments::command().debug_assert();
}

#[test]
fn without_a_command_it_serves() {
    let arguments = Arguments::try_parse_from(["trunkline"]).unwrap();
    assert!(arguments.command.is_none());
}

#[test]
fn options_may_stand_before_and_after_the_command() {
    for words in [
        [
            "trunkline",
            "--config",
            "a.toml",
            "--listen",
            "1.2.3.4:5",
            "--log-format",
            "json",
            "check",
        ],
        [
            "trunkline",
            "check",
            "--config",
            "a.toml",
            "--listen",
            "1.2.3.4:5",
            "--log-format",
            "json",
        ],
    ] {
        let arguments = Arguments::try_parse_from(words).unwrap();
        let sources = arguments.settings.sources(Environment::default());
        assert_eq!(sources.file.unwrap().to_str(), Some("a.toml"));
        assert_eq!(sources.flags.listen.as_deref(), Some("1.2.3.4:5"));
        assert_eq!(sources.flags.log_format.as_deref(), Some("json"));
    }
    assert!(Arguments::try_parse_from(["trunkline", "--log-format", "xml"]).is_err());
    assert!(Arguments::try_parse_from(["trunkline", "frob"]).is_err());
}

#[test]
fn check_shows_what_the_configuration_comes_to() {
    let hash = "0".repeat(64);
    let trial = Trial::file(&format!(
        "[access.keys.a]\nsha256 = \"{hash}\"\n[providers.ollama]\n[providers.house]\nbase_url = \"https://house/v1\"\n\
         [models.a]\nprovider = \"house\"\nmodel = \"b\"\n[models.c]\nprovider = \"xai\"\n"
    ))
    .variable("GROQ_API_KEY", "k")
    .variable("GROQ_BASE_URL", "https://groq.example/v1");
    let expected = "\
warning: provider \"xai\" is left out: set XAI_API_KEY

MODEL            PROVIDER  UPSTREAM MODEL        BASE URL                                 CREDENTIAL                 USD PER MILLION TOKENS       STATE
a                house     b                     https://house/v1                         none needed                no price                     ready
c                xai       c                     https://api.x.ai/v1                      XAI_API_KEY (not set)      no price                     set XAI_API_KEY
gpt-3.5-turbo    openai    gpt-3.5-turbo         https://api.openai.com/v1                OPENAI_API_KEY (not set)   0.5 in, 1.5 out              set OPENAI_API_KEY
gpt-4-turbo      openai    gpt-4-turbo           https://api.openai.com/v1                OPENAI_API_KEY (not set)   10 in, 30 out                set OPENAI_API_KEY
gpt-4o           openai    gpt-4o                https://api.openai.com/v1                OPENAI_API_KEY (not set)   2.5 in, 1.25 cached, 10 out  set OPENAI_API_KEY
llama3-70b-groq  groq      llama3-70b-8192       https://groq.example/v1 (GROQ_BASE_URL)  GROQ_API_KEY (set)         no price                     ready
llama3-8b-groq   groq      llama3-8b-8192        https://groq.example/v1 (GROQ_BASE_URL)  GROQ_API_KEY (set)         no price                     ready
mistral-large    mistral   mistral-large-latest  https://api.mistral.ai/v1                MISTRAL_API_KEY (not set)  no price                     set MISTRAL_API_KEY
mistral-small    mistral   mistral-small-latest  https://api.mistral.ai/v1                MISTRAL_API_KEY (not set)  no price                     set MISTRAL_API_KEY

Ready without an alias (call them as provider/model): ollama
Listening for callers on 127.0.0.1:8080
Listening for operators on 127.0.0.1:8081
1 client key
";
    assert_eq!(check(&trial), expected);
}

#[test]
fn check_says_when_everybody_may_call_and_nobody_operates() {
    let text = check(&Trial::file(
        "strict_models = true\n[admin]\nlisten = \"off\"\n[providers.ollama]",
    ));
    assert!(text.contains("No client keys: whoever reaches the listener may call\n"));
    assert!(text.contains("No listener for operators\n"));
    assert!(text.contains("(not reachable, as strict_models is set): ollama\n"));
}

#[test]
fn check_says_whose_certificates_are_enough() {
    let file = "[server.tls]\ncert_file = \"tls.crt\"\nkey_file = \"tls.key\"\n\
                client_ca_file = \"ca.crt\"\nclient_auth = \"required\"";
    let text = check(&Trial::file(file).with_certificates());
    assert!(
        text.contains("No client keys: whoever has a certificate of client_ca_file may call\n")
    );
    let listed = format!("{file}\n[access.certificates.a]\nsan = \"a.test\"");
    let text = check(&Trial::file(&listed).with_certificates());
    assert!(
        text.ends_with("1 listed certificate\nNo client keys\n"),
        "{text}"
    );
}

#[test]
fn check_shows_no_secret() {
    let file = format!(
        "[providers.openai]\napi_key = \"{CANARY}\"\n[providers.groq]\napi_key_file = \"key\"\nheaders = {{ x-a = \"{CANARY}\" }}"
    );
    let trial = Trial::file(&file)
        .with("key", CANARY)
        .with(".env", format!("XAI_API_KEY={CANARY}"))
        .variable("MISTRAL_API_KEY", CANARY);
    let text = check(&trial);
    assert!(text.contains("MISTRAL_API_KEY (set)") && text.contains("key (set)"));
    assert!(!text.contains("Canary7Q"), "{text}");
}

#[test]
fn all_faults_go_to_standard_error_and_the_exit_code_says_so() {
    let done = output(&Command::Check, &Trial::file("a = 1\nb = 2\n")).map(drop);
    let mut errors = Vec::new();
    let code = conclude(done, &mut errors);
    assert_eq!(format!("{code:?}"), format!("{:?}", ExitCode::FAILURE));
    let errors = String::from_utf8(errors).unwrap();
    assert_eq!(errors.lines().count(), 2, "{errors}");
    assert!(errors.starts_with("trunkline.toml:1: a: unknown key"));
}

#[test]
fn a_reader_that_has_enough_is_no_failure() {
    let failure = |kind: io::ErrorKind| Err(Failure::Write(kind.into()));
    let mut errors = Vec::new();
    let code = conclude(failure(io::ErrorKind::BrokenPipe), &mut errors);
    assert_eq!(format!("{code:?}"), format!("{:?}", ExitCode::SUCCESS));
    assert!(errors.is_empty());
    let code = conclude(failure(io::ErrorKind::StorageFull), &mut errors);
    assert_eq!(format!("{code:?}"), format!("{:?}", ExitCode::FAILURE));
    assert!(!errors.is_empty());
}

#[test]
fn models_lists_what_is_ready_and_with_all_the_rest_too() {
    let trial = Trial::file("[models.a]\nprovider = \"ollama\"").variable("GROQ_API_KEY", "k");
    let text = output(&Command::Models { all: false }, &trial).unwrap_or_default();
    assert_eq!(text, "a\nllama3-70b-groq\nllama3-8b-groq\n");
    let text = output(&Command::Models { all: true }, &trial).unwrap_or_default();
    assert_eq!(text.lines().count(), 8);
    assert!(text.contains("\ngpt-4o\tset OPENAI_API_KEY\n"));
}

#[test]
fn the_lines_of_keygen_are_a_configuration() {
    let name = "team-a".to_owned();
    let text = output(&Command::Keygen { name }, &Trial::empty()).unwrap_or_default();
    let (_, table) = text.split_once('\n').unwrap();
    assert_eq!(Trial::file(table).config().access.keys[0].name, "team-a");
}

#[test]
fn the_schema_is_json() {
    let text = output(&Command::Schema, &Trial::empty()).unwrap_or_default();
    let schema: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(schema, crate::config::schema());
}

#[test]
fn sources_begin_in_the_working_directory() {
    let arguments = Arguments::try_parse_from(["trunkline"]).unwrap();
    let Sources {
        file, directory, ..
    } = arguments.settings.sources(Environment::default());
    assert!(file.is_none() && directory.as_os_str().is_empty());
}

#[test]
fn the_demo_model_is_shown_while_it_answers() {
    let alone = Trial::empty();
    assert!(check(&alone).contains("The built-in model demo answers, since no other model"));
    let listed = |trial| output(&Command::Models { all: false }, trial).unwrap();
    assert_eq!(listed(&alone), "demo\n");
    let on = Trial::file("demo = \"on\"").variable("GROQ_API_KEY", "gsk");
    assert!(check(&on).contains("The built-in model demo answers, since demo is on"));
    assert!(listed(&on).starts_with("demo\n"));
    let beside = Trial::empty().variable("GROQ_API_KEY", "gsk");
    assert!(!check(&beside).contains("demo"));
    assert!(!listed(&beside).contains("demo"));
}

#[test]
fn check_prints_the_plan_of_a_model_with_several_places() {
    let trial = Trial::file(
        "[providers.groq]\napi_keys = [{ env = \"A\" }, { env = \"B\" }]\n[providers.local]\nbase_url = \"http://gpu/v1\"\n\
         [models.fast]\nfallbacks = [\"slow\"]\nhedge = { quantile = 95 }\ntargets = [\
         { provider = \"groq\", model = \"g\", weight = 3 }, { provider = \"local\" }, { provider = \"xai\", priority = 2 }]\n\
         [models.slow]\nprovider = \"local\"\n\
         [models.near]\naffinity = { by = \"header\", header = \"X-Session\" }\n\
         targets = [{ provider = \"local\", model = \"a\" }, { provider = \"local\", model = \"b\" }]",
    )
    .variable("A", "k")
    .variable("B", "k");
    let text = check(&trial);
    let near = "\nPlan of near, at most 3 attempts, affinity by header x-session:\n  1. local/a 50 %, local/b 50 %\n";
    assert!(text.contains(near), "{text}");
    let plan = "\nPlan of fast, at most 3 attempts:\n  1. groq/g 75 % (2 keys), local/fast 25 %\n  2. xai/fast (left out)\n  3. local/slow, as slow\n  \
                A second one beside the first after the time of 95 % of its last answers, 250ms at least.\n";
    assert!(text.contains(plan), "{text}");
    assert!(text.contains("A (set), B (set)"), "{text}");
    assert!(!text.contains("Plan of slow"), "{text}");
}
