/** Strokes on a grid of 24, drawn for this page. */
const PATHS = {
  plus: 'M12 5v14M5 12h14',
  mic: 'M12 3a3 3 0 0 1 3 3v5a3 3 0 0 1-6 0V6a3 3 0 0 1 3-3zM6 11a6 6 0 0 0 12 0M12 17v4',
  temporary: 'M4 9V5h4M11 5h3M17 5h3v4M20 12v4h-6l-4 4v-4M7 16H4v-4',
  sound: 'M4 10v4h4l5 4V6L8 10zM16 9a4 4 0 0 1 0 6M18.5 6.5a8 8 0 0 1 0 11',
  sidebar: 'M4 5h16v14H4zM10 5v14',
  search: 'M10.5 4.5a6 6 0 1 0 0 12 6 6 0 0 0 0-12zM15 15l5 5',
  send: 'M12 19V5M6 11l6-6 6 6',
  stop: 'M7 7h10v10H7z',
  copy: 'M9 9h11v11H9zM15 9V4H4v11h5',
  check: 'M5 13l4 4L19 7',
  edit: 'M4 20h4L19 9l-4-4L4 16zM13 7l4 4',
  retry: 'M4 5v5h5M4.5 10A8 8 0 1 1 4 14',
  more: 'M5 12h.01M12 12h.01M19 12h.01',
  left: 'M14 6l-6 6 6 6',
  right: 'M10 6l6 6-6 6',
  down: 'M6 9l6 6 6-6',
  arrowDown: 'M12 5v14M6 13l6 6 6-6',
  close: 'M6 6l12 12M18 6L6 18',
  trash: 'M5 7h14M10 7V4h4v3M7 7l1 13h8l1-13',
  pin: 'M9 4h6l-1 6 3 3H7l3-3zM12 13v7',
  settings:
    'M4 7h9M17 7h3M4 17h3M11 17h9M15 5a2 2 0 1 0 0 4 2 2 0 0 0 0-4zM9 15a2 2 0 1 0 0 4 2 2 0 0 0 0-4z',
  attach:
    'M19 12l-7 7a4.5 4.5 0 0 1-6.5-6.5l8-8a3 3 0 0 1 4.3 4.3l-7.6 7.6a1.5 1.5 0 0 1-2.2-2.2L14 8',
  compare: 'M4 5h7v14H4zM13 5h7v14h-7z',
  activity: 'M3 12h4l3-7 4 14 3-7h4',
  key: 'M8 12a4 4 0 1 0 0 .01zM12 12h9M18 12v4',
  warn: 'M12 4l9 16H3zM12 10v4M12 17h.01',
  info: 'M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18zM12 11v5M12 8h.01',
  clock: 'M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18zM12 7v5l3 2',
  plug: 'M9 3v5M15 3v5M6 8h12v3a6 6 0 0 1-12 0zM12 17v4',
  code: 'M8 7l-5 5 5 5M16 7l5 5-5 5',
  book: 'M5 4h14v16H7a2 2 0 0 1-2-2zM5 18a2 2 0 0 1 2-2h12',
  chat: 'M4 5h16v11H10l-4 4v-4H4z',
  download: 'M12 4v11M7 11l5 5 5-5M5 20h14',
  upload: 'M12 20V9M7 13l5-5 5 5M5 4h14',
  tool: 'M14 7a4 4 0 0 1 5-3l-3 3 1 2 2 1 3-3a4 4 0 0 1-5.5 4.5L8 20a2 2 0 0 1-3-3l8.3-8.5A4 4 0 0 1 14 7z',
  bulb: 'M9 18h6M10 21h4M12 3a6 6 0 0 0-4 10.5c.8.8 1 1.5 1 2.5h6c0-1 .2-1.7 1-2.5A6 6 0 0 0 12 3z',
  file: 'M6 3h8l4 4v14H6zM14 3v4h4',
  sliders: 'M5 4v9M5 17v3M12 4v3M12 11v9M19 4v7M19 15v5M3 15h4M10 9h4M17 13h4',
  flag: 'M6 21V4h11l-2 4 2 4H6',
} as const;

export type IconName = keyof typeof PATHS;

/** Those with a direction: it is that of the text. */
const MIRRORED = new Set<IconName>([
  'book',
  'chat',
  'file',
  'left',
  'right',
  'sidebar',
  'sound',
  'temporary',
]);

export function Icon({ name, size = 18 }: { name: IconName; size?: number }) {
  return (
    <svg
      className={MIRRORED.has(name) ? 'icon mirrored' : 'icon'}
      width={size}
      height={size}
      viewBox="0 0 24 24"
      fill="none"
      stroke="currentColor"
      strokeWidth={name === 'more' ? 3 : 1.7}
      strokeLinecap="round"
      strokeLinejoin="round"
      aria-hidden="true"
      focusable="false"
    >
      <path d={PATHS[name]} />
    </svg>
  );
}
