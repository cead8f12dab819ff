import { QueryObserver } from "@tanstack/react-query";
import { expect, onTestFinished, test } from "vitest";
import { queryClient, refresh, refreshAll } from "./queries.ts";

/** Calls that a page shows, and how often each was asked. */
async function shown(...keys: readonly (readonly [name: string, text: string])[]) {
  const asked = new Map<string, number>();
  for (const key of keys) {
    const [name] = key;
    const queryFn = async (): Promise<string> => {
      asked.set(name, (asked.get(name) ?? 0) + 1);
      if (key[1] === "fails") throw new Error("away");
      return "data";
    };
    const observer = new QueryObserver(queryClient, { queryKey: key, queryFn, retry: false });
    onTestFinished(observer.subscribe(() => {}));
  }
  await expect.poll(() => [...asked.values()]).toEqual(keys.map(() => 1));
  await expect.poll(() => queryClient.isFetching()).toBe(0);
  onTestFinished(() => queryClient.clear());
  return () => Object.fromEntries(asked);
}

test("after a cut all is asked anew but looks into files, each of which is audited, and what was found", async () => {
  const asked = await shown(["clients.list", ""], ["preview", "v1"], ["search.all", "invoices"]);
  await refreshAll(queryClient);
  expect(asked()).toEqual({ "clients.list": 2, preview: 1, "search.all": 1 });
});

test("a search that failed is asked anew, a look that failed is not", async () => {
  const asked = await shown(["preview", "fails"], ["search.all", "fails"]);
  await refreshAll(queryClient);
  expect(asked()).toEqual({ preview: 1, "search.all": 2 });
});

test("of one noun all calls are asked anew, or one call alone", async () => {
  const asked = await shown(["files.list", ""], ["files.bounds", ""], ["agents.list", ""]);
  await refresh(queryClient, ["files.bounds"]);
  expect(asked()).toEqual({ "files.list": 1, "files.bounds": 2, "agents.list": 1 });
  await refresh(queryClient, ["files"]);
  expect(asked()).toEqual({ "files.list": 2, "files.bounds": 3, "agents.list": 1 });
});
