#!/usr/bin/env node
// Starts the Firefox named by FIREFOX for Playwright, which drives it by WebDriver BiDi, and
// relays their messages. Playwright sets up its emulation of displays and media features for
// each test, used or not, and fails where a Firefox lacks a command for it: such a command is
// reported as done. Downloads get the id that Playwright expects.
import { spawn } from 'node:child_process';
import { basename } from 'node:path';
import { createInterface } from 'node:readline';
import { WebSocket, WebSocketServer } from 'ws';

const LISTENING = /^WebDriver BiDi listening on (ws:\S+)/;

const program = process.env.FIREFOX ?? 'firefox-esr';
const firefox = spawn(program, process.argv.slice(2), { stdio: ['ignore', 'inherit', 'pipe'] });
firefox.on('error', (error) => {
  console.error(`${program}: ${error.message}`);
  process.exit(1);
});
firefox.on('exit', (code) => process.exit(code ?? 1));
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => firefox.kill(signal));

createInterface({ input: firefox.stderr }).on('line', (line) => {
  const [, url] = LISTENING.exec(line) ?? [];
  if (url) relay(url);
  else console.error(line);
});

function relay(url) {
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0 });
  server.on('listening', () => {
    console.error(`WebDriver BiDi listening on ws://127.0.0.1:${server.address().port}`);
  });
  server.on('connection', (playwright, request) => {
    const browser = new WebSocket(url + request.url);
    const early = [];
    /** Ids of commands of emulation without a result. */
    const emulations = new Set();
    playwright.on('message', (data) => {
      const text = data.toString();
      const { id, method } = JSON.parse(text);
      if (method.startsWith('emulation.')) emulations.add(id);
      if (browser.readyState === WebSocket.OPEN) browser.send(text);
      else early.push(text);
    });
    browser.on('open', () => {
      for (const text of early) browser.send(text);
    });
    browser.on('message', (data) => {
      const text = data.toString();
      playwright.send(named(emulations.size > 0 ? withoutUnknown(text, emulations) : text));
    });
    for (const [one, other] of [
      [playwright, browser],
      [browser, playwright],
    ]) {
      one.on('close', () => other.close());
      one.on('error', () => other.terminate());
    }
  });
}

/** The message, with an emulation that this Firefox does not know reported as done. */
function withoutUnknown(text, emulations) {
  const { id, error } = JSON.parse(text);
  if (id == null || !emulations.delete(id) || error !== 'unknown command') return text;
  return JSON.stringify({ type: 'success', id, result: {} });
}

/** Playwright looks for a downloaded file under the id of its download, which Firefox lacks. */
function named(text) {
  if (!text.includes('"browsingContext.download')) return text;
  const message = JSON.parse(text);
  const { filepath, suggestedFilename } = message.params;
  message.params.download ??= basename(filepath ?? suggestedFilename);
  return JSON.stringify(message);
}
