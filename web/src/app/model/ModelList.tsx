import './models.css';
import { useEffect, useId, useRef, useState } from 'react';
import { gatewayStore } from '../../api/gateway';
import type { Model } from '../../api/types';
import { rich, t } from '../../i18n';
import { useStore } from '../../store/create-store';
import { milliseconds, price, short } from '../format';
import { CopyButton } from '../ui/CopyButton';
import { Icon } from '../ui/Icon';
import { Sparkline } from '../ui/Sparkline';
import { isTouch, keyName } from '../view';
import { firstTokenTimes } from './first-token-times';
import { groupByProvider, limitRows } from './use-model';

/** Providers may list thousands of models; the search finds the others. */
const MAX_ROWS = 200;

const LINE_SIZE = { width: 36, height: 14 };
/** Fewer points make no line worth drawing. */
const MIN_POINTS = 3;

interface Props {
  value: string;
  onPick: (id: string) => void;
  onCompare?: (id: string) => void;
}

/** A combobox with a listbox of models by provider. */
export function ModelList({ value, onPick, onCompare }: Props) {
  const { models, status } = useStore(gatewayStore);
  const [query, setQuery] = useState('');
  const found = groupByProvider(models, query);
  const groups = limitRows(found, MAX_ROWS);
  const times = firstTokenTimes(status?.recent ?? []);
  const flat = groups.flatMap((group) => group.models);
  const rows = new Map(flat.map((model, row) => [model, row]));
  const hidden = found.reduce((sum, group) => sum + group.models.length, 0) - flat.length;
  const start = Math.max(
    0,
    flat.findIndex((model) => model.id === value),
  );
  const [active, setActive] = useState(start);
  const at = Math.min(active, flat.length - 1);
  const base = useId();
  const list = useRef<HTMLDivElement>(null);
  const input = useRef<HTMLInputElement>(null);

  // The keyboard of a phone would cover the list.
  useEffect(() => (isTouch() ? list : input).current?.focus(), []);
  useEffect(() => {
    list.current?.querySelector('[data-active=true]')?.scrollIntoView({ block: 'nearest' });
  }, [at]);

  const pick = (model: Model | undefined, compare: boolean) => {
    if (!model?.ready) return;
    if (compare && onCompare) onCompare(model.id);
    else onPick(model.id);
  };
  const onKeyDown = (event: { key: string; altKey: boolean; preventDefault(): void }) => {
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, PageDown: at + 8, PageUp: at - 8 }[event.key];
    if (event.key === 'Enter') pick(flat[at], event.altKey);
    else if (to !== undefined) setActive(Math.max(0, Math.min(flat.length - 1, to)));
    else return;
    event.preventDefault();
  };

  return (
    <>
      <label className="search">
        <Icon name="search" size={15} />
        <input
          ref={input}
          role="combobox"
          dir="auto"
          aria-label={t('models.search')}
          aria-expanded="true"
          aria-controls={`${base}list`}
          aria-activedescendant={flat[at] ? `${base}${at}` : undefined}
          aria-autocomplete="list"
          autoComplete="off"
          spellCheck={false}
          placeholder={t('models.search')}
          value={query}
          onInput={(event) => {
            setQuery(event.currentTarget.value);
            setActive(0);
          }}
          onKeyDown={onKeyDown}
        />
      </label>
      <div
        ref={list}
        className="model-list"
        role="listbox"
        id={`${base}list`}
        aria-label={t('ui.models')}
        tabIndex={-1}
      >
        {groups.map((group) => (
          // biome-ignore lint/a11y/useSemanticElements: a listbox knows groups only
          <div key={group.provider} role="group" aria-label={group.provider || t('ui.models')}>
            <div className="model-group" aria-hidden="true">
              {group.provider || t('ui.models')}
            </div>
            {group.models.map((model) => {
              const index = rows.get(model) ?? 0;
              return (
                <Row
                  key={model.id}
                  id={`${base}${index}`}
                  model={model}
                  times={times.get(model.id) ?? []}
                  chosen={model.id === value}
                  active={index === at}
                  onPoint={() => setActive(index)}
                  onPick={(compare) => pick(model, compare)}
                />
              );
            })}
          </div>
        ))}
      </div>
      {hidden > 0 && <p className="list-empty">{t('models.hidden', { n: hidden })}</p>}
      {flat.length === 0 && (
        <p className="list-empty">{models.length === 0 ? t('models.none') : t('models.noMatch')}</p>
      )}
      <div className="model-foot">
        <Missing models={models} />
        {onCompare && (
          <span className="hint">
            {rich('models.compareKeys', { keys: <kbd>{keyName('alt+enter')}</kbd> })}
          </span>
        )}
        {!status && models.length > 0 && <span className="hint">{t('models.readyOnly')}</span>}
      </div>
    </>
  );
}

interface RowProps {
  id: string;
  model: Model;
  /** First-token times of the last requests, oldest first. */
  times: number[];
  chosen: boolean;
  active: boolean;
  onPoint: () => void;
  onPick: (compare: boolean) => void;
}

function Row({ id, model, times, chosen, active, onPoint, onPick }: RowProps) {
  const { health, missing } = model;
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents lint/a11y/useFocusableInteractive: the field above keeps the focus and takes the keys
    <div
      id={id}
      role="option"
      className="model-row"
      aria-selected={chosen}
      aria-disabled={!model.ready}
      data-active={active}
      onPointerMove={onPoint}
      onClick={(event) => onPick(event.altKey)}
    >
      <span className="model-names">
        <span className="model-name ltr">{model.id}</span>
        {model.upstreamModel && model.upstreamModel !== model.id && (
          <span className="model-upstream ltr">{model.upstreamModel}</span>
        )}
      </span>
      <span className="model-facts">
        {model.context && (
          <span className="wide-only" title={t('models.context')}>
            {short(model.context)}
          </span>
        )}
        {model.price && (
          <span className="wide-only" title={t('models.price')}>
            {price(model.price.input_per_million)} / {price(model.price.output_per_million)}
          </span>
        )}
        {model.firstTokenMs !== null && (
          <span className="first-token" title={t('models.times')}>
            <TimesLine times={times} />
            {milliseconds(model.firstTokenMs)}
          </span>
        )}
        <span className={`state ${health.tone}`}>
          {missing ? t('models.missing', { name: missing }) : health.word}
        </span>
        {chosen && <Icon name="check" size={16} />}
      </span>
    </div>
  );
}

function TimesLine({ times }: { times: number[] }) {
  if (times.length < MIN_POINTS) return null;
  const points = times.map((value, i) => ({ x: i / (times.length - 1), value }));
  return <Sparkline lines={[{ points }]} size={LINE_SIZE} top={Math.max(...times)} />;
}

/** The missing variables as shell lines. */
function Missing({ models }: { models: Model[] }) {
  const names = [...new Set(models.flatMap((model) => (model.ready ? [] : (model.missing ?? []))))];
  if (names.length === 0) return <span className="grow" />;
  return (
    <>
      <CopyButton
        text={() => names.map((name) => `export ${name}=`).join('\n')}
        label={t('models.copyMissingTitle')}
        caption={t('models.copyMissing', { n: names.length })}
      />
      <span className="grow" />
    </>
  );
}
