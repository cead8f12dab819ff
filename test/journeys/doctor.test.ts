/** `doctor` through real processes, as an administrator uses it: all is well, then one thing after the other is not. */
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type Running, run, until } from "../site/process.ts";
import { type Agent, makeSite, type Site } from "../site/site.ts";

describe("doctor", { timeout: 120_000 }, () => {
  let site: Site;
  let receiver: Running;
  let agent: Agent;
  let inbox: string;
  const running: Running[] = [];
  beforeEach(async () => {
    site = await makeSite();
    await site.command("client", "add", "demo");
    receiver = await site.serve();
    running.push(receiver);
    inbox = join(site.dir, "inbox");
    mkdirSync(inbox);
    agent = await site.agent("shop", {
      clients: ["demo"],
      settings: { sources: [{ name: "pos", path: inbox }] },
    });
  });
  afterEach(async () => {
    await Promise.all(running.splice(0).map((one) => one.stop()));
    site.remove();
  });

  /** The exit code, and `check level` of what is not ok; a warning of this machine itself is nobody's fault. */
  async function examined(env: NodeJS.ProcessEnv = {}): Promise<{ code: number | null; wrong: string[] }> {
    const { code, stdout } = await run("agent", ["doctor", "--json", "--data", agent.data], { env });
    const findings = stdout
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => JSON.parse(line) as { check: string; level: string; says: string; todo?: string });
    for (const { level, todo } of findings) if (level !== "ok") expect(todo).toBeTruthy();
    const wrong = findings
      .filter(({ level }) => level === "fail")
      .map(({ check, says }) => `${check}: ${says}`);
    expect(findings.length).toBeGreaterThan(5);
    return { code, wrong };
  }

  test("all is well, beside a running agent too; the receiver has nothing to complain of", async () => {
    expect(await examined()).toEqual({ code: 0, wrong: [] });
    running.push(await agent.run());
    writeFileSync(join(inbox, "a.csv"), "1");
    await until("a.csv delivered", async () => (await site.history()).length === 1, { everyMs: 300 });
    expect(await examined()).toEqual({ code: 0, wrong: [] });
    expect((await site.history()).map(({ path }) => path)).toEqual(["a.csv"]);
    expect(receiver.stderr()).not.toMatch(/upload-unknown|"level":"(warn|error|fatal)"/);
  });

  test("what is wrong is named, with exit code 1", async () => {
    await site.command("client", "suspend", "demo");
    expect(await examined()).toEqual({ code: 1, wrong: [expect.stringMatching(/^authorised: .*demo/)] });
    await site.command("client", "resume", "demo");

    renameSync(inbox, `${inbox}-away`);
    expect(await examined()).toEqual({ code: 1, wrong: [expect.stringMatching(/^source pos: .*not there/)] });
    renameSync(`${inbox}-away`, inbox);

    chmodSync(join(agent.data, "key"), 0o644);
    expect(await examined()).toEqual({ code: 1, wrong: [expect.stringMatching(/^key: .*other accounts/)] });
    chmodSync(join(agent.data, "key"), 0o600);

    expect(await examined({ HTTPS_PROXY: "http://127.0.0.1:1", NO_PROXY: "" })).toEqual({
      code: 1,
      wrong: [expect.stringMatching(/^tcp: the proxy at 127\.0\.0\.1/)],
    });

    await receiver.stop();
    const { code, wrong } = await examined();
    expect(code).toBe(1);
    expect(wrong).toEqual([expect.stringContaining(`the receiver at 127.0.0.1, port ${site.port}`)]);
  });

  test("a revoked agent", async () => {
    const [line = ""] = (await site.command("agent", "list", "--json")).split("\n");
    await site.command("agent", "revoke", (JSON.parse(line) as { id: string }).id);
    const { code, wrong } = await examined();
    expect(code).toBe(1);
    expect(wrong).toEqual([expect.stringMatching(/^authorised: .*agent-revoked/)]);
  });

  // Root may read everything; there the unit tests of the doctor show it.
  if (process.getuid?.() !== 0) {
    test("a folder that may not be read", async () => {
      chmodSync(inbox, 0o000);
      expect(await examined()).toEqual({ code: 1, wrong: [expect.stringMatching(/^source pos: .*EACCES/)] });
      chmodSync(inbox, 0o700);
    });
  }

  test("nothing in the data folder is anybody else's to read, and other work goes first", async () => {
    const started = await agent.run();
    running.push(started);
    writeFileSync(join(inbox, "a.csv"), "1");
    await until("a.csv delivered", async () => (await site.history()).length === 1, { everyMs: 300 });
    for (const name of ["key", "identity.json", "queue.sqlite", "run.lock", "spool"])
      expect({ name, open: statSync(join(agent.data, name)).mode & 0o077 }).toEqual({ name, open: 0 });
    if (process.platform !== "linux") return;
    // Every thread gives way to others, at the processor and, where there is ionice, at the disk.
    for (const thread of readdirSync(`/proc/${started.pid}/task`)) {
      const stat = readFileSync(`/proc/${started.pid}/task/${thread}/stat`, "utf8");
      expect(stat.split(") ")[1]?.split(" ")[16]).toBe("10");
      const { stdout, error } = spawnSync("ionice", ["-p", thread], { encoding: "utf8" });
      if (error === undefined) expect(stdout.trim()).toBe("best-effort: prio 7");
    }
  });
});
