/** The stream of what happens: open pages hear of it and fetch anew what they show, at most every two seconds. */
import { useQueryClient } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { addressOf } from "./api.ts";
import { refresh } from "./queries.ts";

/** Topic of the stream -> what is shown of it. */
const NOUNS: Readonly<Record<string, readonly string[]>> = {
  agents: ["agents", "invitations", "overview", "clients"],
  audit: ["audit", "clients", "keys", "accounts", "webhooks", "people", "agents"],
  quarantine: ["quarantine", "overview"],
  deadletters: ["deadletters", "webhooks", "overview"],
};
const ARRIVED = ["overview", "arrivals", "newer"];
const EVERY_MS = 2000;
const AGAIN_MS = 3000;

export type Connection = "open" | "lost";

/** Once in the shell. */
export function useLive(): Connection {
  const client = useQueryClient();
  const [connection, setConnection] = useState<Connection>("open");
  useEffect(() => {
    const due = new Set<string>();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const soon = (nouns: readonly string[]): void => {
      for (const noun of nouns) due.add(noun);
      timer ??= setTimeout(() => {
        timer = undefined;
        const now = [...due];
        due.clear();
        if (!document.hidden) void refresh(client, now);
      }, EVERY_MS);
    };
    let source: EventSource | undefined;
    let again: ReturnType<typeof setTimeout> | undefined;
    const open = (): void => {
      const stream = new EventSource(addressOf("live", {}));
      source = stream;
      stream.addEventListener("open", () => setConnection("open"));
      // What happened before, since the page asked or while it was not connected, was told to nobody.
      stream.addEventListener("ready", () => void client.invalidateQueries());
      stream.addEventListener("error", () => {
        setConnection("lost");
        // A browser comes again after a cut by itself, but never after a refusal: a receiver that is stopping, or a proxy
        // before one that is away.
        if (stream.readyState !== EventSource.CLOSED) return;
        clearTimeout(again);
        again = setTimeout(open, AGAIN_MS);
      });
      stream.addEventListener("ended", () => {
        stream.close();
        void client.invalidateQueries();
      });
      stream.addEventListener("arrived", () => soon(ARRIVED));
      stream.addEventListener("changed", ({ data }: MessageEvent<string>) => {
        for (const topic of JSON.parse(data) as string[]) soon(NOUNS[topic] ?? [topic]);
      });
    };
    open();
    return () => {
      clearTimeout(timer);
      clearTimeout(again);
      source?.close();
    };
  }, [client]);
  return connection;
}
