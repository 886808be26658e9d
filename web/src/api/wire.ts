import { getImage } from '../store/storage/images';
import type { Attachment, Message, Params, ToolCall } from '../store/types';
import type { ChatRequest, ContentPart, WireMessage } from './types';

/** Builds the body of a chat request from a conversation. */

export async function chatRequest(
  model: string,
  path: Message[],
  params: Params,
): Promise<ChatRequest> {
  const messages: WireMessage[] = [];
  if (params.system) messages.push({ role: 'system', content: params.system });
  for (const [i, message] of path.entries())
    messages.push(...(await wireMessages(message, path[i + 1])));
  const request: ChatRequest = { model, messages, stream: true };
  request.stream_options = { include_usage: true };
  if (params.temperature !== undefined) request.temperature = params.temperature;
  if (params.topP !== undefined) request.top_p = params.topP;
  if (params.maxTokens !== undefined) request.max_tokens = params.maxTokens;
  if (params.reasoningEffort) request.reasoning_effort = params.reasoningEffort;
  if (params.stop?.length) request.stop = params.stop;
  if (params.seed !== undefined) request.seed = params.seed;
  if (params.json) request.response_format = { type: 'json_object' };
  return request;
}

async function wireMessages(message: Message, next?: Message): Promise<WireMessage[]> {
  if (message.role === 'assistant') {
    // Most providers reject a conversation with an empty answer, or with tool calls without
    // results.
    if (message.toolCalls && next?.toolResults) return [withCalls(message, message.toolCalls)];
    return message.text ? [{ role: 'assistant', content: message.text }] : [];
  }
  if (message.toolResults) {
    return message.toolResults.map(({ id, content }) => ({
      role: 'tool',
      tool_call_id: id,
      content,
    }));
  }
  const files = message.attachments ?? [];
  const text = [...files.flatMap(asText), message.text].filter(Boolean).join('\n\n');
  const images = files.filter((file) => file.kind === 'image');
  if (images.length === 0) return [{ role: 'user', content: text }];
  const parts: ContentPart[] = text ? [{ type: 'text', text }] : [];
  for (const image of images) {
    const blob = await getImage(image.id);
    if (blob) parts.push({ type: 'image_url', image_url: { url: await dataUrl(blob) } });
  }
  return [{ role: 'user', content: parts }];
}

function withCalls(message: Message, calls: ToolCall[]): WireMessage {
  return {
    role: 'assistant',
    content: message.text || null,
    tool_calls: calls.map((call, i) => ({
      id: callId(call, i),
      type: 'function',
      function: { name: call.name, arguments: call.arguments || '{}' },
    })),
  };
}

/** Some servers send none, but all want one. */
export function callId(call: ToolCall, index: number): string {
  return call.id || `call_${index}`;
}

function asText(file: Attachment): string[] {
  if (file.kind !== 'text' || file.text === undefined) return [];
  // Longer than any fence in the file, so that the file cannot close it.
  const longest = Math.max(2, ...(file.text.match(/`+/g) ?? []).map((run) => run.length));
  const fence = '`'.repeat(longest + 1);
  return [`${file.name}\n${fence}\n${file.text}\n${fence}`];
}

export function dataUrl(blob: Blob): Promise<string> {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(String(reader.result));
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(blob);
  });
}
