import { expect, onTestFinished, test } from "vitest";
import { followStream, type Heard } from "./stream.ts";

/** A stream that is played. */
function played() {
  const streams: (Heard & { tell: (name: string, data?: unknown) => void; readyState: number })[] = [];
  const heard: string[] = [];
  const page = { hidden: false };
  const stop = followStream({
    open: () => {
      const listeners = new Map<string, (event: { readonly data?: unknown }) => void>();
      const stream = {
        readyState: 1,
        addEventListener: (name: string, listener: (event: { readonly data?: unknown }) => void) =>
          void listeners.set(name, listener),
        close: () => {
          stream.readyState = 2;
        },
        tell: (name: string, data?: unknown) => listeners.get(name)?.({ data: JSON.stringify(data) }),
      };
      streams.push(stream);
      return stream;
    },
    refresh: (names) => void heard.push(names.join(" ")),
    refreshAll: () => void heard.push("all"),
    onConnection: (connection) => void heard.push(connection),
    hidden: () => page.hidden,
    pace: { everyMs: 5, seldomMs: 20, againMs: 5 },
  });
  onTestFinished(stop);
  return { streams, heard, page, stop };
}

test("arrivals ask anew for what shows them: at once what is cheap, seldom what is of all clients", async () => {
  const { streams, heard } = played();
  streams[0]?.tell("arrived", { count: 2 });
  streams[0]?.tell("arrived", { count: 1 });
  await expect.poll(() => heard).toEqual(["overview arrivals newer files.bounds files.sources", "clients"]);
});

test("what a colleague did to quarantine, and who was refused, is asked for anew", async () => {
  const { streams, heard } = played();
  streams[0]?.tell("changed", ["audit"]);
  await expect.poll(() => heard.join()).toMatch(/quarantine.*overview.*invitations/);
  for (const topic of ["refusals", "webhooks", "quarantine"]) {
    heard.length = 0;
    streams[0]?.tell("changed", [topic]);
    await expect.poll(() => heard).toEqual([`${topic} overview`]);
  }
});

test("a stream that ended is opened again: the session may only have been replaced by another", async () => {
  const { streams, heard } = played();
  streams[0]?.tell("ended");
  expect(streams[0]?.readyState).toBe(2);
  expect(heard).toEqual(["all"]);
  await expect.poll(() => streams.length).toBe(2);
  streams[1]?.tell("changed", ["people"]);
  await expect.poll(() => heard).toEqual(["all", "people"]);
});

test("one that was refused is opened again, one that was cut comes again by itself", async () => {
  const { streams, heard, stop } = played();
  streams[0]?.tell("error");
  streams[0]?.close();
  streams[0]?.tell("error");
  await expect.poll(() => streams.length).toBe(2);
  expect(heard).toEqual(["lost", "lost"]);
  streams[1]?.tell("open");
  streams[1]?.tell("ready");
  expect(heard.slice(2)).toEqual(["open", "all"]);
  stop();
  expect(streams[1]?.readyState).toBe(2);
});

test("nothing is asked for a page that nobody looks at", async () => {
  const { streams, heard, page } = played();
  page.hidden = true;
  streams[0]?.tell("changed", ["people"]);
  streams[0]?.tell("arrived");
  await new Promise((resolve) => setTimeout(resolve, 60));
  expect(heard).toEqual([]);
});
