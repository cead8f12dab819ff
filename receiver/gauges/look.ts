/** A look at something that may not answer: shared by all who ask at the same time, kept for a moment, never waited for long. */

export interface LookBounds {
  /** How long an answer counts, from when it was asked for. */
  readonly forMs?: number;
  readonly withinMs?: number;
  /** Of the same, one look at a time. */
  readonly turn?: Turn;
}

/** Begins when the work before has ended. */
export type Turn = <T>(work: () => Promise<T>) => Promise<T>;

/** So that a database that hangs holds one connection for the metrics, and leaves the others to deliveries. */
export function inTurn(): Turn {
  let last: Promise<unknown> = Promise.resolve();
  return <T>(work: () => Promise<T>): Promise<T> => {
    const run = last.then(work);
    last = run.catch(() => undefined);
    return run;
  };
}

/** Undefined: nobody knows now. A look that hangs is not asked again before it has ended, so that scrapes do not pile up behind it. */
export type Look<T> = () => Promise<T | undefined>;

const FOR_MS = 1000;
/** Prometheus waits for 10 s. */
const WITHIN_MS = 2000;

export function lookOf<T>(work: () => Promise<T>, bounds: LookBounds = {}): Look<T> {
  const { forMs = FOR_MS, withinMs = WITHIN_MS, turn = (next) => next() } = bounds;
  let last: { readonly from: number; readonly run: Promise<T | undefined>; ended: boolean } | undefined;
  return async () => {
    if (last === undefined || (last.ended && performance.now() - last.from >= forMs)) {
      const look = {
        from: performance.now(),
        run: Promise.resolve()
          .then(() => turn(work))
          .catch(() => undefined),
        ended: false,
      };
      void look.run.then(() => {
        look.ended = true;
      });
      last = look;
    }
    return await within(withinMs, last.run);
  };
}

async function within<T>(ms: number, run: Promise<T | undefined>): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), ms);
  });
  try {
    return await Promise.race([run, late]);
  } finally {
    clearTimeout(timer);
  }
}
