import { javascript, python, shell } from './literal';

export type SnippetLanguage = 'curl' | 'python' | 'javascript';

export const SNIPPET_LANGUAGES: { id: SnippetLanguage; name: string; fence: string }[] = [
  { id: 'curl', name: 'curl', fence: 'bash' },
  { id: 'python', name: 'Python', fence: 'python' },
  { id: 'javascript', name: 'JavaScript', fence: 'javascript' },
];

export interface ApiCall {
  method: 'GET' | 'POST';
  /** The gateway's URL with its sub-path, without a trailing slash. */
  root: string;
  /** Such as `/v1/chat/completions`. */
  path: string;
  body?: Record<string, unknown>;
  /** No key required. */
  open?: boolean;
}

/** Variable for the key: a snippet never contains the key itself. */
const KEY = 'TRUNKLINE_API_KEY';

/** A request as code. */
export function snippet(language: SnippetLanguage, call: ApiCall): string {
  const clean = call.body ? { ...call, body: withoutImageData(call.body) } : call;
  if (language === 'curl') return curl(clean);
  return language === 'python' ? pythonCode(clean) : javascriptCode(clean);
}

/** Code that connects an SDK to this gateway. */
export function clientSnippet(language: SnippetLanguage, root: string, model: string): string {
  const body = { model, messages: [{ role: 'user', content: 'Hello!' }] };
  return snippet(language, { method: 'POST', root, path: '/v1/chat/completions', body });
}

function curl(call: ApiCall): string {
  const parts = [`curl ${call.body?.stream === true ? '-N ' : ''}${shell(call.root + call.path)}`];
  // Double quotes, so that the shell expands the variable.
  if (!call.open) parts.push(`-H "authorization: Bearer $${KEY}"`);
  if (call.body) {
    parts.push(
      `-H 'content-type: application/json'`,
      `-d ${shell(JSON.stringify(call.body, null, 2))}`,
    );
  }
  if (call.path === '/v1/audio/speech') parts.push('--output speech.mp3');
  return parts.join(' \\\n  ');
}

interface Sdk {
  /** Method of the client, with the same name in both languages. */
  method: string;
  /** The attribute of the result to print, by language. */
  show?: { python: string; javascript: string };
  /** The attribute of a stream chunk. */
  delta?: { python: string; javascript: string };
}

const same = (path: string) => ({ python: path, javascript: path });

const SDK: Record<string, Sdk> = {
  'POST /v1/chat/completions': {
    method: 'chat.completions.create',
    show: same('choices[0].message.content'),
    delta: {
      python: 'chunk.choices[0].delta.content or "" if chunk.choices else ""',
      javascript: 'chunk.choices[0]?.delta?.content ?? ""',
    },
  },
  'POST /v1/completions': {
    method: 'completions.create',
    show: same('choices[0].text'),
    delta: {
      python: 'chunk.choices[0].text if chunk.choices else ""',
      javascript: 'chunk.choices[0]?.text ?? ""',
    },
  },
  'POST /v1/embeddings': { method: 'embeddings.create', show: same('data[0].embedding') },
  'POST /v1/responses': {
    method: 'responses.create',
    show: same('output_text'),
    delta: {
      python: 'chunk.delta if chunk.type == "response.output_text.delta" else ""',
      javascript: 'chunk.type === "response.output_text.delta" ? chunk.delta : ""',
    },
  },
  'POST /v1/moderations': { method: 'moderations.create', show: same('results[0]') },
  'POST /v1/images/generations': {
    method: 'images.generate',
    show: { python: 'data[0]', javascript: 'data?.[0]' },
  },
  'POST /v1/audio/speech': { method: 'audio.speech.create' },
  'GET /v1/models': { method: 'models.list' },
  'GET /v1/models/': { method: 'models.retrieve' },
};

const RETRIEVE_MODEL = '/v1/models/';

function sdkMethod(call: ApiCall): Sdk | undefined {
  return SDK[`${call.method} ${call.path.startsWith(RETRIEVE_MODEL) ? RETRIEVE_MODEL : call.path}`];
}

function pythonCode(call: ApiCall): string {
  const sdk = sdkMethod(call);
  if (!sdk) return plainPython(call);
  const head = [
    'import os',
    '',
    'from openai import OpenAI',
    '',
    'client = OpenAI(',
    `    base_url=${python(`${call.root}/v1`)},`,
    `    api_key=os.environ.get("${KEY}", "none"),`,
    ')',
    '',
  ].join('\n');
  if (call.path === '/v1/models') {
    return `${head}for model in client.models.list():\n    print(model.id, model.owned_by)\n`;
  }
  if (call.path.startsWith(RETRIEVE_MODEL)) {
    return `${head}print(client.models.retrieve(${python(modelOf(call))}))\n`;
  }
  const args = Object.entries(call.body ?? {}).map(([key, value]) => {
    return `    ${key}=${python(value, 4)},\n`;
  });
  const create = `client.${sdk.method}(\n${args.join('')})`;
  if (call.path === '/v1/audio/speech') {
    return `${head}${create.replace('.create(', '.with_streaming_response.create(').replace(/^/, 'with ')} as speech:\n    speech.stream_to_file("speech.mp3")\n`;
  }
  if (call.body?.stream === true && sdk.delta) {
    return `${head}stream = ${create}\nfor chunk in stream:\n    print(${sdk.delta.python}, end="", flush=True)\n`;
  }
  return `${head}answer = ${create}\nprint(answer.${sdk.show?.python})\n`;
}

function javascriptCode(call: ApiCall): string {
  const sdk = sdkMethod(call);
  if (!sdk) return plainJavascript(call);
  const speech = call.path === '/v1/audio/speech';
  const head = [
    ...(speech ? ['import { writeFile } from "node:fs/promises";'] : []),
    'import OpenAI from "openai";',
    '',
    'const client = new OpenAI({',
    `  baseURL: ${javascript(`${call.root}/v1`)},`,
    `  apiKey: process.env.${KEY} ?? "none",`,
    '});',
    '\n',
  ].join('\n');
  if (call.path === '/v1/models') {
    return `${head}for await (const model of client.models.list()) {\n  console.log(model.id, model.owned_by);\n}\n`;
  }
  if (call.path.startsWith(RETRIEVE_MODEL)) {
    return `${head}console.log(await client.models.retrieve(${javascript(modelOf(call))}));\n`;
  }
  const entries = Object.entries(call.body ?? {}).map(([key, value]) => {
    return `  ${key}: ${javascript(value, 2)},\n`;
  });
  const create = `await client.${sdk.method}({\n${entries.join('')}})`;
  if (speech) {
    return `${head}const speech = ${create};\nawait writeFile("speech.mp3", Buffer.from(await speech.arrayBuffer()));\n`;
  }
  if (call.body?.stream === true && sdk.delta) {
    return `${head}const stream = ${create};\nfor await (const chunk of stream) {\n  process.stdout.write(${sdk.delta.javascript});\n}\n`;
  }
  return `${head}const answer = ${create};\nconsole.log(answer.${sdk.show?.javascript});\n`;
}

function plainPython(call: ApiCall): string {
  return `from urllib.request import urlopen\n\nwith urlopen(${python(call.root + call.path)}) as answer:\n    print(answer.read().decode())\n`;
}

function plainJavascript(call: ApiCall): string {
  return `const answer = await fetch(${javascript(call.root + call.path)});\nconsole.log(await answer.text());\n`;
}

function modelOf(call: ApiCall): string {
  const name = call.path.slice(RETRIEVE_MODEL.length);
  try {
    return decodeURIComponent(name);
  } catch {
    return name;
  }
}

/** Image data would hide the rest of the request. */
function withoutImageData<T>(value: T): T {
  if (typeof value === 'string') {
    const data = /^data:([\w/+.-]+);base64,/.exec(value);
    return (
      data && value.length > 2000 ? `data:${data[1]};base64,<base64 of the file>` : value
    ) as T;
  }
  if (Array.isArray(value)) return value.map(withoutImageData) as T;
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, member]) => [key, withoutImageData(member)]),
  ) as T;
}
