//! What a response repeats of its request, and what its tools are.

use std::collections::BTreeMap;

/// Kept from the request until its response is translated.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RequestEcho {
    /// Members of the response that repeat the request: JSON in one line, each member
    /// followed by a comma.
    pub(in crate::dialect) members: String,
    /// By the name of the function at the upstream. Functions that the client calls
    /// the same, outside of any namespace, are absent.
    pub(in crate::dialect) tools: BTreeMap<String, ToolOrigin>,
}

/// What the client calls a function of the upstream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::dialect) struct ToolOrigin {
    pub(in crate::dialect) kind: ToolKind,
    pub(in crate::dialect) namespace: Option<String>,
    pub(in crate::dialect) name: String,
}

/// The item of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in crate::dialect) enum ToolKind {
    /// `function_call`.
    Function,
    /// `custom_tool_call`: the function's only argument, `input`, is a string.
    Custom,
    /// `tool_search_call` with `execution` of `client`: `arguments` is an object, and it
    /// has no name.
    Search,
}
