"""Anthropic's Messages, as strict as its API."""

import json
import re

from .conversation import REASONING, Call, Conversation, Turn, arguments, chunks, only, require

PATH = "/v1/messages"
SIGNATURE = "c2lnbmVkIGJ5IHRoZSBzY3JpcHRlZCBzZXJ2ZXI="
# https://docs.anthropic.com/en/api/messages
MEMBERS = {
    "model", "messages", "max_tokens", "system", "stream", "tools", "tool_choice", "temperature", "top_p", "top_k",
    "stop_sequences", "metadata", "thinking", "service_tier", "output_config", "cache_control", "container",
}
# Members and roles that need an anthropic-beta of that name.
BETA_MEMBERS = {"context_management": "context-management-2025-06-27"}
BETA_SYSTEM = "mid-conversation-tool-changes-2026-07-01"
BLOCKS = {
    "user": {"text", "image", "document", "tool_result"},
    "assistant": {"text", "thinking", "redacted_thinking", "tool_use"},
    "system": {"text"},
}


def check(body, headers):
    require(headers.get("anthropic-version"), "anthropic-version: header is required")
    betas = headers.get("anthropic-beta", "").split(",")
    only(body, MEMBERS | {name for name, beta in BETA_MEMBERS.items() if beta in betas}, "")
    require(isinstance(body.get("max_tokens"), int), "max_tokens: Field required")
    require(body.get("messages"), "messages: at least one message is required")
    check_text(body.get("system") or "text", "system")
    open_calls, before = [], None
    for index, message in enumerate(body["messages"]):
        where, role = f"messages.{index}", message.get("role")
        only(message, {"role", "content"}, f"{where}.")
        require(role in ("user", "assistant") or (role == "system" and BETA_SYSTEM in betas), f"{where}.role: {role}")
        require(index or role == "user", "messages: first message must use the \"user\" role")
        require(role != before, f"messages: roles must alternate, {role} twice")
        before = role
        blocks = as_blocks(message["content"], where)
        for block in blocks:
            require(block.get("type") in BLOCKS[role], f"{where}.content: {block.get('type')} in a turn of {role}")
            check_block(block, where)
        results = [block["tool_use_id"] for block in blocks if block["type"] == "tool_result"]
        first = [block["type"] for block in blocks[: len(results)]]
        require(sorted(results) == sorted(open_calls) and set(first) <= {"tool_result"},
                f"{where}: `tool_use` ids {open_calls} were found without `tool_result` blocks immediately after: {results}")
        open_calls = [block["id"] for block in blocks if block["type"] == "tool_use"]
    require(not open_calls, "messages: the results of the last calls are missing")
    for index, tool in enumerate(body.get("tools") or []):
        check_tool(tool, f"tools.{index}", betas)
    require(body.get("tools") or "tool_choice" not in body, "tool_choice: needs tools")
    thinking = (body.get("thinking") or {}).get("type")
    require(thinking in (None, "enabled", "adaptive", "disabled"), f"thinking.type: {thinking}")


def as_blocks(content, where):
    if isinstance(content, str):
        content = [{"type": "text", "text": content}]
    require(content, f"{where}: content must not be empty")
    return content


def check_text(content, where):
    for block in as_blocks(content, where):
        require(block.get("type") == "text", f"{where}: {block.get('type')}")
        require(block["text"].strip(), f"{where}: text content blocks must contain non-whitespace text")


def check_block(block, where):
    if block["type"] == "text":
        check_text([block], where)
    elif block["type"] == "thinking":
        require(block.get("signature") == SIGNATURE, f"{where}: Invalid `signature` in `thinking` block")
    elif block["type"] == "tool_use":
        require(re.fullmatch(r"[\w-]+", block["id"], re.ASCII), f"{where}.tool_use.id: {block['id']}")
        require(isinstance(block["input"], dict), f"{where}.tool_use.input: Input should be a valid dictionary")
    elif block["type"] == "tool_result":
        only(block, {"type", "tool_use_id", "content", "is_error", "cache_control"}, f"{where}.tool_result.")


def check_tool(tool, where, betas):
    allowed = {"name", "description", "input_schema", "strict", "type", "cache_control", "eager_input_streaming"}
    if any(beta.startswith("advanced-tool-use") for beta in betas):
        allowed |= {"defer_loading", "input_examples", "allowed_callers"}
    if tool.get("type", "custom") != "custom":
        return
    only(tool, allowed, f"{where}.")
    require(re.fullmatch(r"[\w-]{1,128}", tool.get("name", ""), re.ASCII), f"{where}.name: {tool.get('name')}")
    require(tool.get("input_schema", {}).get("type") == "object", f"{where}.input_schema.type: Field required")


def conversation(body):
    turns = [Turn("system", block["text"]) for block in as_blocks(body["system"], "")] if body.get("system") else []
    for message in body["messages"]:
        for block in as_blocks(message["content"], ""):
            turns.append(turn(message["role"], block))
    return Conversation(turns, [tool["name"] for tool in body.get("tools") or []])


def turn(role, block):
    match block["type"]:
        case "tool_use":
            return Turn("call", json.dumps(block["input"]), block["name"], block["id"])
        case "tool_result":
            parts = as_blocks(block.get("content") or "", "") if block.get("content") else []
            return Turn("result", "\n".join(part.get("text", "[image]") for part in parts), id=block["tool_use_id"])
        case "thinking" | "redacted_thinking":
            return Turn("reasoning", block.get("thinking", ""))
        case "text":
            return Turn(role, block["text"])
        case kind:
            return Turn(role, f"[{kind}]")


def events(parts, body, count):
    usage = {"input_tokens": 10, "cache_read_input_tokens": 12, "cache_creation_input_tokens": 0, "output_tokens": 1}
    message = {"id": f"msg_{count:024x}", "type": "message", "role": "assistant", "model": body["model"], "content": [],
               "stop_reason": None, "stop_sequence": None, "usage": usage}
    yield {"type": "message_start", "message": message}
    yield {"type": "ping"}
    blocks = []
    if (body.get("thinking") or {}).get("type") in ("enabled", "adaptive"):
        deltas = [{"type": "thinking_delta", "thinking": chunk} for chunk in chunks(REASONING)]
        deltas.append({"type": "signature_delta", "signature": SIGNATURE})
        blocks.append(({"type": "thinking", "thinking": "", "signature": ""}, deltas))
    offered = {tool["name"]: tool for tool in body.get("tools") or []}
    for index, part in enumerate(parts):
        if isinstance(part, Call):
            text = arguments(part, offered[part.name]["input_schema"]["properties"])
            deltas = [{"type": "input_json_delta", "partial_json": chunk} for chunk in chunks(text)]
            id = part.id or f"toolu_{count:012x}{index:012x}"
            blocks.append(({"type": "tool_use", "id": id, "name": part.name, "input": {}}, deltas))
        else:
            deltas = [{"type": "text_delta", "text": chunk} for chunk in chunks(part.text)]
            blocks.append(({"type": "text", "text": ""}, deltas))
    for index, (block, deltas) in enumerate(blocks):
        yield {"type": "content_block_start", "index": index, "content_block": block}
        for delta in deltas:
            yield {"type": "content_block_delta", "index": index, "delta": delta}
        yield {"type": "content_block_stop", "index": index}
    reason = "tool_use" if isinstance(parts[-1], Call) else "end_turn"
    yield {"type": "message_delta", "delta": {"stop_reason": reason, "stop_sequence": None}, "usage": {**usage, "output_tokens": 10}}
    yield {"type": "message_stop"}


def error(message):
    return {"type": "error", "error": {"type": "invalid_request_error", "message": message}}
