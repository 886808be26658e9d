// Checks the compressed size of the built page against its limits.
//   npm run build && node scripts/size.mjs
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { brotliCompressSync, constants } from 'node:zlib';

const KB = 1024;
// The first load is 45 KB on the wire, with the heads of its four responses.
const LIMITS = { first: 43.5 * KB, requests: 4, lazy: 70 * KB, all: 400 * KB };

const dist = resolve(process.argv[2] ?? join(import.meta.dirname, '../dist'));
if (!existsSync(join(dist, 'index.html'))) {
  console.error(`No built page in ${dist}: run "npm run build" first.`);
  process.exit(2);
}

const sizes = new Map();
for (const name of readdirSync(dist, { recursive: true, withFileTypes: true })) {
  const file = join(name.parentPath, name.name);
  if (name.isFile() && !/\.(?:br|gz)$/.test(file)) sizes.set(file, compressed(file));
}

function compressed(file) {
  if (existsSync(`${file}.br`)) return readFileSync(`${file}.br`).length;
  const params = { [constants.BROTLI_PARAM_QUALITY]: 11 };
  const raw = readFileSync(file);
  return Math.min(raw.length, brotliCompressSync(raw, { params }).length);
}

/** The document and all that it loads without interaction. */
function firstLoad(html) {
  const found = new Set([html]);
  const follow = (file) => {
    if (!sizes.has(file) || found.has(file)) return;
    found.add(file);
    if (!file.endsWith('.js')) return;
    const code = readFileSync(file, 'utf8');
    // Static imports only: `import("…")` makes a chunk lazy.
    for (const [, path] of code.matchAll(/\b(?:import|from)\s*["'](\.[^"']+)["']/g)) {
      follow(resolve(dirname(file), path));
    }
  };
  const text = readFileSync(html, 'utf8').replace(/<link rel="icon"[^>]*>/, '');
  for (const [, path] of text.matchAll(/(?:src|href)="(\.?\/?assets\/[^"]+)"/g)) {
    follow(resolve(dist, path.replace(/^\//, '')));
  }
  return found;
}

const sum = (files) => [...files].reduce((total, file) => total + sizes.get(file), 0);
const kb = (bytes) => `${(bytes / KB).toFixed(1).padStart(6)} KB`;
const name = (file) => relative(dist, file);

const chat = firstLoad(join(dist, 'index.html'));
const lazy = [...sizes.keys()]
  .filter((file) => !chat.has(file))
  .sort((a, b) => sizes.get(b) - sizes.get(a));
const problems = [];
const check = (what, value, limit, show = kb) => {
  const ok = value <= limit;
  console.log(
    `${ok ? 'ok  ' : 'FAIL'} ${what.padEnd(28)} ${show(value)}  (limit ${show(limit).trim()})`,
  );
  if (!ok) problems.push(what);
};

console.log('First load of the chat page, brotli:');
for (const file of chat) console.log(`     ${name(file).padEnd(28)} ${kb(sizes.get(file))}`);
check('first load', sum(chat), LIMITS.first);
check('requests', chat.size, LIMITS.requests, (n) => String(n).padStart(6));
console.log('Largest lazy chunks:');
for (const file of lazy.slice(0, 6))
  console.log(`     ${name(file).padEnd(28)} ${kb(sizes.get(file))}`);
check('largest lazy chunk', lazy[0] ? sizes.get(lazy[0]) : 0, LIMITS.lazy);
check('everything', sum(sizes.keys()), LIMITS.all);
process.exit(problems.length > 0 ? 1 : 0);
