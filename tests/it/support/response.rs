//! Responses as a client receives them.

use serde_json::Value;

use super::client::find;

#[derive(Debug, Clone)]
pub struct Head {
    pub status: u16,
    /// Lower-case names and raw values, in order.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The raw bytes, including the empty line.
    pub raw: Vec<u8>,
}

/// A complete response.
#[derive(Debug)]
pub struct Response {
    pub status: u16,
    pub head: Head,
    /// The 1xx heads before it.
    pub interim: Vec<Head>,
    pub body: Vec<u8>,
    /// False if the connection ended before the body did.
    pub complete: bool,
}

impl Head {
    #[track_caller]
    pub(super) fn parse(raw: Vec<u8>) -> Self {
        let mut lines = raw
            .split(|byte| *byte == b'\n')
            .map(|line| line.strip_suffix(b"\r").unwrap_or(line));
        let first = String::from_utf8_lossy(lines.next().unwrap()).into_owned();
        assert!(first.starts_with("HTTP/1."), "not a response head: {first}");
        let headers = lines
            .filter(|line| !line.is_empty())
            .map(|line| {
                let at = find(line, b":").unwrap();
                let name = String::from_utf8_lossy(&line[..at]).to_ascii_lowercase();
                (name, line[at + 1..].trim_ascii().to_vec())
            })
            .collect();
        let status = first[9..12].parse().unwrap();
        Self {
            status,
            headers,
            raw,
        }
    }

    /// The first value of a header.
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.headers
            .iter()
            .find(|(found, _)| found == name)
            .map(|(_, value)| value.as_slice())
    }

    /// The first value of a header, as text.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.get(name)
            .map(|value| std::str::from_utf8(value).unwrap())
    }
}

impl Response {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {:?}", self.text()))
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.text(name)
    }

    /// Trunkline's own id of the request.
    #[track_caller]
    pub fn request_id(&self) -> String {
        self.header("x-trunkline-request-id")
            .expect("an x-trunkline-request-id")
            .to_owned()
    }
}
