import { describe, expect, it } from 'vitest';
import { parseView } from '../../src/operator/view';

const spent = (cost_usd: string, input_tokens = 0, unpriced = 0) => ({
  cost_usd,
  input_tokens,
  output_tokens: 1,
  unpriced,
});

const VIEW = {
  at: 1,
  limits: [],
  more_limits: 2,
  spending: {
    periods: [
      { name: 'today', since: 10 },
      { name: 'month', since: 5 },
    ],
    clients: [
      { key: 'ci', team: '', amounts: [spent('0.5'), spent('9')] },
      { key: 'alice', team: 'search', amounts: [spent('0.000001', 3), spent('4', 7, 1)] },
      { key: 'bob', team: 'search', amounts: [spent('0'), spent('6.5')] },
    ],
    more_clients: 0,
    ledger_failed: false,
  },
  failures: [{ at: 3, id: 'r', key: null, model: null, provider: null, status: 400, code: null }],
};

describe('the view of an operator', () => {
  it('sums keys by team, those that spent most first', () => {
    const view = parseView(VIEW);
    const names = view?.teams.map((team) => [team.name, team.keys.map((key) => key.name)]);
    expect(names).toEqual([
      ['search', ['bob', 'alice']],
      ['', ['ci']],
    ]);
    expect(view?.teams[0]?.amounts[1]).toEqual({
      dollars: 10.5,
      inputTokens: 7,
      outputTokens: 2,
      unpriced: 1,
    });
    expect(view?.teams[0]?.amounts[0]?.dollars).toBe(0.000001);
  });

  it('reads what is missing as empty', () => {
    const view = parseView(VIEW);
    expect(view?.failures[0]).toMatchObject({ key: '', model: '', outcome: '', status: 400 });
    expect(view?.moreLimits).toBe(2);
    const short = { ...VIEW, spending: { ...VIEW.spending, clients: [{ key: 'x' }] } };
    expect(parseView(short)?.teams[0]?.amounts.map((amount) => amount.dollars)).toEqual([0, 0]);
  });

  it.each([null, [], {}, { spending: 1 }, 'x'])('is none of %j', (body) => {
    expect(parseView(body)).toBeNull();
  });
});
