import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { HeadObjectCommand } from "@aws-sdk/client-s3";
import { expect, onTestFinished, test } from "vitest";
import { failure, openStore, retryingFile } from "./s3-store.ts";

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

test("a store that takes a request and never answers counts as gone", async () => {
  const silent = createServer((socket) => void socket.on("error", () => {}).resume());
  await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void silent.close());
  const { client, call, at } = openStore({
    ...{ bucket: "b", spool: "", accessKeyId: "a", secretAccessKey: "s", forcePathStyle: true },
    endpoint: `http://127.0.0.1:${(silent.address() as AddressInfo).port}`,
    silenceMs: 100,
  });
  const asked = call("see", () => client.send(new HeadObjectCommand(at("key"))));
  await expect(asked).rejects.toMatchObject({
    code: "lake-unavailable",
    message: expect.stringContaining("cannot be reached"),
  });
  client.destroy();
});
