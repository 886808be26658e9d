"""OpenAI's Responses, as strict as its API."""

import json
import re

from .conversation import REASONING, Call, Conversation, Turn, chunks, only, require

PATH = "/v1/responses"
ENCRYPTED = "ZW5jcnlwdGVkIGJ5IHRoZSBzY3JpcHRlZCBzZXJ2ZXI="
# https://platform.openai.com/docs/api-reference/responses/create
MEMBERS = {
    "model", "input", "instructions", "stream", "stream_options", "store", "include", "tools", "tool_choice",
    "parallel_tool_calls", "max_output_tokens", "max_tool_calls", "temperature", "top_p", "top_logprobs", "text",
    "reasoning", "metadata", "user", "safety_identifier", "prompt_cache_key", "prompt_cache_retention", "service_tier",
    "truncation", "previous_response_id", "conversation", "background", "prompt", "context_management",
}
# What OpenAI takes from Codex only, as far as Codex sent it in these tests.
CODEX_MEMBERS = {"client_metadata"}
CODEX_ITEMS = {"additional_tools": ("at_", {"type", "id", "role", "tools"})}
CODEX_ITEM_MEMBERS = {"internal_chat_message_metadata_passthrough"}
CODEX_TOOLS = {"tool_search": {"type", "execution", "description", "parameters"}}
PARTS = {
    "user": {"input_text", "input_image", "input_file"},
    "system": {"input_text"},
    "developer": {"input_text"},
    "assistant": {"output_text", "refusal"},
}
# The prefix of each item's id, and its members.
ITEMS = {
    "message": ("msg_", {"type", "role", "content", "id", "status", "phase"}),
    "reasoning": ("rs_", {"type", "summary", "content", "encrypted_content", "id", "status"}),
    "function_call": ("fc_", {"type", "name", "arguments", "call_id", "namespace", "id", "status"}),
    "function_call_output": ("fc", {"type", "call_id", "output", "id", "status"}),
    "custom_tool_call": ("ctc_", {"type", "name", "input", "call_id", "namespace", "id", "status"}),
    "custom_tool_call_output": ("ctc", {"type", "call_id", "output", "id", "status"}),
}
TOOLS = {
    "function": {"type", "name", "description", "parameters", "strict", "defer_loading", "output_schema"},
    "custom": {"type", "name", "description", "format"},
    "namespace": {"type", "name", "description", "tools"},
    "web_search": {"type", "filters", "search_context_size", "user_location", "external_web_access", "search_content_types"},
}


def check(body, headers):
    codex = headers.get("originator", "").startswith("codex")
    only(body, MEMBERS | (CODEX_MEMBERS if codex else set()), "")
    require(body.get("input"), "Missing required parameter: 'input'.")
    open_calls, items = set(), ITEMS | (CODEX_ITEMS if codex else {})
    for index, item in enumerate(as_items(body["input"])):
        where, kind = f"input[{index}].", item.get("type", "message")
        require(kind in items, f"Invalid value: '{kind}'. ({where}type)")
        prefix, members = items[kind]
        only(item, members | (CODEX_ITEM_MEMBERS if codex else set()), where)
        id = item.get("id")
        if not codex:
            require(id is None or id.startswith(prefix), f"Invalid '{where}id': '{id}'. Expected an ID that begins with '{prefix}'.")
        open_calls = check_item(item, kind, where, open_calls)
    require(not open_calls, f"No tool output found for function call {sorted(open_calls)}.")
    for index, tool in enumerate(offered(body)):
        check_tool(tool, f"tools[{index}].", TOOLS | (CODEX_TOOLS if codex else {}))


def offered(body):
    """The tools of the request; Codex has some in its input."""
    return [tool for part in [body, *as_items(body["input"])] for tool in part.get("tools") or []]


def as_items(items):
    return [{"role": "user", "content": items}] if isinstance(items, str) else items


def check_item(item, kind, where, open_calls):
    """The calls that are without a result behind this item."""
    if kind == "message":
        role = item.get("role")
        require(role in PARTS, f"Invalid value: '{role}'. ({where}role)")
        content = item.get("content")
        for part in content if isinstance(content, list) else []:
            require(part.get("type") in PARTS[role], f"Invalid value: '{part.get('type')}'. ({where}content, {role})")
        require(content, f"{where}content must not be empty")
    elif kind == "reasoning":
        require(isinstance(item.get("summary"), list), f"Missing required parameter: '{where}summary'.")
        encrypted = item.get("encrypted_content")
        require(encrypted in (None, ENCRYPTED), f"The encrypted content of {where} could not be verified.")
    elif kind.endswith("_call"):
        require(re.fullmatch(r"[\w-]{1,64}", item.get("name", ""), re.ASCII), f"Invalid '{where}name'.")
        require(isinstance(item.get("call_id"), str) and 0 < len(item["call_id"]) <= 64, f"Invalid '{where}call_id'.")
        require(isinstance(item.get("arguments" if kind == "function_call" else "input"), str), f"{where}: a text is missing")
        return open_calls | {item["call_id"]}
    elif kind.endswith("_output"):
        require(item.get("call_id") in open_calls, f"No tool call found for function call output with call_id {item.get('call_id')}.")
        require(isinstance(item.get("output"), str | list), f"Missing required parameter: '{where}output'.")
        return open_calls - {item["call_id"]}
    return open_calls


def check_tool(tool, where, types):
    kind = tool.get("type")
    require(kind in types, f"Invalid value: '{kind}'. ({where}type)")
    only(tool, types[kind], where)
    for index, inner in enumerate(tool.get("tools", [])):
        check_tool(inner, f"{where}tools[{index}].", TOOLS)
    if kind == "function":
        require(re.fullmatch(r"[\w-]{1,64}", tool.get("name", ""), re.ASCII), f"Invalid '{where}name'.")
        parameters = tool.get("parameters")
        require(parameters is None or parameters.get("type") == "object", f"Invalid schema for function '{tool['name']}'.")
        if tool.get("strict"):
            require(parameters.get("additionalProperties") is False, f"Invalid schema for function '{tool['name']}': 'additionalProperties'.")


def conversation(body):
    turns = [Turn("system", body["instructions"])] if body.get("instructions") else []
    for item in as_items(body["input"]):
        match item.get("type", "message"):
            case "message":
                role = {"developer": "system"}.get(item["role"], item["role"])
                turns.append(Turn(role, text_of(item["content"])))
            case "reasoning":
                turns.append(Turn("reasoning", "\n".join(part["text"] for part in item["summary"] + (item.get("content") or []))))
            case "function_call":
                turns.append(Turn("call", item["arguments"], item["name"], item["call_id"]))
            case "custom_tool_call":
                turns.append(Turn("call", item["input"], item["name"], item["call_id"]))
            case "function_call_output" | "custom_tool_call_output":
                turns.append(Turn("result", text_of(item["output"]), id=item["call_id"]))
    return Conversation(turns, [name for tool in offered(body) for name in names(tool)])


def names(tool):
    """The names of a tool's functions."""
    if tool["type"] == "namespace":
        return [f"{tool['name']}.{inner['name']}" for inner in tool["tools"]]
    return [tool["name"]] if "name" in tool else []


def text_of(content):
    parts = [{"text": content}] if isinstance(content, str) else content
    return "\n".join(part.get("text", "[image]") for part in parts)


def events(parts, body, count):
    for number, event in enumerate(unnumbered(parts, body, count)):
        yield {**event, "sequence_number": number}


def unnumbered(parts, body, count):
    response = {
        "id": f"resp_{count:048x}", "object": "response", "created_at": 1, "status": "in_progress", "background": False,
        "error": None, "incomplete_details": None, "instructions": body.get("instructions"), "model": body["model"],
        "output": [], "parallel_tool_calls": True, "store": False, "text": {"format": {"type": "text"}},
        "tool_choice": "auto", "tools": [], "usage": None, "metadata": {},
    }
    yield {"type": "response.created", "response": response}
    yield {"type": "response.in_progress", "response": response}
    output = []
    items = [thought(body, count), *(spoken(part, count * 256 + index) for index, part in enumerate(parts))]
    for index, (item, steps) in enumerate(items):
        yield {"type": "response.output_item.added", "output_index": index, "item": item}
        done = item
        for kind, members in steps:
            if kind is None:
                done = {**done, **members}
            else:
                yield {"type": f"response.{kind}", "item_id": item["id"], "output_index": index, **members}
        yield {"type": "response.output_item.done", "output_index": index, "item": done}
        output.append(done)
    usage = {"input_tokens": 22, "input_tokens_details": {"cached_tokens": 12}, "output_tokens": 10,
             "output_tokens_details": {"reasoning_tokens": 6}, "total_tokens": 32}
    yield {"type": "response.completed", "response": {**response, "status": "completed", "output": output, "usage": usage}}


def thought(body, count):
    """The item of reasoning and its events; those without a kind are members of the complete item."""
    part = {"type": "summary_text", "text": REASONING}
    at = {"summary_index": 0}
    steps = [("reasoning_summary_part.added", {**at, "part": {**part, "text": ""}})]
    steps += [("reasoning_summary_text.delta", {**at, "delta": chunk}) for chunk in chunks(REASONING)]
    steps += [("reasoning_summary_text.done", {**at, "text": REASONING}), ("reasoning_summary_part.done", {**at, "part": part})]
    encrypted = {"encrypted_content": ENCRYPTED} if "reasoning.encrypted_content" in body.get("include", []) else {}
    steps.append((None, {"summary": [part], **encrypted}))
    return {"type": "reasoning", "id": f"rs_{count:048x}", "summary": []}, steps


def spoken(said, count):
    if isinstance(said, Call):
        kind, member = ("function_call", "arguments") if isinstance(said.input, dict) else ("custom_tool_call", "input")
        text = json.dumps(said.input) if isinstance(said.input, dict) else said.input
        name = f"{kind}_{member}" if kind == "function_call" else "custom_tool_call_input"
        steps = [(f"{name}.delta", {"delta": chunk}) for chunk in chunks(text)]
        steps += [(f"{name}.done", {member: text}), (None, {member: text, "status": "completed"})]
        prefix = ITEMS[kind][0]
        item = {"type": kind, "id": f"{prefix}{count:048x}", "call_id": said.id or f"call_{count:024x}", "name": said.name}
        return {**item, member: "", "status": "in_progress"}, steps
    part = {"type": "output_text", "text": said.text, "annotations": [], "logprobs": []}
    at = {"content_index": 0}
    steps = [("content_part.added", {**at, "part": {**part, "text": ""}})]
    steps += [("output_text.delta", {**at, "delta": chunk, "logprobs": []}) for chunk in chunks(said.text)]
    steps += [("output_text.done", {**at, "text": said.text, "logprobs": []}), ("content_part.done", {**at, "part": part})]
    steps.append((None, {"content": [part], "status": "completed"}))
    return {"type": "message", "id": f"msg_{count:048x}", "role": "assistant", "content": [], "status": "in_progress"}, steps


def error(message):
    return {"error": {"message": message, "type": "invalid_request_error", "param": None, "code": None}}
