//! LiteLLM's `api_base` as a base URL here.

use url::{Host, Url};

use super::known::BaseForm;
use crate::config::parse_base_url;

/// Paths that some users append, and that are added for each request.
const ENDPOINTS: [&str; 5] = [
    "/chat/completions",
    "/completions",
    "/embeddings",
    "/messages",
    "/responses",
];

/// The base URL; the error states what is wrong, without the text.
pub fn translate(text: &str, form: BaseForm, has_api_version: bool) -> Result<Url, String> {
    let mut url = parse_base_url(text.trim_end_matches('?'))?;
    let mut path = url.path().trim_end_matches('/').to_owned();
    for endpoint in ENDPOINTS {
        if let Some(shorter) = path.strip_suffix(endpoint) {
            path.truncate(shorter.len());
        }
    }
    match form {
        BaseForm::Same | BaseForm::Foreign => {}
        BaseForm::WithoutVersion => {
            if !path.ends_with("/v1") {
                path.push_str("/v1");
            }
        }
        BaseForm::Azure => path = azure_path(&path, has_api_version),
    }
    url.set_path(&path);
    // An empty path becomes "/".
    parse_base_url(url.as_str())
}

/// With `api_version`, the base URL ends in "/openai" and deployments follow; the v1 API
/// is below "/openai/v1".
fn azure_path(path: &str, has_api_version: bool) -> String {
    let path = path
        .split_once("/deployments")
        .map_or(path, |(before, _)| before);
    let root = ["/openai/v1", "/openai", "/models", "/v1"]
        .iter()
        .find_map(|ending| path.strip_suffix(ending))
        .unwrap_or(path);
    let version = if has_api_version { "" } else { "/v1" };
    format!("{root}/openai{version}")
}

/// A name for a provider at this URL: host and port.
pub fn host_name(url: &Url) -> String {
    let host = match url.host() {
        Some(Host::Ipv4(address)) if address.is_loopback() || address.is_unspecified() => {
            "localhost".to_owned()
        }
        Some(Host::Domain(name)) => name.to_owned(),
        Some(Host::Ipv4(address)) => address.to_string(),
        Some(Host::Ipv6(address)) => format!("v6-{address}"),
        None => String::new(),
    };
    match url.port() {
        Some(port) => slug(&format!("{host}-{port}")),
        None => slug(&host),
    }
}

/// The first label of a host name, if that is one of several.
pub fn first_label(url: &Url) -> Option<String> {
    match url.host() {
        Some(Host::Domain(name)) => name.split_once('.').map(|(label, _)| slug(label)),
        _ => None,
    }
}

/// Only letters, digits and single dashes.
pub fn slug(text: &str) -> String {
    let mut name = String::new();
    for letter in text.chars() {
        if letter.is_ascii_alphanumeric() || letter == '_' {
            name.push(letter.to_ascii_lowercase());
        } else if !name.ends_with('-') && !name.is_empty() {
            name.push('-');
        }
    }
    name.truncate(48);
    let name = name.trim_end_matches('-');
    if name.is_empty() { "provider" } else { name }.to_owned()
}

#[cfg(test)]
mod tests {
    use super::{BaseForm, host_name, slug, translate};

    #[track_caller]
    fn assert_leads_to(expected: &str, form: BaseForm, has_version: bool, texts: &[&str]) {
        for text in texts {
            let url = translate(text, form, has_version).unwrap();
            assert_eq!(url.as_str(), expected, "{text}");
        }
    }

    #[test]
    fn an_api_base_becomes_the_base_url_of_the_same_api() {
        let texts = [
            "http://gpu:8000/v1/",
            "http://gpu:8000/v1/chat/completions",
            "http://gpu:8000/v1/embeddings",
        ];
        assert_leads_to("http://gpu:8000/v1", BaseForm::Same, false, &texts);
        let texts = [
            "http://gpu:11434",
            "http://gpu:11434/v1",
            "http://gpu:11434/v1/messages",
        ];
        let form = BaseForm::WithoutVersion;
        assert_leads_to("http://gpu:11434/v1", form, false, &texts);
    }

    #[test]
    fn an_azure_resource_becomes_the_base_url_of_its_api() {
        let texts = [
            "https://r.openai.azure.com/",
            "https://r.openai.azure.com/openai/v1",
            "https://r.openai.azure.com/openai/deployments/gpt",
        ];
        let (old, new) = ("https://r.openai.azure.com/openai", "/v1");
        assert_leads_to(old, BaseForm::Azure, true, &texts);
        assert_leads_to(&format!("{old}{new}"), BaseForm::Azure, false, &texts);
        let foundry = "https://r.services.ai.azure.com/openai/v1";
        let texts = ["https://r.services.ai.azure.com/models"];
        assert_leads_to(foundry, BaseForm::Azure, false, &texts);
    }

    #[test]
    fn what_is_no_base_url_is_refused_without_quoting_it() {
        for text in [
            "your_api_base",
            "https://<resource>.openai.azure.com",
            "https://user:secret@host/v1",
            "https://host/v1?key=secret",
            "ftp://host/v1",
        ] {
            let error = translate(text, BaseForm::Same, false).unwrap_err();
            assert!(
                !error.contains("secret") && !error.contains("your_api"),
                "{error}"
            );
        }
    }

    #[test]
    fn names_come_from_the_host() {
        for (url, name) in [
            ("http://localhost:8000/v1", "localhost-8000"),
            ("http://127.0.0.1:8000/v1", "localhost-8000"),
            ("http://0.0.0.0:8000/v1", "localhost-8000"),
            ("http://10.0.0.5:8000/v1", "10-0-0-5-8000"),
            ("https://llm.example.com/v1", "llm-example-com"),
            ("http://[::1]:9/v1", "v6-1-9"),
        ] {
            assert_eq!(host_name(&url::Url::parse(url).unwrap()), name);
        }
        assert_eq!(slug("??"), "provider");
    }
}
