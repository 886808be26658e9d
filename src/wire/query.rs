//! Query strings of API requests.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

use super::api_path::{decode_segment, encode_segment};

/// A query string without its `?`. Edits keep the bytes of all other pairs.
#[derive(Debug, Clone, Copy)]
pub struct Query<'q>(pub &'q str);

impl<'q> Query<'q> {
    /// The values of `model`, decoded.
    pub fn models(self) -> impl Iterator<Item = String> + 'q {
        let pairs = self.0.split('&');
        pairs.filter_map(|pair| {
            let value = pair.strip_prefix("model=")?.replace('+', " ");
            Some(percent_decode_str(&value).decode_utf8_lossy().into_owned())
        })
    }

    /// Replaces the value of `model`, if there is one.
    #[must_use]
    pub fn with_model(self, upstream_model: &str) -> String {
        let name = encode_segment(upstream_model);
        let edited = self.edit(|pair| {
            let is_model = pair.starts_with("model=");
            Some(if is_model {
                format!("model={name}").into()
            } else {
                pair.into()
            })
        });
        edited.unwrap_or_default()
    }

    /// Removes Azure's API version, which other upstreams do not support. `None`
    /// where nothing is left.
    #[must_use]
    pub fn without_api_version(self) -> Option<String> {
        self.edit(|pair| (!pair.starts_with("api-version=")).then_some(pair.into()))
    }

    /// Renames `model` to `deployment`, for Azure's older API.
    #[must_use]
    pub fn with_deployment(self) -> String {
        let edited = self.edit(|pair| Some(rename(pair, "model=", "deployment=")));
        edited.unwrap_or_default()
    }

    /// Renames `deployment` to `model`, and moves the API key out of the query
    /// of an Azure WebSocket (Azure OpenAI, "Realtime API via WebSockets").
    #[must_use]
    pub fn extract_azure_key(self) -> (String, Option<String>) {
        let mut key = None;
        let edited = self.edit(|pair| {
            if let Some(value) = pair.strip_prefix("api-key=") {
                key = decode_segment(value);
                return None;
            }
            Some(rename(pair, "deployment=", "model="))
        });
        (edited.unwrap_or_default(), key)
    }

    /// Replaces or removes each pair. `None` if no pair is left.
    fn edit(self, pair: impl FnMut(&'q str) -> Option<Cow<'q, str>>) -> Option<String> {
        let pairs: Vec<_> = self.0.split('&').filter_map(pair).collect();
        (!pairs.is_empty()).then(|| pairs.join("&"))
    }
}

fn rename<'q>(pair: &'q str, from: &str, to: &str) -> Cow<'q, str> {
    match pair.strip_prefix(from) {
        Some(value) => format!("{to}{value}").into(),
        None => pair.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::Query;

    #[test]
    fn reads_and_writes_queries() {
        let models = |query| Query(query).models().collect::<Vec<_>>();
        assert_eq!(models("a=b&model=gpt%2F4o+x&model="), ["gpt/4o x", ""]);
        assert!(models("models=a&xmodel=b&model").is_empty());
        let renamed = Query("a=%20&model=x&b").with_model("u p");
        assert_eq!(renamed, "a=%20&model=u%20p&b");
        assert_eq!(Query("after=x").with_model("u"), "after=x");
        let version = "api-version=2024-10-21";
        assert_eq!(Query(version).without_api_version(), None);
        assert_eq!(
            Query(&format!("a=1&{version}&b")).without_api_version(),
            Some("a=1&b".to_owned())
        );
    }
}
