/**
 * What pages do with the stream of `live`: which calls are asked anew when something is told, how often at most, and how
 * the stream is opened again. Of the browser it takes only what `Heard` and `StreamParts` name.
 */

/** An EventSource, as far as it is listened to. */
export interface Heard {
  readonly readyState: number;
  addEventListener(name: string, listener: (event: { readonly data?: unknown }) => void): void;
  close(): void;
}

export interface StreamParts {
  readonly open: () => Heard;
  /** Asks anew what is shown of these: nouns, or names of calls. */
  readonly refresh: (names: readonly string[]) => void;
  /** Whatever may have changed while nothing was told. */
  readonly refreshAll: () => void;
  readonly onConnection: (connection: Connection) => void;
  /** Nobody looks: what is shown again asks for itself. */
  readonly hidden: () => boolean;
  readonly pace?: { readonly everyMs: number; readonly seldomMs: number; readonly againMs: number };
}

export type Connection = "open" | "lost";

/** Topic of the stream -> what is shown of it. */
const NOUNS: Readonly<Record<string, readonly string[]>> = {
  agents: ["agents", "invitations", "overview", "clients"],
  audit: [
    ...["audit", "clients", "keys", "accounts", "webhooks", "people", "agents"],
    ...["quarantine", "overview", "invitations"],
  ],
  quarantine: ["quarantine", "overview"],
  refusals: ["refusals", "overview"],
  webhooks: ["webhooks", "overview"],
  deadletters: ["deadletters", "webhooks", "overview"],
};
/** Lists that must not jump are not among them: what is new there is counted, and waits for a click. */
const ARRIVED = ["overview", "arrivals", "newer", "files.bounds", "files.sources"];
/** Of every client together: dearer, and nobody looks at it second by second. */
const ARRIVED_SELDOM = ["clients"];
const PACE = { everyMs: 2000, seldomMs: 10_000, againMs: 3000 } as const;
/** `EventSource.CLOSED`. */
const CLOSED = 2;

/** Follows until what it gives back is called. */
export function followStream(parts: StreamParts): () => void {
  const { everyMs, seldomMs, againMs } = parts.pace ?? PACE;
  const timers = new Set<ReturnType<typeof setTimeout>>();
  const after = (ms: number, work: () => void): void => {
    const timer = setTimeout(() => {
      timers.delete(timer);
      work();
    }, ms);
    timers.add(timer);
  };
  const gathered = (ms: number) => {
    const due = new Set<string>();
    return (names: readonly string[]): void => {
      if (due.size === 0)
        after(ms, () => {
          const now = [...due];
          due.clear();
          if (!parts.hidden()) parts.refresh(now);
        });
      for (const name of names) due.add(name);
    };
  };
  const [soon, seldom] = [gathered(everyMs), gathered(seldomMs)];
  let stream: Heard | undefined;
  const open = (): void => {
    const opened = parts.open();
    stream = opened;
    opened.addEventListener("open", () => parts.onConnection("open"));
    // What happened before, since the page asked or while it was not connected, was told to nobody.
    opened.addEventListener("ready", parts.refreshAll);
    opened.addEventListener("error", () => {
      parts.onConnection("lost");
      // A browser comes again after a cut by itself, but never after a refusal: a receiver that is stopping, or a proxy
      // before one that is away.
      if (opened.readyState === CLOSED) after(againMs, open);
    });
    opened.addEventListener("ended", () => {
      opened.close();
      // Whoever is shut out is led to the login by what is asked now. A session that another one took the place of, as after
      // a change of the password, goes on.
      parts.refreshAll();
      after(againMs, open);
    });
    opened.addEventListener("arrived", () => {
      soon(ARRIVED);
      seldom(ARRIVED_SELDOM);
    });
    opened.addEventListener("changed", ({ data }) => {
      for (const topic of JSON.parse(String(data)) as string[]) soon(NOUNS[topic] ?? [topic]);
    });
  };
  open();
  return () => {
    for (const timer of timers) clearTimeout(timer);
    stream?.close();
  };
}
