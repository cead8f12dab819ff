/** What a sender is told of a failure leads to its log lines, and to the memory of refusals; strangers leave nothing in it. */
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { connect } from "node:tls";
import { ProblemError } from "@tributary/shared/problems.ts";
import { afterEach, beforeEach, expect, test } from "vitest";
import { LineMemory } from "../lines/memory.ts";
import { createLog } from "../log.ts";
import { listRefusals } from "../refusals/refusals.ts";
import { type Rig, type RigOptions, startRig } from "../rig.ts";

let rig: Rig;
let lines: LineMemory;
const start = async (options: RigOptions = {}): Promise<void> => {
  lines = new LineMemory();
  rig = await startRig({ log: createLog("silent", lines), ...options });
};
beforeEach(() => start());
afterEach(() => rig.stop());

const auth = (name: string) => ({ authorization: `Bearer ${name}`, "idempotency-key": randomUUID() });
const linesOf = (requestId: unknown) => lines.recent({ requestId: String(requestId), limit: 10 }).lines;
const refusals = async () => {
  const list = () => listRefusals(rig.database.db, { since: 0 });
  await expect.poll(list, { timeout: 12_000, interval: 250 }).not.toEqual([]);
  return await list();
};

test("the id in the problem of a refused upload finds its line", async () => {
  const headers = { ...auth("key"), "repr-digest": `sha-256=:${Buffer.alloc(32).toString("base64")}:` };
  const answer = await rig.ask("PUT", "/v1/files/pos/a.csv", headers, "content");
  expect(answer.json["code"]).toBe("digest-mismatch");
  expect(linesOf(answer.json["requestId"])).toMatchObject([
    {
      level: "info",
      fields: { code: "digest-mismatch", path: "/v1/files/pos/a.csv", client: "acme", bearer: "key" },
    },
  ]);
});

test("an id that the sender chose does, too; and one of a stranger, who is named by nothing", async () => {
  const answer = await rig.ask(
    "PUT",
    "/v1/files/pos/a",
    { ...auth("nobody"), "x-request-id": "mine-1" },
    "x",
  );
  expect(answer.json).toMatchObject({ code: "unauthenticated", requestId: "mine-1" });
  const [line] = linesOf("mine-1");
  expect(line?.fields).not.toHaveProperty("bearer");
});

test("a failure of ours is found with its stack, which the sender is not told", async () => {
  await rig.stop();
  await start({
    wrap: (lake) => ({
      ...lake,
      stage: async () => {
        throw new ProblemError("lake-unavailable", "the disk of /srv/lake is gone", {
          cause: new Error("EIO: i/o error"),
        });
      },
    }),
  });
  const answer = await rig.ask("PUT", "/v1/files/pos/a", auth("key"), "x");
  expect(answer.json["code"]).toBe("lake-unavailable");
  expect(JSON.stringify(answer.json)).not.toContain("/srv/lake");
  const [line] = linesOf(answer.json["requestId"]);
  expect(line).toMatchObject({ level: "error", message: "the disk of /srv/lake is gone" });
  expect(JSON.stringify(line?.fields)).toContain("EIO: i/o error");
});

test("a file that is kept in quarantine has its line under the request that brought it", async () => {
  await rig.stop();
  await start({
    settings: { inspect: { clamd: "127.0.0.1:1" } },
    inspector: {
      largest: 2 ** 20,
      check: async () => "a test",
      inspect: async (bytes) => {
        await Array.fromAsync(bytes);
        return { kind: "found", finding: "Eicar" };
      },
    },
  });
  const answer = await rig.ask("PUT", "/v1/files/pos/a", auth("key"), "x");
  expect(answer.json["code"]).toBe("quarantined");
  const messages = linesOf(answer.json["requestId"]).map(({ message }) => message);
  expect(messages).toHaveLength(2);
  expect(messages.join("\n")).toContain("quarantine list");
});

test("each refused entry of a bundle leads to the request of the bundle", async () => {
  const answer = await rig.ask("POST", "/v1/bundles/pos", auth("key"), "this is no tar".repeat(100));
  const told = JSON.parse(answer.body.toString().split("\n")[0] as string) as Record<string, unknown>;
  const problem = (told["problem"] ?? told) as Record<string, unknown>;
  expect(linesOf(problem["requestId"]).length).toBeGreaterThan(0);
});

test("what could not even be read as a request leads to its line", async () => {
  const { port } = new URL(rig.receiver.url);
  const socket = connect({ host: "127.0.0.1", port: Number(port), ca: rig.ca, servername: "localhost" });
  await once(socket, "secureConnect");
  socket.write("this is no HTTP\r\n\r\n");
  let text = "";
  for await (const chunk of socket) text += String(chunk);
  const { requestId } = JSON.parse(text.slice(text.indexOf("\r\n\r\n"))) as Record<string, unknown>;
  expect(linesOf(requestId)).toMatchObject([{ fields: { code: "request-invalid", address: "127.0.0.1" } }]);
});

test("refusals are remembered by client, key and code; strangers leave no row", async () => {
  rig.gate.add("both", { kind: "key", clients: ["acme", "other"] });
  const put = (name: string, headers: Record<string, string> = {}) =>
    rig.ask("PUT", "/v1/files/Not-A-Source/a", { ...auth(name), ...headers }, "x");
  for (let i = 0; i < 3; i += 1) await put("key");
  const last = await put("key");
  for (let i = 0; i < 5; i += 1) await put(`nobody-${i}`);
  await put("both");
  await put("both", { "tributary-client": "other" });
  await put("both", { "tributary-client": "globex" });
  const rows = await refusals();
  expect(rows.map(({ client, bearer, code, count }) => [client, bearer, code, count])).toEqual(
    expect.arrayContaining([
      ["acme", "key", "source-invalid", 4],
      ["", "both", "source-invalid", 2],
      ["other", "both", "source-invalid", 1],
    ]),
  );
  expect(rows).toHaveLength(3);
  expect(rows.find(({ bearer }) => bearer === "key")).toMatchObject({
    ...{ lastRequestId: last.json["requestId"], lastPath: "/v1/files/Not-A-Source/a", bearerKind: "key" },
    lastDetail: expect.stringContaining("Not-A-Source"),
  });
});
