use super::Trial;
use crate::config::Traces;

const COLLECTOR: &str = "[traces]\nendpoint = \"http://127.0.0.1:4318\"\n";

fn traces(trial: &Trial) -> Traces {
    trial.config().traces.unwrap()
}

#[test]
fn nothing_is_traced_unless_a_collector_is_named() {
    for text in [
        "",
        "[traces]\nratio = \"0.5\"",
        "[traces]\nendpoint = \"\"",
        "[traces]\nendpoint_env = \"COLLECTOR\"",
    ] {
        let trial = Trial::file(text).variable("OTEL_EXPORTER_OTLP_ENDPOINT", "http://a:4318");
        assert_eq!(trial.config().traces, None, "{text}");
    }
}

#[test]
fn the_collectors_path_is_added_once() {
    for (base, complete) in [
        ("http://127.0.0.1:4318", "http://127.0.0.1:4318/v1/traces"),
        (
            "https://a.example/otlp/",
            "https://a.example/otlp/v1/traces",
        ),
        ("http://a:4318/v1/traces", "http://a:4318/v1/traces"),
    ] {
        let trial = Trial::file("[traces]\nendpoint = \"off\"\nendpoint_env = \"COLLECTOR\"");
        let traces = traces(&trial.variable("COLLECTOR", base));
        assert_eq!(traces.collector.endpoint.as_str(), complete);
    }
}

#[test]
fn the_service_name_comes_from_the_file_or_the_standard_variable() {
    let named = format!("{COLLECTOR}service_name = \"gate\"");
    let variable = |text: &str| Trial::file(text).variable("OTEL_SERVICE_NAME", "standard");
    let name = |trial: &Trial| traces(trial).collector.service_name;
    assert_eq!(name(&Trial::file(COLLECTOR)), "trunkline");
    assert_eq!(name(&variable(COLLECTOR)), "standard");
    assert_eq!(name(&variable(&named)), "gate");
}

#[test]
fn headers_come_from_the_file_and_from_a_variable_and_are_never_shown() {
    let text = format!("{COLLECTOR}headers = {{ x-a = \"sesame\" }}\nheaders_env = \"MORE\"");
    let trial = Trial::file(&text).variable("MORE", "authorization=Basic%20sesame, x-b=1=2,");
    let traces = traces(&trial);
    let value = |name: &str| traces.collector.headers[name].to_str().unwrap();
    assert_eq!(value("x-a"), "sesame");
    assert_eq!(value("authorization"), "Basic sesame");
    assert_eq!(value("x-b"), "1=2");
    assert!(!format!("{traces:?}").contains("sesame"));
}

#[test]
fn every_error_is_reported_and_quotes_nothing() {
    let text = "[traces]\nendpoint = \"http://user:sesame@a\"\nratio = \"1.5\"\nheaders_env = \"MORE\"\nheaders = { host = \"sesame\" }";
    let errors = Trial::file(text).variable("MORE", "sesame").errors();
    assert_eq!(errors.len(), 4, "{errors:#?}");
    let all = errors.join("\n");
    for part in [
        "traces.endpoint: must not contain a user or password; set the key with headers_env",
        "traces.ratio: must be a number from \"0\" to \"1\"",
        "traces.headers.host: set by Trunkline",
        "MORE: not of the form name=value,name=value",
    ] {
        assert!(all.contains(part), "{part}: {all}");
    }
    assert!(!all.contains("sesame"), "{all}");
    for ratio in ["-0.1", "NaN", "often", ""] {
        let text = format!("[traces]\nratio = \"{ratio}\"");
        assert!(
            Trial::file(&text).error().contains("traces.ratio"),
            "{ratio}"
        );
    }
}

#[test]
fn headers_in_clear_text_to_a_public_host_are_a_warning() {
    let text = "[traces]\nendpoint = \"http://collector.example.com\"\nheaders = { x-a = \"1\" }";
    let warnings = Trial::file(text).warnings();
    assert!(warnings.iter().any(|it| it.contains("traces.headers")));
    let private = text.replace("collector.example.com", "collector.svc.cluster.local");
    let warnings = Trial::file(&private).warnings();
    assert!(!warnings.iter().any(|it| it.contains("traces.headers")));
}
