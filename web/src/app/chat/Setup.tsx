import { refreshGateway } from '../../api/gateway';
import type { Model } from '../../api/types';
import { CopyButton } from '../ui/CopyButton';

/** No model can be used yet: what is missing, by the names that have to be set. */
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
          The gateway lists no model for you. Add one to its configuration file, or ask whoever runs
          it.
        </p>
      ) : (
        <>
          <p>Set one of these where the gateway runs, and start it again:</p>
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
        Look again
      </button>
    </section>
  );
}
