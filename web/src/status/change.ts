import type { GatewayStatus, StatusChange } from '../api/types';

/** The status with its changes. What has none keeps its identity, so that it is not drawn anew. */
export function changed(before: GatewayStatus, change: StatusChange): GatewayStatus {
  return {
    ...change,
    models: replaced(before.models, change.models, (each) => each.id),
    providers: replaced(before.providers, change.providers, (each) => each.name),
    recent: change.recent ?? before.recent,
  };
}

function replaced<T>(rows: T[], changes: T[], name: (row: T) => string): T[] {
  if (changes.length === 0) return rows;
  const newer = new Map(changes.map((each) => [name(each), each]));
  return rows.map((each) => newer.get(name(each)) ?? each);
}
