/** The packaged agent and places away from its host: with nothing but the program itself, it reaches one of every kind. */
import { copyFileSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, inject, onTestFailed, test } from "vitest";
import { stringify } from "yaml";
import { type Away, everyKindPrograms, startEveryKind } from "../servers/every-kind.ts";
import { createSandbox, type Sandbox } from "../servers/sandbox.ts";
import { describeWithPrograms } from "../servers/servers.ts";
import type { Running } from "../site/process.ts";
import { get, makeSite, type Site } from "../site/site.ts";

const { dist } = inject("packages");

describeWithPrograms("the packaged agent, alone in a folder", everyKindPrograms, () => {
  let site: Site;
  let receiver: Running;
  let away: readonly Away[] = [];
  let host: Sandbox;

  beforeAll(async () => {
    [host, site, away] = await Promise.all([
      createSandbox("alone"),
      makeSite(),
      startEveryKind("a.csv", "a,b\n1,2\n"),
    ]);
    receiver = await site.serve();
    await site.command("client", "add", "acme");
    copyFileSync(join(dist, "tributary-agent-linux-x64"), join(host.folder, "agent"));
  }, 60_000);

  afterAll(async () => {
    await host?.stop();
    await Promise.all([receiver?.stop(), ...away.map((one) => one.stop())]);
    site?.remove();
  });

  test("doctor finds all well with a source of every kind, and a file of each arrives", async () => {
    const data = join(host.folder, "data");
    const invitation = join(host.folder, "invitation");
    mkdirSync(data);
    writeFileSync(invitation, await site.command("agent", "invite", "--client", "acme"));
    const secrets = Object.assign({}, ...away.map((one) => one.env));
    // Nothing of this machine's: no PATH, no HOME, no NODE_PATH.
    const clean = Object.keys(process.env).map((name) => [name, undefined] as const);
    const env = { ...Object.fromEntries(clean), ...secrets };
    const agent = async (...words: readonly string[]): Promise<string> =>
      await host.run(join(host.folder, "agent"), [...words, "--data", data], { env });
    await host.run("/bin/sh", ["-c", `"$0" enroll - --data "$1" < "$2"`, "./agent", data, invitation], {
      env,
    });
    writeFileSync(
      join(data, "agent.yaml"),
      stringify({
        sources: away.map(({ kind, source }) => ({ client: "acme", name: kind, settle: "0s", ...source })),
      }),
    );
    const said = await agent("doctor", "--json").catch(String);
    onTestFailed(() => console.error(said.slice(-2_000)));
    const found = said
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as { readonly check: string; readonly level: string });
    for (const { kind } of away)
      expect(found.filter(({ check }) => check.includes(kind)).map(({ level }) => level)).not.toEqual([]);
    expect(found.filter(({ level }) => level === "fail")).toEqual([]);

    host.start("agent", join(host.folder, "agent"), ["run", "--data", data], { env });
    onTestFailed(async () => console.error(await host.lastWords("agent")));
    const history = async () => await site.history("--client", "acme");
    await expect
      .poll(async () => (await history()).map(({ source }) => source).sort(), { timeout: 40_000 })
      .toEqual(away.map(({ kind }) => kind as string).sort());
    for (const entry of await history()) {
      expect(entry).toMatchObject({ kind: "version", path: "a.csv" });
      expect(String(await get(site, (entry as { readonly versionId: string }).versionId))).toBe("a,b\n1,2\n");
    }
  }, 60_000);
});
