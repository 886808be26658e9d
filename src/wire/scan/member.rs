//! The top-level members that the scan reads.

use super::ScanField;
use super::output_limit::OutputMember;
use super::string::{Decoder, StringContent};

/// The longest name, in characters.
const MAX_NAME: usize = "max_completion_tokens".len();

pub(super) enum ScanMember {
    Field(ScanField),
    DataSources,
    ServiceTier,
    Store,
    Output(OutputMember),
    /// What completions are made for, if it is a list.
    Prompt,
}

impl ScanMember {
    /// The member of this key, if it is one of those: a branch by length for most keys.
    pub(super) fn of(key: StringContent<'_>) -> Option<Self> {
        if !key.escaped {
            return Self::named(key.content);
        }
        // One more than a name has shows that it is none. The key may be huge.
        let decoder = Decoder::from_bytes(key.content).map(Result::ok);
        let name: Option<String> = decoder.take(MAX_NAME + 1).collect();
        Self::named(name?.as_bytes())
    }

    fn named(name: &[u8]) -> Option<Self> {
        Some(match name {
            b"model" => Self::Field(ScanField::Model),
            b"stream" => Self::Field(ScanField::Stream),
            b"stream_options" => Self::Field(ScanField::StreamOptions),
            b"data_sources" => Self::DataSources,
            b"service_tier" => Self::ServiceTier,
            b"store" => Self::Store,
            b"max_tokens" => Self::Output(OutputMember::MaxTokens),
            b"max_completion_tokens" => Self::Output(OutputMember::MaxCompletionTokens),
            b"max_output_tokens" => Self::Output(OutputMember::MaxOutputTokens),
            b"n" => Self::Output(OutputMember::Choices),
            b"best_of" => Self::Output(OutputMember::BestOf),
            b"prompt" => Self::Prompt,
            _ => return None,
        })
    }
}
