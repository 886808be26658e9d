// Measures how fast the page opens with a long history and switches conversations.
// Reports only: the figures depend on the machine.
//   npm run build && (cd e2e && npm ci) && npm run bench:open -- [runs] [profile.json]
import { writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { serve } from './serve.mjs';

const require = createRequire(join(import.meta.dirname, '../e2e/package.json'));
const { chromium } = require('@playwright/test');

const RUNS = Number(process.argv[2] ?? 5);
const PROFILE = process.argv[3];
const CHATS = 100;
const MESSAGES = 40;

const page = await serve({ rate: 300, tokens: 300 });
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu'],
});
const context = await browser.newContext({ viewport: { width: 1280, height: 800 } });
let tab = await context.newPage();
await tab.goto(page.url);
await tab.locator('#composer').waitFor();
const size = await tab.evaluate(fill, { chats: CHATS, messages: MESSAGES });

// Everything in localStorage. This opening is the slow one: the older conversations are archived
// after it.
const first = await opened('#/', '#composer');
const recent = await settled();

const report = { empty: [], list: [], conversation: [], thousand: [], switched: [] };
for (let run = 0; run < RUNS; run++) {
  report.empty.push(await opened('#/', '#composer'));
  report.list.push(await opened('#/', '.list-row'));
  report.conversation.push(await opened('#/c/chat50', 'article.answer:last-child .prose ul'));
  for (const id of ['chat3', 'chat4']) report.switched.push(await switched(id));
  report.thousand.push(await opened('#/c/thousand', 'article.answer:last-child .prose ul'));
}
console.table({
  conversations: CHATS,
  'history, million characters': millions(size),
  'of it in localStorage': millions(recent),
  'opened on a new chat with all of it in localStorage, ms': Math.round(first),
  'opened on a new chat, ms': summary(report.empty),
  'with the list of conversations, ms': summary(report.list),
  'opened on a conversation of 40 messages, ms': summary(report.conversation),
  'switched to another of 40 messages, ms': summary(report.switched),
  'opened on a conversation of 1,000 messages, ms': summary(report.thousand),
});
await browser.close();
await page.close();

/** Milliseconds from navigation to the frame that shows `selector`. */
async function opened(hash, selector) {
  await tab.close();
  tab = await context.newPage();
  const session = PROFILE && (await context.newCDPSession(tab));
  if (session) {
    await session.send('Profiler.enable');
    await session.send('Profiler.setSamplingInterval', { interval: 200 });
    await session.send('Profiler.start');
  }
  await tab.addInitScript(
    ([wanted]) => {
      const look = () => {
        if (!document.querySelector(wanted)) return requestAnimationFrame(look);
        // The frame is drawn when its callbacks and the tasks behind them are done.
        requestAnimationFrame(() =>
          setTimeout(() => {
            window.__shown ??= performance.now();
          }),
        );
      };
      requestAnimationFrame(look);
    },
    [selector],
  );
  await tab.goto(page.url + hash);
  const ms = await tab.waitForFunction(() => window.__shown).then((handle) => handle.jsonValue());
  if (session) {
    const { profile } = await session.send('Profiler.stop');
    writeFileSync(PROFILE, JSON.stringify(profile));
    await session.detach();
  }
  return ms;
}

/** Waits until archiving has ended. Returns the characters left in localStorage. */
async function settled() {
  let last = -1;
  for (;;) {
    const now = await tab.evaluate(() =>
      Object.entries(localStorage).reduce(
        (sum, [key, value]) => sum + key.length + value.length,
        0,
      ),
    );
    if (now === last) return now;
    last = now;
    await tab.waitForTimeout(4000);
  }
}

/** Milliseconds from the click on a row to the frame after the change. */
async function switched(id) {
  return tab.evaluate(
    (wanted) =>
      new Promise((done) => {
        const began = performance.now();
        document.querySelector(`a[href="#/c/${wanted}"]`).click();
        const look = () => {
          const text = document.querySelector('article.answer:last-child .prose ul')?.textContent;
          if (!text?.includes(wanted)) return requestAnimationFrame(look);
          requestAnimationFrame(() => setTimeout(() => done(performance.now() - began)));
        };
        requestAnimationFrame(look);
      }),
    id,
  );
}

function millions(n) {
  return Math.round(n / 1e5) / 10;
}

function summary(all) {
  const sorted = all.map(Math.round).sort((a, b) => a - b);
  return `${sorted[Math.floor(sorted.length / 2)]} (${sorted[0]} to ${sorted.at(-1)})`;
}

/** A history of months, with some code and tables. */
function fill({ chats, messages }) {
  let size = 0;
  const index = [];
  const put = (id, count, at) => {
    const all = {};
    let parent = '';
    for (let i = 0; i < count; i++) {
      const isAnswer = i % 2 === 1;
      const text = isAnswer
        ? `Here is part ${i} of it, with **bold words**, some \`code\` and a [link](https://example.com).\n\n` +
          `## A heading\n\n${'The gateway takes a request, looks up its model and sends it on. '.repeat(22)}\n\n` +
          (i % 10 === 1 ? '```js\nconst add = (a, b) => a + b;\nadd(1, 2);\n```\n\n' : '') +
          (i % 10 === 5 ? '| name | value |\n| --- | --- |\n| one | 1 |\n| two | 2 |\n\n' : '') +
          `- a point of ${id}\n- another point with *stress*\n`
        : `Question ${i}: how does this part work?`;
      const message = {
        id: `${id}-${i}`,
        parent,
        role: isAnswer ? 'assistant' : 'user',
        text,
        at: at + i,
        state: 'done',
        ...(isAnswer && {
          model: 'bench',
          provider: 'bench',
          finish: 'stop',
          metrics: { firstTokenMs: 100, totalMs: 900, inputTokens: 20, outputTokens: 300 },
        }),
      };
      all[message.id] = message;
      parent = message.id;
    }
    const raw = JSON.stringify({
      v: 1,
      id,
      title: `Conversation ${id}`,
      named: true,
      model: 'bench',
      params: {},
      created: at,
      updated: at,
      pinned: false,
      messages: all,
      chosen: {},
      gone: [],
    });
    localStorage.setItem(`trunkline:c:${id}`, raw);
    size += raw.length;
    index.push({
      id,
      title: `Conversation ${id}`,
      model: 'bench',
      updated: at,
      bytes: raw.length,
      pinned: false,
    });
  };
  put('thousand', 1000, 1.7e12);
  for (let i = 0; i < chats; i++) put(`chat${i}`, messages, Date.now() - i * 3.6e6);
  localStorage.setItem('trunkline:index', JSON.stringify(index));
  return size;
}
