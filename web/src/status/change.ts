import type { GatewayStatus, StatusChange } from '../api/types';

/**
 * Merges a change into the status. Unchanged rows keep their identity, so that they are not drawn
 * again.
 */
export function applyChange(before: GatewayStatus, change: StatusChange): GatewayStatus {
  return {
    ...change,
    models: replaceRows(before.models, change.models, (model) => model.id),
    providers: replaceRows(before.providers, change.providers, (provider) => provider.name),
    recent: change.recent ?? before.recent,
  };
}

function replaceRows<T>(rows: T[], changes: T[], name: (row: T) => string): T[] {
  if (changes.length === 0) return rows;
  const newer = new Map(changes.map((row) => [name(row), row]));
  return rows.map((row) => newer.get(name(row)) ?? row);
}
