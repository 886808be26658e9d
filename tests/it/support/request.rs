//! Requests written byte for byte.

use std::fmt::Write as _;

#[derive(Clone)]
pub struct Request {
    pub method: String,
    pub target: String,
    pub headers: Vec<(String, String)>,
    pub body: Option<Vec<u8>>,
}

impl Request {
    pub fn new(method: &str, target: &str) -> Self {
        let headers = vec![("Host".to_owned(), "127.0.0.1".to_owned())];
        Self {
            method: method.to_owned(),
            target: target.to_owned(),
            headers,
            body: None,
        }
    }

    pub fn get(target: &str) -> Self {
        Self::new("GET", target)
    }

    /// A POST of a JSON body.
    pub fn post(target: &str, body: impl AsRef<[u8]>) -> Self {
        Self::new("POST", target)
            .header("Content-Type", "application/json")
            .body(body)
    }

    /// A chat completion request.
    pub fn chat(model: &str) -> Self {
        Self::post(
            "/v1/chat/completions",
            format!(r#"{{"model":"{model}","messages":[{{"role":"user","content":"hi"}}]}}"#),
        )
    }

    /// A streaming chat completion request.
    pub fn stream(model: &str) -> Self {
        Self::post(
            "/v1/chat/completions",
            format!(
                r#"{{"model":"{model}","stream":true,"messages":[{{"role":"user","content":"hi"}}]}}"#
            ),
        )
    }

    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn without(mut self, name: &str) -> Self {
        self.headers
            .retain(|(found, _)| !found.eq_ignore_ascii_case(name));
        self
    }

    pub fn body(mut self, body: impl AsRef<[u8]>) -> Self {
        self.body = Some(body.as_ref().to_vec());
        self
    }

    pub fn key(self, key: &str) -> Self {
        self.header("Authorization", &format!("Bearer {key}"))
    }

    /// The request with a `Content-Length`.
    pub fn bytes(&self) -> Vec<u8> {
        let body = self.body.clone().unwrap_or_default();
        let length = self
            .body
            .as_ref()
            .map(|body| format!("Content-Length: {}\r\n", body.len()));
        [self.head(&length.unwrap_or_default()), body].concat()
    }

    /// The request with a chunked body; the chunk sizes repeat.
    pub fn chunked(&self, sizes: &[usize]) -> Vec<u8> {
        let mut bytes = self.head("Transfer-Encoding: chunked\r\n");
        let body = self.body.clone().unwrap_or_default();
        let mut rest = body.as_slice();
        for size in sizes.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (now, later) = rest.split_at(rest.len().min(*size));
            bytes.extend(format!("{:x}\r\n", now.len()).bytes());
            bytes.extend(now);
            bytes.extend(b"\r\n");
            rest = later;
        }
        bytes.extend(b"0\r\n\r\n");
        bytes
    }

    /// The head, with further lines after the headers.
    pub fn head(&self, lines: &str) -> Vec<u8> {
        let mut head = format!("{} {} HTTP/1.1\r\n", self.method, self.target);
        for (name, value) in &self.headers {
            write!(head, "{name}: {value}\r\n").unwrap();
        }
        head.push_str(lines);
        head.push_str("\r\n");
        head.into_bytes()
    }
}
