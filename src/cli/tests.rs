use std::io;
use std::process::ExitCode;

use clap::{CommandFactory, Parser};

use super::{Arguments, CliError, Command, FileSetting, Settings, exit_code, run_command, version};
use crate::config::tests::Trial;
use crate::config::{Environment, Sources};

const CANARY: &str = "Canary7Qx9";

fn output(command: &Command, trial: &Trial) -> Result<String, CliError> {
    let mut out = Vec::new();
    run_command(command, &trial.sources(), &mut out)?;
    Ok(String::from_utf8(out).unwrap())
}

fn check(trial: &Trial) -> String {
    output(
        &Command::Check {
            online: false,
            settings: Settings::default(),
        },
        trial,
    )
    .unwrap_or_else(|failure| panic!("{failure}"))
}

fn models(all: bool) -> Command {
    let file = FileSetting::default();
    Command::Models { all, file }
}

#[test]
fn the_command_line_is_consistent() {
    Arguments::command().debug_assert();
}

#[test]
fn a_command_offers_the_options_that_it_uses() {
    for (name, config, listen) in [
        ("serve", true, true),
        ("check", true, true),
        ("models", true, false),
        ("probe", true, false),
        ("keygen", false, false),
        ("schema", false, false),
    ] {
        let mut command = Arguments::command();
        let help = command.find_subcommand_mut(name).unwrap().render_help();
        let help = help.to_string();
        assert_eq!(help.contains("--config"), config, "{help}");
        assert_eq!(help.contains("--listen"), listen, "{help}");
        assert_eq!(help.contains("--log-format"), listen, "{help}");
    }
    let help = Arguments::command().render_help().to_string();
    assert!(
        help.contains("Examples:") && help.contains("--listen"),
        "{help}"
    );
}

#[test]
fn the_version_has_the_commit_where_the_build_names_it() {
    let number = env!("CARGO_PKG_VERSION");
    assert_eq!(version(Some("1a2b3c")), format!("{number} (1a2b3c)"));
    for none in [None, Some(""), Some("unknown")] {
        assert_eq!(version(none), number);
    }
}

#[test]
fn without_a_command_it_serves() {
    let arguments = Arguments::try_parse_from(["trunkline"]).unwrap();
    assert!(arguments.command.is_none());
}

#[test]
fn options_are_accepted_before_and_after_the_command() {
    for args in [
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
        let arguments = Arguments::try_parse_from(args).unwrap();
        let (command, settings) = arguments.split();
        assert!(matches!(command, Command::Check { .. }));
        let sources = settings.sources(Environment::default());
        assert_eq!(sources.file.unwrap().to_str(), Some("a.toml"));
        assert_eq!(sources.flags.listen.as_deref(), Some("1.2.3.4:5"));
        assert_eq!(sources.flags.log_format.as_deref(), Some("json"));
    }
    assert!(Arguments::try_parse_from(["trunkline", "--log-format", "xml"]).is_err());
    assert!(Arguments::try_parse_from(["trunkline", "frob"]).is_err());
}

#[test]
fn check_shows_the_resulting_configuration() {
    let hash = "0".repeat(64);
    let trial = Trial::file(&format!(
        "[access.keys.a]\nsha256 = \"{hash}\"\n[providers.ollama]\n[providers.house]\nbase_url = \"https://house/v1\"\n\
         [models.a]\nprovider = \"house\"\nmodel = \"b\"\n[models.c]\nprovider = \"xai\"\n"
    ))
    .variable("GROQ_API_KEY", "k")
    .variable("GROQ_BASE_URL", "https://groq.example/v1");
    let expected = "\
Configuration files read: trunkline.toml
warning: provider \"xai\" is not ready: set XAI_API_KEY
note: llama3-70b-groq: groq shut llama3-70b-8192 down on 2025-08-31; the alias leads to openai/gpt-oss-120b, which the provider recommends instead
note: llama3-8b-groq: groq shut llama3-8b-8192 down on 2025-08-31; the alias leads to openai/gpt-oss-20b, which the provider recommends instead

MODEL            PROVIDER  UPSTREAM MODEL        BASE URL                                 CREDENTIAL                 USD PER MILLION TOKENS                                                           STATE
a                house     b                     https://house/v1                         none needed                no price                                                                         ready
c                xai       c                     https://api.x.ai/v1                      XAI_API_KEY (not set)      no price                                                                         set XAI_API_KEY
gpt-3.5-turbo    openai    gpt-5.6-terra         https://api.openai.com/v1                OPENAI_API_KEY (not set)   2 in, 0.2 cached, 12 out; prompts above 272000 tokens: 4 in, 0.4 cached, 18 out  set OPENAI_API_KEY
gpt-4-turbo      openai    gpt-5.6-sol           https://api.openai.com/v1                OPENAI_API_KEY (not set)   no price                                                                         set OPENAI_API_KEY
gpt-4o           openai    gpt-4o                https://api.openai.com/v1                OPENAI_API_KEY (not set)   2.5 in, 1.25 cached, 10 out                                                      set OPENAI_API_KEY
llama3-70b-groq  groq      openai/gpt-oss-120b   https://groq.example/v1 (GROQ_BASE_URL)  GROQ_API_KEY (set)         no price                                                                         ready
llama3-8b-groq   groq      openai/gpt-oss-20b    https://groq.example/v1 (GROQ_BASE_URL)  GROQ_API_KEY (set)         no price                                                                         ready
mistral-large    mistral   mistral-large-latest  https://api.mistral.ai/v1                MISTRAL_API_KEY (not set)  no price                                                                         set MISTRAL_API_KEY
mistral-small    mistral   mistral-small-latest  https://api.mistral.ai/v1                MISTRAL_API_KEY (not set)  no price                                                                         set MISTRAL_API_KEY

Ready without an alias (request them as provider/model): ollama
Listening for clients on 127.0.0.1:8080
Admin listener on 127.0.0.1:8081
Root path: /api
Origins allowed by CORS: none
TLS: off
Limits: 16384 connections, 8192 requests in flight, bodies of 32 MiB, 512 MiB buffered in all
1 client key
";
    assert_eq!(check(&trial), expected);
}

#[test]
fn check_shows_open_access_and_a_missing_admin_listener() {
    let text = check(&Trial::file(
        "strict_models = true\n[admin]\nlisten = \"off\"\n[providers.ollama]",
    ));
    assert!(text.contains("No client keys: everyone who can reach the listener may use it\n"));
    assert!(text.contains("No admin listener\n"));
    assert!(text.contains("(not reachable, as strict_models is set): ollama\n"));
}

#[test]
fn check_shows_which_certificates_are_accepted() {
    let file = "[server.tls]\ncert_file = \"tls.crt\"\nkey_file = \"tls.key\"\n\
                client_ca_file = \"ca.crt\"\nclient_auth = \"required\"";
    let text = check(&Trial::file(file).with_certificates());
    assert!(text.contains(
        "No client keys: every client with a certificate from client_ca_file is accepted\n"
    ));
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
fn errors_go_to_standard_error_and_set_the_exit_code() {
    let done = output(
        &Command::Check {
            online: false,
            settings: Settings::default(),
        },
        &Trial::file("a = 1\nb = 2\n"),
    )
    .map(drop);
    let mut errors = Vec::new();
    let code = exit_code(done, &mut errors);
    assert_eq!(format!("{code:?}"), format!("{:?}", ExitCode::FAILURE));
    let errors = String::from_utf8(errors).unwrap();
    assert_eq!(errors.lines().count(), 2, "{errors}");
    assert!(errors.starts_with("trunkline.toml:1: a: unknown key"));
}

#[test]
fn a_closed_pipe_is_not_an_error() {
    let failure = |kind: io::ErrorKind| Err(CliError::Write(kind.into()));
    let mut errors = Vec::new();
    let code = exit_code(failure(io::ErrorKind::BrokenPipe), &mut errors);
    assert_eq!(format!("{code:?}"), format!("{:?}", ExitCode::SUCCESS));
    assert!(errors.is_empty());
    let code = exit_code(failure(io::ErrorKind::StorageFull), &mut errors);
    assert_eq!(format!("{code:?}"), format!("{:?}", ExitCode::FAILURE));
    assert!(!errors.is_empty());
}

#[test]
fn models_lists_ready_models_and_with_all_the_others_too() {
    let trial = Trial::file("[models.a]\nprovider = \"ollama\"").variable("GROQ_API_KEY", "k");
    let text = output(&models(false), &trial).unwrap_or_default();
    assert_eq!(text, "a\nllama3-70b-groq\nllama3-8b-groq\n");
    let text = output(&models(true), &trial).unwrap_or_default();
    assert_eq!(text.lines().count(), 8);
    assert!(text.contains("\ngpt-4o\tset OPENAI_API_KEY\n"));
}

#[test]
fn the_output_of_keygen_is_a_configuration() {
    for name in ["team-a", "team.a", "0_9"] {
        let name = name.to_owned();
        let keygen = Command::Keygen { name: name.clone() };
        let text = output(&keygen, &Trial::empty()).unwrap_or_default();
        let (_, table) = text.split_once('\n').unwrap();
        assert_eq!(Trial::file(table).config().access.keys[0].name, name);
    }
}

#[test]
fn the_schema_is_json() {
    let text = output(&Command::Schema, &Trial::empty()).unwrap_or_default();
    let schema: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(schema, crate::config::schema());
}

#[test]
fn sources_start_in_the_working_directory() {
    let arguments = Arguments::try_parse_from(["trunkline"]).unwrap();
    let Sources {
        file, directory, ..
    } = arguments.split().1.sources(Environment::default());
    assert!(file.is_none() && directory.as_os_str().is_empty());
}

#[test]
fn the_demo_model_is_shown_while_available() {
    let alone = Trial::empty();
    assert!(check(&alone).contains("The built-in model demo is available, since no other model"));
    let listed = |trial| output(&models(false), trial).unwrap();
    assert_eq!(listed(&alone), "demo\n");
    let on = Trial::file("demo = \"on\"").variable("GROQ_API_KEY", "gsk");
    assert!(check(&on).contains("The built-in model demo is available, since demo is on"));
    assert!(listed(&on).starts_with("demo\n"));
    let with_groq = Trial::empty().variable("GROQ_API_KEY", "gsk");
    assert!(!check(&with_groq).contains("demo"));
    assert!(!listed(&with_groq).contains("demo"));
}

#[test]
fn check_prints_the_plan_of_a_model_with_several_targets() {
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
    let plan = "\nPlan of fast, at most 3 attempts:\n  1. groq/g 75 % (2 keys), local/fast 25 %\n  2. xai/fast (not ready)\n  3. local/slow, as slow\n  \
                Hedged after the p95 of recent times to first byte, at least 250ms.\n";
    assert!(text.contains(plan), "{text}");
    assert!(text.contains("A (set), B (set)"), "{text}");
    assert!(!text.contains("Plan of slow"), "{text}");
}

#[test]
fn check_prints_the_limits_of_each_client_and_model() {
    let keys = (1..=10).map(|number| {
        format!("[access.keys.ci-{number:02}]\nsha256 = \"{number:064}\"\nmodels = [\"fast\"]\n")
    });
    let file = keys.collect::<String>()
        + "[access.keys.alice]\nsha256 = \"f000000000000000000000000000000000000000000000000000000000000000\"\n\
           team = \"search\"\n\
           [providers.openai]\n[models.fast]\nprovider = \"openai\"\nmodel = \"gpt-4o-mini\"\n\
           [models.large]\nprovider = \"openai\"\nmodel = \"gpt-4o\"\n\
           [limits.ci]\nkeys = [\"ci-*\"]\nreplaces = \"each-key\"\nrequests = [\"600/minute burst 50\"]\nwait = \"20s\"\n\
           [limits.each-key]\nper = [\"key\"]\nrequests = [\"60/minute\", \"5000/day\"]\nconcurrent = 8\n\
           [limits.house]\nproviders = [\"openai\"]\ntokens = [\"0/hour\"]\nat_limit = \"observe\"\n\
           [limits.search]\nteams = [\"search\"]\nmodels = [\"large\", \"openai/*\"]\nbudget = [\"49.50/month\", \"900/total\"]\n\
           reserve = \"worst\"\nat_limit = \"fallback:fast\"\n";
    let text = check(&Trial::file(&file).variable("OPENAI_API_KEY", "k"));
    let expected = "
Limits:
  ci        all together: 600 requests a minute, 50 at once; in place of each-key; waits up to 20s
  each-key  each key: 60 requests a minute, 5000 requests a day, 8 requests at a time
  house     all together: 0 tokens an hour; of attempts at openai; refuses nothing
  search    all together: 49.5 dollars a month, 900 dollars in total; reserves the most that a request can use; then fast

Limits of alice:
  fast, gpt-3.5-turbo, gpt-4-turbo, gpt-4o: each-key, house
  large, openai/*: each-key, house, search

Limits of ci-01, ci-02, ci-03, ci-04, ci-05, ci-06, ci-07, ci-08 and 2 more:
  all models: ci, house

";
    assert!(text.contains(expected), "{text}");
    let note = "note: limits hold for this process: of several replicas, each allows all of them, \
                unless they share a [store]\n";
    assert!(text.contains(note), "{text}");
}

#[test]
fn check_prints_the_limits_of_anyone_while_access_is_open() {
    let text = check(&Trial::file("[limits.all]\nconcurrent = 9"));
    let expected = "\nLimits:\n  all  all together: 9 requests at a time\n\nLimits of anyone:\n  all models: all\n";
    assert!(text.contains(expected), "{text}");
    let without = check(&Trial::empty());
    assert!(
        !without.contains("Limits of") && !without.contains("replicas"),
        "{without}"
    );
}
