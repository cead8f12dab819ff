/** What a running agent has loaded: of the libraries that reach places away from its host, those of the sources that it has. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { freePort, type Running } from "../site/process.ts";
import { type Agent, makeSite, type Site } from "../site/site.ts";

/** Node asks it for every module, by `import` and by `require` alike. */
const WATCH = `
import { appendFileSync } from "node:fs";
import { registerHooks } from "node:module";
const known = new Set();
registerHooks({
  load(url, context, next) {
    const name = /.*\\/node_modules\\/((?:@[^/]+\\/)?[^/]+)\\//.exec(url)?.[1];
    if (name !== undefined && !known.has(name)) appendFileSync(process.env.LOADED, name + "\\n");
    known.add(name);
    return next(url, context);
  },
});
`;
const SECRETS = { LIBRARIES_SECRET: "c2VjcmV0", LIBRARIES_SAS: "sv=2021-12-02&sp=rl&sig=c2VjcmV0" };
const secret = { env: "LIBRARIES_SECRET" };

describe("the libraries of kinds of sources", () => {
  let site: Site;
  let receiver: Running;
  let agent: Agent;
  let running: Running;
  let port: number;
  let log: string;

  beforeAll(async () => {
    site = await makeSite();
    receiver = await site.serve();
    await site.command("client", "add", "acme");
    // Nobody listens there: a library is loaded before anything is asked.
    port = await freePort();
    log = join(site.dir, "loaded");
    const watch = join(site.dir, "watch.mjs");
    writeFileSync(watch, WATCH);
    mkdirSync(join(site.dir, "exports"));
    writeFileSync(join(site.dir, "exports", "a.csv"), "a,b\n");
    agent = await site.agent("lean", { clients: ["acme"], settings: settings() });
    running = await agent.run({
      env: { ...SECRETS, LOADED: log, NODE_OPTIONS: `--import=${pathToFileURL(watch)}` },
    });
  });
  afterAll(async () => {
    await running?.stop();
    await receiver?.stop();
    site?.remove();
  });

  const settings = (...more: readonly object[]) => ({
    sources: [
      { client: "acme", name: "exports", kind: "folder", path: join(site.dir, "exports"), settle: "1s" },
      ...more.map((one, i) => ({ client: "acme", name: `away-${i}`, ...one })),
    ],
  });
  const loaded = (): readonly string[] =>
    existsSync(log) ? [...new Set(readFileSync(log, "utf8").trim().split("\n"))] : [];
  const libraries = (): readonly string[] =>
    loaded().filter((name) => /^(ssh2|basic-ftp|@aws-sdk\/.*|@smithy\/.*|@azure\/.*)$/.test(name));
  const ofThese = (names: readonly string[]): readonly string[] =>
    libraries().filter((name) => names.includes(name));

  test("with folders only it has none of them, also when it has captured a file", async () => {
    await expect
      .poll(async () => await site.history("--client", "acme"), { timeout: 30_000 })
      .toMatchObject([{ path: "a.csv" }]);
    expect(loaded()).toContain("undici");
    expect(libraries()).toEqual([]);
  });

  test("with one more kind it has that one's, too", async () => {
    const kinds: readonly (readonly [library: string, source: object])[] = [
      ["ssh2", { kind: "sftp", host: "127.0.0.1", port, user: "u", password: secret }],
      ["basic-ftp", { kind: "ftp", host: "127.0.0.1", port, user: "u", password: secret, tls: "none" }],
      [
        "@azure/storage-blob",
        {
          ...{ kind: "azure-blob", account: "acme", container: "exports" },
          ...{ endpoint: `http://127.0.0.1:${port}/acme`, sas: { env: "LIBRARIES_SAS" } },
        },
      ],
      [
        "@aws-sdk/client-s3",
        {
          ...{ kind: "s3", bucket: "exports", region: "eu-central-1", endpoint: `http://127.0.0.1:${port}` },
          ...{ accessKeyId: "id", secretAccessKey: secret },
        },
      ],
    ];
    const all = kinds.map(([library]) => library);
    for (const [i, [library]] of kinds.entries()) {
      agent.configure(settings(...kinds.slice(0, i + 1).map(([, source]) => source)));
      await expect.poll(libraries, { timeout: 20_000 }).toContain(library);
      expect(ofThese(all)).toEqual(all.slice(0, i + 1));
    }
  });
});
