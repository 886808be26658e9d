import { type ReactNode, useEffect, useRef } from 'react';
import { Icon, type IconName } from './Icon';
import { Popover, usePopover } from './Popover';

export interface MenuItem {
  label: string;
  icon?: IconName;
  hint?: string;
  danger?: boolean;
  run: () => void;
}

interface Props {
  label: string;
  icon: IconName;
  items: () => (MenuItem | null)[];
  align?: 'start' | 'end';
  className?: string;
  children?: ReactNode;
}

export function Menu({
  label,
  icon,
  items,
  align = 'end',
  className = 'icon-button',
  children,
}: Props) {
  const { anchor, open, close, toggle } = usePopover();
  return (
    <>
      <button
        ref={anchor}
        type="button"
        className={className}
        aria-label={label}
        title={label}
        aria-haspopup="menu"
        aria-expanded={open}
        onClick={toggle}
      >
        {children ?? <Icon name={icon} />}
      </button>
      {open && (
        <Popover
          anchor={anchor}
          onClose={close}
          label={label}
          align={align}
          className="menu"
          role="menu"
        >
          <Items items={items().filter((item) => item !== null)} onDone={close} />
        </Popover>
      )}
    </>
  );
}

function Items({ items, onDone }: { items: MenuItem[]; onDone: () => void }) {
  const list = useRef<HTMLDivElement>(null);
  const at = (index: number) => {
    const buttons = list.current?.querySelectorAll('button') ?? [];
    buttons[(index + buttons.length) % buttons.length]?.focus();
  };
  useEffect(() => at(0), []);
  const onKeyDown = (event: { key: string; preventDefault(): void }) => {
    const buttons = [...(list.current?.querySelectorAll('button') ?? [])];
    const now = buttons.indexOf(document.activeElement as HTMLButtonElement);
    const to = { ArrowDown: now + 1, ArrowUp: now - 1, Home: 0, End: -1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    at(to);
  };
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: the keys belong to the items within
    <div ref={list} role="presentation" onKeyDown={onKeyDown}>
      {items.map((item) => (
        <button
          key={item.label}
          type="button"
          role="menuitem"
          tabIndex={-1}
          className={item.danger ? 'menu-item danger' : 'menu-item'}
          onClick={() => {
            onDone();
            item.run();
          }}
        >
          {item.icon && <Icon name={item.icon} size={16} />}
          <span className="grow">{item.label}</span>
          {item.hint && <span className="hint">{item.hint}</span>}
        </button>
      ))}
    </div>
  );
}
