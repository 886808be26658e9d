import { refreshGateway } from '../../api/gateway';
import type { Model } from '../../api/types';
import { CopyButton } from '../ui/CopyButton';

/** No model is ready: shows the missing environment variables. */
export function Setup({ models }: { models: Model[] }) {
  const missing = new Map<string, string[]>();
  for (const { missing: name, id } of models) {
    if (!name) continue;
    missing.set(name, [...(missing.get(name) ?? []), id]);
  }
  return (
    <section className="card setup" aria-label="What is missing">
      <h2>No model is ready yet</h2>
      {missing.size === 0 ? (
        <p>
          No models are available to you. Add one to the gateway's configuration, or ask its
          operator.
        </p>
      ) : (
        <>
          <p>Set one of these in the gateway's environment and restart it:</p>
          <ul className="setup-list">
            {[...missing].map(([name, ids]) => (
              <li key={name}>
                <code>{name}</code>
                <span className="hint grow ellipsis">{ids.join(', ')}</span>
                <CopyButton text={() => `export ${name}=`} label={`Copy ${name}`} />
              </li>
            ))}
          </ul>
        </>
      )}
      <button type="button" className="button" onClick={() => void refreshGateway()}>
        Check again
      </button>
    </section>
  );
}
