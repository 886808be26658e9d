use super::Trial;
use crate::config::{BaseUrl, Listen, LogFormat, load_admin};

#[test]
fn an_empty_file_means_the_defaults() {
    let config = Trial::file("").config();
    assert_eq!(config.server.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(config.admin.listen.unwrap().to_string(), "127.0.0.1:8081");
    assert_eq!(config.server.max_body, 32 << 20);
    assert!(config.access.is_open());
    assert!(config.warnings.is_empty());
    assert!(config.server.workers >= 1);
}

#[test]
fn a_missing_file_means_the_defaults() {
    assert!(Trial::empty().load().is_ok());
}

#[test]
fn a_named_file_overrides_the_one_in_the_directory() {
    let trial = Trial::file("strict_models = false")
        .with("other.toml", "strict_models = true")
        .config_flag("other.toml");
    assert!(trial.config().strict_models);
}

#[test]
fn a_variable_names_the_file_and_the_flag_overrides_it() {
    let trial = Trial::file("")
        .with("other.toml", "strict_models = true")
        .variable("TRUNKLINE_CONFIG", "other.toml");
    assert!(trial.config().strict_models);
    assert!(!trial.config_flag("trunkline.toml").config().strict_models);
}

#[test]
fn a_named_file_must_exist() {
    let trial = Trial::file("").config_flag("gone.toml");
    assert_eq!(
        trial.error(),
        "--config: gone.toml cannot be read: no such file; name a file that exists"
    );
    let trial = Trial::file("").variable("TRUNKLINE_CONFIG", "gone.toml");
    assert!(
        trial
            .error()
            .starts_with("TRUNKLINE_CONFIG: gone.toml cannot be read")
    );
}

#[test]
fn a_directory_named_as_the_file_is_an_error() {
    let trial = Trial::empty().with_directory("trunkline.toml");
    assert_eq!(
        trial.error(),
        "trunkline.toml: cannot be read: is a directory; name a file"
    );
}

#[test]
fn a_file_that_is_not_text_is_an_error() {
    let trial = Trial::empty().with("trunkline.toml", b"a = \"\xFF\"");
    assert!(trial.error().ends_with("not text; save it as UTF-8"));
}

#[test]
fn an_endless_file_is_an_error() {
    let error = Trial::file("").config_flag("/dev/zero").error();
    assert!(error.ends_with("too large; name the right file"), "{error}");
}

#[test]
fn a_directory_named_dotenv_is_an_error() {
    let error = Trial::file("").with_directory(".env").error();
    assert_eq!(error, ".env: cannot be read: is a directory; name a file");
}

#[test]
fn syntax_errors_have_line_and_column_and_quote_nothing() {
    let error = Trial::file("[server]\n\n[providers.groq]\napi_key = sk-canary-canary\n").error();
    assert!(
        error.starts_with("trunkline.toml:4:11: not TOML: "),
        "{error}"
    );
    assert!(!error.contains("canary"), "{error}");
}

#[test]
fn the_admin_listener_is_known_in_spite_of_errors_elsewhere() {
    let admin = |trial: &Trial| load_admin(&trial.sources()).map(|admin| admin.listen);
    let listen = |text: &str| Ok(Some(Listen::Ip(text.parse().unwrap())));
    let wrong = "unknown = 1\n[server]\nworkers = -1\n[models.a]\nprovider = \"nowhere\"\n\
                 [access.keys.a]\n[admin]\nlisten = \"127.0.0.1:9\"\n";
    assert_eq!(admin(&Trial::file(wrong)), listen("127.0.0.1:9"));
    let half = Trial::file("[server\n");
    assert_eq!(admin(&half), listen("127.0.0.1:8081"));
    let half = half.variable("TRUNKLINE_ADMIN__LISTEN", "0.0.0.0:7");
    assert_eq!(admin(&half), listen("0.0.0.0:7"));
    let unknown = admin(&Trial::file("a = 1\n[admin]\nlisten = 8081\n")).unwrap_err();
    let unknown = unknown.to_string();
    assert!(
        unknown.starts_with("trunkline.toml:3: admin.listen: "),
        "{unknown}"
    );
}

#[test]
fn syntax_errors_name_the_usual_cause() {
    for (text, cure) in [
        (
            "[log]\nlevel = \"info\nformat = \"text\"",
            "is a quote missing",
        ),
        ("[log]\nlevel = 'info\n", "is a quote missing"),
        ("log:\n  level: info\n", "write KEY = VALUE"),
    ] {
        let error = Trial::file(text).error();
        assert!(error.contains(cure), "{error}");
    }
}

#[test]
fn a_duplicate_key_is_a_syntax_error() {
    let error = Trial::file("[server]\npage = true\npage = false\n").error();
    assert!(
        error.starts_with("trunkline.toml:3:1: not TOML: "),
        "{error}"
    );
    assert!(error.contains("duplicate key `page`"), "{error}");
}

#[test]
fn lines_are_found_however_a_key_is_written() {
    let cases = [
        ("\n\nserver.workers = true", 3),
        ("server = {\n workers = true }", 0),
        ("server = { workers = true }", 1),
        ("[server]\r\n# a comment\r\nworkers = true", 3),
        ("\n[server]\n\"workers\" = true", 3),
        ("[log]\n[server] # here\n\nworkers = true\n", 4),
        ("[cors]\nallow_origins = [\n \"http://a\",\n 1,\n]", 4),
        ("[[server]]\nworkers = 1", 1),
        ("[models]\n\n[models.x]", 3),
    ];
    for (file, line) in cases {
        let error = Trial::file(file).errors().remove(0);
        let expected = format!("trunkline.toml:{line}: ");
        // TOML 1.0 has no line breaks in inline tables.
        assert!(
            line == 0 || error.starts_with(&expected),
            "{file:?}: {error}"
        );
    }
}

#[test]
fn dotenv_is_read_like_the_environment_and_overrides_nothing() {
    let trial = Trial::file("").with(
        ".env",
        "# keys\nexport GROQ_API_KEY='gsk-1'\nTRUNKLINE_LOG__FORMAT=json\nTRUNKLINE_SERVER__WORKERS=3\n",
    );
    let config = trial.variable("TRUNKLINE_SERVER__WORKERS", "2").config();
    assert!(config.providers["groq"].is_ready());
    assert_eq!(config.log.format, LogFormat::Json);
    assert_eq!(config.server.workers, 2);
}

#[test]
fn an_empty_variable_disables_a_line_of_dotenv() {
    let trial = Trial::file("")
        .with(".env", "GROQ_API_KEY=gsk-1")
        .variable("GROQ_API_KEY", "");
    assert!(!trial.config().providers["groq"].is_ready());
}

#[test]
fn of_two_lines_of_dotenv_with_one_name_the_last_counts() {
    let trial = Trial::file("").with(".env", "ROOT_PATH=/a\nA=${ROOT_PATH}\nROOT_PATH=/b\n");
    assert_eq!(trial.config().server.root_path, "/b");
    let trial = trial.variable("ROOT_PATH", "/c");
    assert_eq!(trial.config().server.root_path, "/c");
}

#[test]
fn an_error_names_dotenv_when_it_set_the_variable() {
    let trial = Trial::file("").with(".env", "TRUNKLINE_SERVER__PAGE=maybe");
    assert_eq!(
        trial.error(),
        "TRUNKLINE_SERVER__PAGE (from .env): must be true or false, not text"
    );
}

#[test]
fn s6_a_damaged_line_of_dotenv_is_a_warning_without_its_text() {
    let text = "A=1\ncanary-canary\nGROQ_API_KEY=gsk-1\nMSG='canary-canary\n";
    let trial = Trial::file("").with(".env", text);
    assert!(trial.provider("groq").is_ready());
    assert_eq!(
        trial.warnings(),
        [
            ".env:2: has no \"=\" after its name; the line is ignored",
            ".env:4: opens a quote that is not closed; the line is ignored",
        ]
    );
    assert!(!format!("{:?}", trial.sources()).contains("canary"));
}

#[test]
fn s6_a_damaged_line_for_a_setting_is_an_error() {
    let own = "[providers.own]\nbase_url = \"http://127.0.0.1:1\"\napi_key_env = \"OWN_KEY\"";
    for line in [
        "GROQ_API_KEY canary-canary",
        "export OPENAI_API_KEY: canary-canary",
        "OPENAI_BASE_URL='http://canary-canary",
        "ROOT_PATH=\"/canary-canary\" canary",
        "FRONTEND_URL",
        "TRUNKLINE_ACCESS__OPEN true",
        "TRUNKLINE_CONFIG trunkline.toml",
        "OWN_KEY canary-canary",
    ] {
        let error = Trial::file(own)
            .with(".env", format!("A=1\n{line}\n"))
            .error();
        assert!(error.starts_with(".env:2: "), "{line}: {error}");
        assert!(
            error.ends_with("; write it as NAME=value"),
            "{line}: {error}"
        );
        assert!(!error.contains("canary"), "{error}");
    }
    let set = Trial::file("").with(".env", "GROQ_API_KEY gsk-1\n");
    let set = set.variable("GROQ_API_KEY", "gsk-2");
    assert!(set.provider("groq").is_ready());
}

#[test]
fn s6_dotenv_refers_to_the_environment_and_to_its_own_lines() {
    let text = "HOST=127.0.0.1:1\nOPENAI_BASE_URL=http://${HOST}/v1\nOPENAI_API_KEY=$SECRET";
    let trial = Trial::file("")
        .with(".env", text)
        .variable("SECRET", "sk-1");
    let provider = trial.provider("openai");
    assert!(provider.is_ready());
    let BaseUrl::Set { url, source } = provider.base_url else {
        panic!("{:?}", provider.base_url);
    };
    assert_eq!(url.as_str(), "http://127.0.0.1:1/v1");
    assert_eq!(source, "OPENAI_BASE_URL");
}

#[test]
fn a_byte_order_mark_in_dotenv_is_ignored() {
    let trial = Trial::file("").with(".env", "\u{FEFF}GROQ_API_KEY=gsk-1");
    assert!(trial.config().providers["groq"].is_ready());
}

#[test]
fn wo04_a_byte_order_mark_before_a_file_changes_nothing() {
    let trial = Trial::file("\u{feff}strict_models = true\r\n");
    assert!(trial.config().strict_models);
    let trial = Trial::file("\u{feff}strict_model = true\r\n");
    assert!(
        trial
            .error()
            .starts_with("trunkline.toml:1: strict_model: unknown key")
    );
    let trial = Trial::file("\u{feff}a b\n");
    assert!(
        trial.error().starts_with("trunkline.toml:1:3: not TOML"),
        "{}",
        trial.error()
    );
    let trial = Trial::file("").with(".env", "\u{feff}GROQ_API_KEY=k1\r\n");
    assert!(trial.provider("groq").is_ready());
}

#[test]
fn wo04_a_file_in_utf16_is_an_error_with_its_cure() {
    let utf16 = |text: &str| -> Vec<u8> {
        let letters = format!("\u{feff}{text}");
        letters.encode_utf16().flat_map(u16::to_le_bytes).collect()
    };
    let trial = Trial::empty().with("trunkline.toml", utf16("strict_models = true"));
    let error = trial.error();
    assert!(error.ends_with("not text; save it as UTF-8"), "{error}");
    let trial = Trial::file("").with(".env", utf16("GROQ_API_KEY=k1"));
    assert_eq!(trial.error(), ".env: encoded in UTF-16; save it as UTF-8");
}
