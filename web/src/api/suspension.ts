/** Also in a hidden tab, except that one hidden for minutes gets a tick in a minute only. */
const TICK_MS = 1000;
/** Longer than a busy page stalls. */
const GAP_MS = 5000;

export interface SuspensionWatch {
  /** Something was received. */
  mark(): void;
  /** True once the page did nothing at all for so long that its clock tells nothing of a server. */
  readonly suspended: boolean;
  stop(): void;
}

/** Notices that the browser froze the page: what was received meanwhile arrives at once later. */
export function watchSuspension(now = () => performance.now()): SuspensionWatch {
  let last = now();
  let suspended = false;
  const mark = () => {
    const at = now();
    suspended ||= at - last > GAP_MS;
    last = at;
  };
  const timer = setInterval(mark, TICK_MS);
  return {
    mark,
    get suspended() {
      return suspended;
    },
    stop: () => clearInterval(timer),
  };
}
