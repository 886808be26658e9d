//! Assigns the tool call deltas of a chat stream to calls: by index, else by id, else
//! by their order.
//!
//! Upstreams omit, repeat and change each of them. A delta that could belong to more
//! than one call ends the stream: a wrong call is worse than none.

use serde_json::value::RawValue;

use super::tool_call_delta::ToolCallDelta;
use crate::dialect::text::Text;
use crate::dialect::tool_arguments::{ArgumentsState, InvalidArguments, ToolArguments};

/// More calls in one response are an error of the upstream.
const MAX_CALLS: usize = 1024;

#[derive(Debug, Default)]
pub(super) struct ToolCalls {
    calls: Vec<ToolCall>,
    /// The calls that earlier chunks began.
    earlier: usize,
    /// Bytes kept.
    bytes: usize,
}

#[derive(Debug, Default)]
pub(super) struct ToolCall {
    /// The upstream's.
    index: Option<u64>,
    /// As escaped text.
    id: Option<String>,
    /// An earlier call has this id.
    id_is_taken: bool,
    name: Option<String>,
    extra: Option<Box<RawValue>>,
    arguments: ToolArguments,
    /// Arguments that have not been sent, as escaped text.
    unsent: String,
}

/// The call of a delta.
pub(super) struct Assigned<'a> {
    pub(super) key: usize,
    pub(super) is_new: bool,
    pub(super) arguments: Option<Text<'a>>,
}

/// It cannot be determined what belongs to which call, or a call is invalid.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::dialect) struct UnclearCalls;

impl ToolCall {
    pub(super) fn id(&self) -> Option<Text<'static>> {
        let id = self.id.as_deref().filter(|_| !self.id_is_taken)?;
        Text::concat(&[id])
    }

    /// A call without a name cannot be sent.
    pub(super) fn name(&self) -> Option<Text<'static>> {
        Text::concat(&[self.name.as_deref()?])
    }

    pub(super) fn extra(&self) -> Option<&RawValue> {
        self.extra.as_deref()
    }

    pub(super) fn is_complete(&self) -> bool {
        self.arguments.state() == ArgumentsState::Complete
    }

    fn has_name(&self, name: &Text<'_>) -> bool {
        self.name.as_deref() == Some(name.escaped())
    }

    fn may_have_name(&self, name: Option<&Text<'_>>) -> bool {
        name.is_none_or(|name| self.name.is_none() || self.has_name(name))
    }

    /// Whether the delta can be a part of this call.
    fn takes(&self, delta: &ToolCallDelta<'_>) -> bool {
        let fits = match (self.arguments.state(), delta.first_byte()) {
            _ if !self.unsent.is_empty() && self.name.is_none() => true,
            (ArgumentsState::Partial, _) | (ArgumentsState::Empty, Some(b'{')) => true,
            (ArgumentsState::Empty, None) => delta.arguments.is_none(),
            (ArgumentsState::Empty, Some(_)) => delta.is_null(),
            _ => false,
        };
        fits && self.may_have_name(delta.name.as_ref())
    }

    /// Returns the number of bytes kept.
    fn push(&mut self, text: &Text<'_>) -> Result<usize, UnclearCalls> {
        let before = self.arguments.len();
        self.arguments.push(text);
        if self.arguments.state() == ArgumentsState::Invalid {
            return Err(UnclearCalls);
        }
        Ok(self.arguments.len() - before)
    }
}

impl ToolCalls {
    pub(super) fn is_empty(&self) -> bool {
        self.calls.is_empty()
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn get(&self, key: usize) -> Option<&ToolCall> {
        self.calls.get(key)
    }

    pub(super) fn start_chunk(&mut self) {
        self.earlier = self.calls.len();
    }

    /// `None` if the delta says nothing.
    pub(super) fn assign<'a>(
        &mut self,
        delta: ToolCallDelta<'a>,
    ) -> Result<Option<Assigned<'a>>, UnclearCalls> {
        if delta.is_empty() {
            return Ok(None);
        }
        let has_arguments = delta.first_byte().is_some();
        let found = self.find(&delta)?;
        let is_new = found.is_none();
        if is_new && delta.id.is_none() && delta.name.is_none() && !has_arguments {
            return Ok(None);
        }
        let key = match found {
            Some(key) => key,
            None => self.begin(&delta)?,
        };
        let call = self.calls.get_mut(key).ok_or(UnclearCalls)?;
        let was_nameless = call.name.is_none();
        call.index = call.index.or(delta.index);
        let own = |text: &Option<Text<'_>>| text.as_ref().map(|it| it.escaped().to_owned());
        call.id = call.id.take().or_else(|| own(&delta.id));
        call.name = call.name.take().or_else(|| own(&delta.name));
        call.extra = call.extra.take().or_else(|| Some(delta.extra?.to_owned()));
        // White space matters only within a text.
        let is_nameless = call.name.is_none();
        let state = call.arguments.state();
        let is_part = has_arguments || state == ArgumentsState::Partial || is_nameless;
        let is_none = !is_part || state == ArgumentsState::Empty && delta.is_null();
        let arguments = delta.arguments.filter(|_| !is_none);
        if is_nameless {
            self.bytes += arguments.as_ref().map_or(0, |text| text.escaped().len());
        } else {
            if was_nameless && let Some(unread) = Text::concat(&[&call.unsent]) {
                self.bytes += call.push(&unread)?;
            }
            if let Some(arguments) = &arguments {
                self.bytes += call.push(arguments)?;
            }
        }
        Ok(Some(Assigned {
            key,
            is_new,
            arguments,
        }))
    }

    /// Keeps arguments until the call's turn.
    pub(super) fn keep(&mut self, key: usize, arguments: &Text<'_>) {
        if let Some(call) = self.calls.get_mut(key) {
            call.unsent.push_str(arguments.escaped());
        }
    }

    pub(super) fn take_unsent(&mut self, key: usize) -> Option<Text<'static>> {
        let unsent = &mut self.calls.get_mut(key)?.unsent;
        if unsent.is_empty() {
            return None;
        }
        Text::concat(&[&std::mem::take(unsent)])
    }

    /// Nothing more belongs to the call.
    pub(super) fn finish(&mut self, key: usize, may_be_cut: bool) -> Result<(), UnclearCalls> {
        let call = self.calls.get_mut(key).ok_or(UnclearCalls)?;
        self.bytes = self.bytes.saturating_sub(call.arguments.len());
        call.arguments
            .finish(may_be_cut)
            .map_err(|InvalidArguments| UnclearCalls)
    }

    /// At the end of the stream: what has no name is no call of its own. Some upstreams
    /// count the index up with each delta (Nebius, Cerebras); if only one call has
    /// arguments missing, they are its.
    pub(super) fn join_nameless(&mut self, may_be_cut: bool) -> Result<(), UnclearCalls> {
        let (nameless, named): (Vec<_>, Vec<_>) = (0..self.calls.len())
            .partition(|key| self.get(*key).is_some_and(|it| it.name.is_none()));
        let state = |key: &usize| self.get(*key).map(|call| call.arguments.state());
        let in_state = |wanted| {
            let mut keys = named.iter().filter(|key| state(key) == Some(wanted));
            (keys.next().copied(), keys.next().is_some())
        };
        let target = match (
            in_state(ArgumentsState::Partial),
            in_state(ArgumentsState::Empty),
        ) {
            ((Some(key), false), _) | ((None, _), (Some(key), false)) => Some(key),
            _ => None,
        };
        for key in nameless {
            let Some(text) = self.take_unsent(key) else {
                // Cut before its name arrived.
                may_be_cut.then_some(()).ok_or(UnclearCalls)?;
                continue;
            };
            let target = target.and_then(|key| self.calls.get_mut(key));
            let target = target.ok_or(UnclearCalls)?;
            self.bytes += target.push(&text)?;
            target.unsent.push_str(text.escaped());
        }
        Ok(())
    }

    fn begin(&mut self, delta: &ToolCallDelta<'_>) -> Result<usize, UnclearCalls> {
        let key = self.calls.len();
        if key == MAX_CALLS {
            return Err(UnclearCalls);
        }
        let texts = [&delta.id, &delta.name].into_iter().flatten();
        self.bytes += texts.map(|text| text.escaped().len()).sum::<usize>();
        self.bytes += delta.extra.map_or(0, |extra| extra.get().len());
        let id = delta.id.as_ref();
        let has_id = |call: &ToolCall| call.id.as_deref() == id.map(Text::escaped);
        let call = ToolCall {
            id_is_taken: id.is_some() && self.calls.iter().any(has_id),
            ..ToolCall::default()
        };
        self.calls.push(call);
        Ok(key)
    }

    /// The call that the delta continues; `None` if it begins one.
    fn find(&self, delta: &ToolCallDelta<'_>) -> Result<Option<usize>, UnclearCalls> {
        let any = |matches: &dyn Fn(&ToolCall) -> bool| self.calls.iter().any(matches);
        let has_index = |call: &ToolCall| call.index.is_some() && call.index == delta.index;
        if let Some(id) = &delta.id {
            let has_id = |call: &ToolCall| call.id.as_deref() == Some(id.escaped());
            let may_have_index =
                |call: &ToolCall| delta.index.is_none() || call.index.is_none() || has_index(call);
            if any(&|call| has_id(call) && may_have_index(call)) {
                return self.pick(|_, call| has_id(call) && may_have_index(call), delta);
            }
            // Some upstreams give all calls the index 0, or the same id.
            if delta.name.is_some() {
                let lacks_id = |call: &ToolCall| call.id.is_none() && call.index == delta.index;
                // The beginning of what has arrived, or of another call?
                if any(&|call| has_index(call) && lacks_id(call) && call.name.is_none()) {
                    return Err(UnclearCalls);
                }
                return self.pick(|_, call| lacks_id(call) && call.takes(delta), delta);
            }
            if any(&has_id) {
                let contradicts = any(&has_index);
                return if contradicts {
                    Err(UnclearCalls)
                } else {
                    self.pick(|_, call| has_id(call), delta)
                };
            }
            // vLLM up to 0.8 has a new id in each delta.
            if !any(&has_index) {
                return self.pick(|_, call| delta.index.is_none() && call.id.is_none(), delta);
            }
        }
        if any(&has_index) {
            return self.pick(|_, call| has_index(call), delta);
        }
        match delta.index.or(delta.position) {
            Some(index) => self.pick(
                |key, call| call.index.is_none() && u64::try_from(key) == Ok(index),
                delta,
            ),
            None => self.find_by_order(delta),
        }
    }

    fn find_by_order(&self, delta: &ToolCallDelta<'_>) -> Result<Option<usize>, UnclearCalls> {
        let Some(name) = &delta.name else {
            return self.pick(|_, _| true, delta);
        };
        // Two of one chunk are two calls.
        let earlier = || self.calls.iter().enumerate().take(self.earlier);
        if delta.arguments.is_some() {
            let mut fitting = earlier().filter(|(_, call)| call.takes(delta));
            match (fitting.next(), fitting.next()) {
                (Some(_), Some(_)) => return Err(UnclearCalls),
                (Some((key, _)), None) => return Ok(Some(key)),
                _ if delta.first_byte().is_some() => return Ok(None),
                _ => {}
            }
        }
        // The name again, or another call without arguments?
        if earlier().any(|(_, call)| call.has_name(name)) {
            return Err(UnclearCalls);
        }
        let mut nameless = earlier().filter(|(_, call)| call.name.is_none());
        match (nameless.next(), nameless.next()) {
            (_, Some(_)) => Err(UnclearCalls),
            (first, None) => Ok(first.map(|(key, _)| key)),
        }
    }

    /// The one of these calls that the delta continues; `None` if there are none, or if
    /// the delta begins another call.
    fn pick(
        &self,
        matches: impl Fn(usize, &ToolCall) -> bool,
        delta: &ToolCallDelta<'_>,
    ) -> Result<Option<usize>, UnclearCalls> {
        let calls = self.calls.iter().enumerate();
        let matching = calls.filter(|(key, call)| matches(*key, call));
        let mut fitting = matching.clone().filter(|(_, call)| call.takes(delta));
        match (fitting.next(), fitting.next()) {
            (Some((key, _)), None) => return Ok(Some(key)),
            (Some(_), Some(_)) if delta.name.is_some() || delta.arguments.is_some() => {
                return Err(UnclearCalls);
            }
            _ => {}
        }
        let Some((key, last)) = matching.clone().last() else {
            return Ok(None);
        };
        let has_arguments = delta.first_byte().is_some();
        if !has_arguments && last.may_have_name(delta.name.as_ref()) {
            return Ok(Some(key));
        }
        let repeats_name = |name| matching.clone().any(|(_, call)| call.has_name(name));
        match &delta.name {
            Some(name) if last.is_complete() && (has_arguments || !repeats_name(name)) => Ok(None),
            _ => Err(UnclearCalls),
        }
    }
}
