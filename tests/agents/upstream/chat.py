"""Chat completions, as strict as vLLM and llama.cpp with the template of Qwen.

That template wants one system message, at the beginning, and knows four roles.
"""

import json
import re

from .conversation import REASONING, Call, Conversation, Text, Turn, arguments, chunks, only, require

PATH = "/v1/chat/completions"
TYPES = {"text", "image_url"}
# https://platform.openai.com/docs/api-reference/chat/create
MEMBERS = {
    "model", "messages", "stream", "stream_options", "tools", "tool_choice", "parallel_tool_calls", "max_tokens",
    "max_completion_tokens", "temperature", "top_p", "stop", "response_format", "reasoning_effort", "metadata", "store",
    "user", "safety_identifier", "prompt_cache_key", "prompt_cache_retention", "service_tier", "verbosity", "seed", "n",
    "frequency_penalty", "presence_penalty", "logprobs", "top_logprobs",
}
MESSAGE = {
    "system": {"role", "content", "name"},
    "user": {"role", "content", "name"},
    "assistant": {"role", "content", "name", "tool_calls", "refusal", "reasoning_content"},
    "tool": {"role", "content", "tool_call_id", "name"},
}


def check(body, _headers):
    only(body, MEMBERS, "")
    require(body.get("messages"), "messages must not be empty")
    open_calls = set()
    for index, message in enumerate(body["messages"]):
        where = f"messages[{index}]."
        role = message.get("role")
        require(role in MESSAGE, f"Unexpected message role: {role}")
        only(message, MESSAGE[role], where)
        require(role != "system" or index == 0, "System message must be at the beginning.")
        check_content(message, where)
        if role == "tool":
            require(message.get("tool_call_id") in open_calls, f"{where}tool_call_id is not the id of an open call")
            open_calls.discard(message["tool_call_id"])
            continue
        require(not open_calls, f"{where}role: the results of {sorted(open_calls)} are missing")
        open_calls = {check_call(call, where) for call in message.get("tool_calls") or []}
    require(not open_calls, "the results of the last calls are missing")
    for index, tool in enumerate(body.get("tools") or []):
        check_tool(tool, f"tools[{index}].")
    require(body.get("tools") or "tool_choice" not in body, "tool_choice needs tools")


def check_content(message, where):
    content = message.get("content")
    if message["role"] == "tool":
        require(isinstance(content, str), f"{where}content must be a text")
    elif isinstance(content, list):
        require(content, f"{where}content must not be empty")
        for part in content:
            require(part.get("type") in TYPES, f"{where}content: Unexpected item type in content: {part.get('type')}")
    elif content is None:
        require(message["role"] == "assistant" and message.get("tool_calls"), f"{where}content must not be null")
    else:
        require(isinstance(content, str), f"{where}content must be a text or a list")


def check_call(call, where):
    only(call, {"id", "type", "function", "index"}, f"{where}tool_calls[].")
    require(call.get("type") == "function", f"{where}tool_calls[].type must be 'function'")
    # The template reads the arguments.
    require(isinstance(json.loads(call["function"]["arguments"]), dict), f"{where}arguments must be an object")
    require(re.fullmatch(r"[\w-]{1,64}", call["function"]["name"]), f"{where}tool_calls[].function.name")
    require(isinstance(call.get("id"), str) and 0 < len(call["id"]) <= 40, f"{where}tool_calls[].id")
    return call["id"]


def check_tool(tool, where):
    only(tool, {"type", "function"}, where)
    require(tool.get("type") == "function", f"{where}type must be 'function'")
    function = tool["function"]
    only(function, {"name", "description", "parameters", "strict"}, f"{where}function.")
    require(re.fullmatch(r"[\w-]{1,64}", function.get("name", "")), f"{where}function.name: {function.get('name')}")
    parameters = function.get("parameters", {"type": "object"})
    require(isinstance(parameters, dict) and parameters.get("type") == "object", f"{where}function.parameters must be an object")


def conversation(body):
    turns = []
    for message in body["messages"]:
        role, content = message["role"], message.get("content") or ""
        parts = [{"type": "text", "text": content}] if isinstance(content, str) else content
        text = "\n".join(part.get("text", "[image]") for part in parts)
        if message.get("reasoning_content"):
            turns.append(Turn("reasoning", message["reasoning_content"]))
        if role == "tool":
            turns.append(Turn("result", text, id=message["tool_call_id"]))
        elif text:
            turns.append(Turn(role, text))
        for call in message.get("tool_calls") or []:
            turns.append(Turn("call", call["function"]["arguments"], call["function"]["name"], call["id"]))
    return Conversation(turns, [tool["function"]["name"] for tool in body.get("tools") or []])


def events(parts, body, count):
    """The stream of one response. Its id repeats, as Ollama's do."""
    head = {"id": "chatcmpl-417", "object": "chat.completion.chunk", "created": 1, "model": body["model"]}
    offered = {tool["function"]["name"]: tool["function"] for tool in body.get("tools") or []}
    calls = [part for part in parts if isinstance(part, Call)]

    def event(delta, finish=None):
        return {**head, "choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}]}

    yield event({"role": "assistant", "content": ""})
    for chunk in chunks(REASONING):
        yield event({"reasoning_content": chunk})
    for text in [part.text for part in parts if isinstance(part, Text)]:
        for chunk in chunks(text):
            yield event({"content": chunk})
    for index, call in enumerate(calls):
        function = {"name": call.name, "arguments": ""}
        id = call.id or f"chatcmpl-tool-{count:08x}{index:08x}"
        yield event({"tool_calls": [{"index": index, "id": id, "type": "function", "function": function}]})
        for chunk in chunks(arguments(call, offered[call.name]["parameters"]["properties"])):
            yield event({"tool_calls": [{"index": index, "function": {"arguments": chunk}}]})
    yield event({}, "tool_calls" if calls else "stop")
    if (body.get("stream_options") or {}).get("include_usage"):
        usage = {"prompt_tokens": 22, "completion_tokens": 10, "total_tokens": 32, "prompt_tokens_details": {"cached_tokens": 12}}
        yield {**head, "choices": [], "usage": usage}
    yield "[DONE]"


def error(message):
    return {"error": {"message": message, "type": "BadRequestError", "param": None, "code": 400}}
