import { describe, expect, it } from 'vitest';
import { gatewayStore } from '../../src/api/gateway';
import { modelHealth, targetHealth } from '../../src/api/health';
import { parseModelList } from '../../src/api/model-list';
import type { RecentRequest, TargetState, TargetStatus } from '../../src/api/types';
import { modelFor, readyModels } from '../../src/store/model-choice';

const target = (state: TargetState): TargetStatus => ({
  provider: 'p',
  upstream_model: 'm',
  key: 0,
  priority: 0,
  weight: 1,
  fallback: false,
  state,
  until: null,
});

const request = (model: string, outcome: string) => ({ model, outcome }) as RecentRequest;

const health = (states: TargetState[], recent: RecentRequest[] = []) =>
  modelHealth({ id: 'a', ready: true, targets: states.map(target) }, recent);

describe('the state of a model', () => {
  it('is that of its single target', () => {
    for (const state of ['ready', 'ejected', 'cooldown', 'unauthorized', 'rate_limited']) {
      expect(health([state])).toEqual(targetHealth(state));
    }
    expect(health(['ready', 'not_configured'])).toEqual(targetHealth('ready'));
  });

  it('says how many of several are unavailable', () => {
    expect(health(['ready', 'ready'])).toMatchObject({ word: 'Ready', tone: 'ok' });
    expect(health(['ready', 'ejected'])).toMatchObject({
      word: '1 of 2 targets unavailable',
      tone: 'warn',
    });
    expect(health(['cooldown', 'ejected'])).toMatchObject({ tone: 'bad' });
  });

  it('is failing if the last request to its only target failed, whatever others do', () => {
    const failed = request('a', 'upstream_error');
    expect(health(['ready'], [failed]).word).toBe('Failing');
    expect(health(['ready'], [request('a', 'ok'), failed]).word).toBe('Ready');
    expect(health(['ready'], [request('a', 'cancelled'), failed]).word).toBe('Failing');
    expect(health(['ready'], [request('a', 'client_error'), failed]).word).toBe('Ready');
    expect(health(['ready'], [request('b', 'timeout')]).word).toBe('Ready');
    // Each of several targets has a state of its own.
    expect(health(['ready', 'ready'], [failed]).word).toBe('Ready');
  });

  it('is not set up without a key, and the word of a newer gateway else', () => {
    expect(modelHealth({ id: 'a', ready: false }, []).word).toBe('Not set up');
    expect(health(['on_holiday'])).toEqual({ word: 'on holiday', tone: 'warn' });
  });
});

describe('the model of a new conversation', () => {
  it('is never one that fails, if another is ready', () => {
    const [model] = parseModelList({ data: [{ id: 'x' }] });
    if (!model) throw new Error('no model');
    const states = { a: 'ejected', b: 'cooldown', c: 'ready', d: 'ready' };
    const models = Object.entries(states).map(([id, state]) => ({
      ...model,
      id,
      health: targetHealth(state),
    }));
    expect(readyModels(models).map(({ id }) => id)).toEqual(['c', 'd', 'b', 'a']);
    gatewayStore.update((now) => ({ ...now, models }));
    expect(modelFor(null)).toBe('c');
    gatewayStore.update((now) => ({ ...now, models: models.slice(0, 1) }));
    expect(modelFor(null)).toBe('a');
  });
});
