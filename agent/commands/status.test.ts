import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Redactor } from "@tributary/shared/redactor.ts";
import { Command } from "commander";
import { afterEach, beforeEach, expect, test } from "vitest";
import { pendingKey, publicX, storeEnrolment } from "../identity/identity.ts";
import type { QueueStatus } from "../queue/status.ts";
import { liveWriter } from "../report/live.ts";
import { addStatus } from "./status.ts";

const write = process.stdout.write.bind(process.stdout);
let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "tributary-status-"));
  storeEnrolment(dir, {
    ...{ agentId: "00000000-0000-4000-8000-000000000000", name: "a", codeSha256: "", clients: ["demo"] },
    ...{ site: "00000000-0000-4000-8000-000000000001", url: "https://127.0.0.1:1" },
    ...{ publicKey: publicX(pendingKey(dir)), trust: { authorities: [], systemNamedAt: null } },
    ...{ jwks: { keys: [] }, nonce: "n", heartbeatSeconds: 10 },
  });
  writeFileSync(join(dir, "agent.yaml"), "");
});
afterEach(() => {
  process.stdout.write = write;
  rmSync(dir, { recursive: true, force: true });
});

/** As a process of before wrote them, which did not know the secret yet. */
const status: QueueStatus = {
  depth: () => ({ depth: 0, bytes: 0, oldestSealedAt: undefined, aside: 0 }),
  problems: () => [
    {
      ...{ client: "demo", source: "bank", path: Buffer.from("a"), code: "source-unreachable", aside: false },
      ...{ detail: "login with hunter2-hunter2 failed", since: "2026-01-01T00:00:00Z" },
      ...{ captureId: undefined, until: undefined },
    },
  ],
  problemCount: () => 1,
  waiting: () => [],
  deliveries: () => [],
  sources: () => [],
  spooled: () => new Map(),
  begun: () => new Set<string>(),
  waitingBySource: () => [],
  uncaptured: () => [],
  postponed: () => [],
  deliveredSince: () => [],
};

test.for([[], ["--json"]])("what is read as a secret is in no line of it (%j)", async (words) => {
  liveWriter(
    dir,
    (text) => text,
  )({
    ...{
      pid: 1,
      startedAt: "",
      skewMs: 0,
      delivered: 0,
      bytes: 0,
      held: [],
      sources: [],
      slowed: [],
      refused: "hunter2-hunter2",
    },
    trouble: { code: "busy", detail: "hunter2-hunter2", since: "2026-01-01T00:00:00Z" },
  });
  const redactor = new Redactor();
  redactor.learn("hunter2-hunter2");
  const program = new Command().exitOverride();
  addStatus(
    program,
    (_data, read) => read(status),
    () => true,
    redactor,
  );
  let out = "";
  process.stdout.write = (chunk: string | Uint8Array) => {
    out += String(chunk);
    return true;
  };
  await program.parseAsync(["status", "--data", dir, ...words], { from: "user" });
  process.stdout.write = write;
  expect(out.match(/\[secret\]/g)).toHaveLength(3);
  expect(out).not.toContain("hunter2");
});
