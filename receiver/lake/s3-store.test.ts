import { once } from "node:events";
import { expect, test } from "vitest";
import { failure, retryingFile } from "./s3-store.ts";

test("a spool file that cannot be read ends the request", async () => {
  const send = (): Promise<never> => new Promise(() => {});
  await expect(retryingFile("/nowhere/at/all", send)).rejects.toMatchObject({ code: "lake-unavailable" });
});

test("a transient failure is tried again with a new body, a refusal is not", async () => {
  let tries = 0;
  const busy = Object.assign(new Error("SlowDown"), { $metadata: { httpStatusCode: 503 } });
  const answer = await retryingFile(import.meta.filename, async (body) => {
    await once(body, "readable");
    tries += 1;
    if (tries < 3) throw busy;
    return (await body.toArray()).length;
  });
  expect([tries, answer]).toEqual([3, 1]);
  const refused = Object.assign(new Error("no"), {
    $metadata: { httpStatusCode: 403 },
    name: "AccessDenied",
  });
  await expect(retryingFile(import.meta.filename, () => Promise.reject(refused))).rejects.toThrow("no");
  expect(failure(refused)).toEqual({ status: 403, code: "AccessDenied" });
});
