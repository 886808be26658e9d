import { gatewayUrl } from '../api/base';
import { authHeaders, keyStore } from '../api/key';
import { type Limit, parseLimits } from '../limits';
import { createStore } from '../store/create-store';
import { isObject } from '../store/validate';

/** What concerns all clients, of `GET trunkline/operator`. */

export interface OperatorView {
  at: number;
  limits: Limit[];
  /** Limits that are not among these. */
  moreLimits: number;
  periods: Period[];
  teams: Team[];
  /** Clients that are in no team here. */
  moreClients: number;
  ledgerFailed: boolean;
  failures: Failure[];
}

export interface Period {
  /** `today`, `month`, or `start`: since the gateway was started. */
  name: string;
  since: number;
}

/** In the order of the periods. */
export interface Spender {
  name: string;
  amounts: Spent[];
}

export interface Team extends Spender {
  keys: Spender[];
}

export interface Spent {
  dollars: number;
  inputTokens: number;
  outputTokens: number;
  unpriced: number;
}

export interface Failure {
  at: number;
  id: string;
  /** Empty for clients without a key. */
  key: string;
  model: string;
  provider: string;
  status: number;
  outcome: string;
  code: string;
}

/** Null until it is read, and for clients that are no operators. */
export const operatorStore = createStore<OperatorView | null>(null);

const REFRESH_MS = 5000;

/** Keeps it current while it is shown and the tab is visible. Returns the function that stops it. */
export function watchOperator(): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let running: AbortController | undefined;
  const stop = () => {
    clearTimeout(timer);
    running?.abort();
    running = undefined;
  };
  const read = async () => {
    stop();
    if (document.visibilityState !== 'visible') return;
    const controller = new AbortController();
    running = controller;
    await refresh(controller.signal);
    if (running === controller) timer = setTimeout(read, REFRESH_MS);
  };
  const onKey = keyStore.subscribe(() => {
    operatorStore.set(null);
    void read();
  });
  document.addEventListener('visibilitychange', read);
  void read();
  return () => {
    stop();
    onKey();
    document.removeEventListener('visibilitychange', read);
  };
}

async function refresh(signal: AbortSignal): Promise<void> {
  try {
    const response = await fetch(gatewayUrl('trunkline/operator'), {
      headers: authHeaders(),
      cache: 'no-store',
      signal,
    });
    const view = response.ok ? parseView(await response.json()) : null;
    // What was known before a failure of the gateway stays, with its time.
    if (view || response.status < 500) operatorStore.set(view);
  } catch {
    // As above.
  }
}

export function parseView(body: unknown): OperatorView | null {
  if (!isObject(body) || !isObject(body.spending)) return null;
  const { spending } = body;
  const periods = rows(spending.periods).map((row) => ({
    name: text(row.name),
    since: number(row.since),
  }));
  return {
    at: number(body.at),
    limits: parseLimits(body),
    moreLimits: number(body.more_limits),
    periods,
    teams: byTeam(rows(spending.clients), periods.length),
    moreClients: number(spending.more_clients),
    ledgerFailed: spending.ledger_failed === true,
    failures: rows(body.failures).map((row) => ({
      at: number(row.at),
      id: text(row.id),
      key: text(row.key),
      model: text(row.model),
      provider: text(row.provider),
      status: number(row.status),
      outcome: text(row.outcome),
      code: text(row.code),
    })),
  };
}

/** Teams that spent most in the longest period first, and within them their keys. */
function byTeam(clients: Record<string, unknown>[], periods: number): Team[] {
  const teams = new Map<string, Team>();
  for (const client of clients) {
    const known = rows(client.amounts).map(parseSpent);
    const amounts = Array.from({ length: periods }, (_, i) => known[i] ?? NOTHING);
    const name = text(client.team);
    const team = teams.get(name) ?? { name, amounts: amounts.map(() => NOTHING), keys: [] };
    teams.set(name, {
      name,
      amounts: team.amounts.map((amount, i) => sum(amount, amounts[i] ?? NOTHING)),
      keys: [...team.keys, { name: text(client.key), amounts }],
    });
  }
  const all = [...teams.values()].map((team) => ({ ...team, keys: team.keys.sort(bySpent) }));
  return all.sort(bySpent);
}

const NOTHING: Spent = { dollars: 0, inputTokens: 0, outputTokens: 0, unpriced: 0 };

function bySpent(one: Spender, other: Spender): number {
  const spent = (spender: Spender) => spender.amounts.at(-1) ?? NOTHING;
  return (
    spent(other).dollars - spent(one).dollars ||
    spent(other).inputTokens - spent(one).inputTokens ||
    one.name.localeCompare(other.name)
  );
}

function sum(one: Spent, other: Spent): Spent {
  return {
    dollars: one.dollars + other.dollars,
    inputTokens: one.inputTokens + other.inputTokens,
    outputTokens: one.outputTokens + other.outputTokens,
    unpriced: one.unpriced + other.unpriced,
  };
}

function parseSpent(row: Record<string, unknown>): Spent {
  return {
    dollars: number(row.cost_usd),
    inputTokens: number(row.input_tokens),
    outputTokens: number(row.output_tokens),
    unpriced: number(row.unpriced),
  };
}

const rows = (value: unknown) => (Array.isArray(value) ? value.filter(isObject) : []);
const text = (value: unknown) => (typeof value === 'string' ? value : '');
/** Money is decimal text. */
const number = (value: unknown) => {
  const read = typeof value === 'string' && value !== '' ? Number(value) : value;
  return typeof read === 'number' && Number.isFinite(read) ? read : 0;
};
