/** A host whose clock is wrong by a day enrols, delivers, and its times come out right. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { clockOf, faketimeMissing } from "../site/faketime.ts";
import { launch, ok, until } from "../site/process.ts";
import { makeSite } from "../site/site.ts";

const missing = faketimeMissing();

describe.skipIf(missing !== undefined)(
  `a host clock wrong by a day${missing ? ` (skipped: ${missing})` : ""}`,
  () => {
    test.for(["+25h", "-25h"])("%s", { timeout: 90_000 }, async (offset) => {
      const env = { ...clockOf(offset), FAKETIME_DONT_FAKE_MONOTONIC: "1" };
      const site = await makeSite({ receiver: { heartbeat: "500ms" } });
      await site.command("client", "add", "demo");
      const receiver = await site.serve();
      const files = join(site.dir, "files");
      const data = join(site.dir, "agent");
      mkdirSync(files);
      mkdirSync(data);
      writeFileSync(join(data, "agent.yaml"), `sources: [{ name: files, path: ${files}, settle: 200ms }]\n`);
      await ok("agent", ["enroll", "-", "--data", data], {
        stdin: await site.command("agent", "invite", "--client", "demo"),
        env,
      });
      const agent = launch("agent", ["run", "--data", data], { env });
      try {
        writeFileSync(join(files, "on-time.txt"), "x");
        const [entry] = await until("delivered", async () => {
          const entries = await site.history("--client", "demo");
          return entries.length > 0 && entries;
        });
        // Sealed by the receiver's time, not by the host's: within seconds of its arrival.
        expect(
          Math.abs(Date.parse(entry?.receivedAt as string) - Date.parse(entry?.sealedAt as string)),
        ).toBeLessThan(10_000);
        expect(Math.abs(Date.parse(entry?.receivedAt as string) - Date.now())).toBeLessThan(60_000);
        await until("the skew is reported", async () => /skew|clock/i.test(agent.stderr()));
      } finally {
        await agent.stop();
        await receiver.stop();
        site.remove();
      }
    });
  },
);
