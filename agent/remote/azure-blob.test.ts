import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { getCACertificates, setDefaultCACertificates } from "node:tls";
import { pathForUrl } from "@tributary/shared/path.ts";
import { startProxy } from "@tributary/test/network/proxy.ts";
import { accountSas, azure } from "@tributary/test/servers/azure-requests.ts";
import { type Azurite, startAzurite } from "@tributary/test/servers/azurite.ts";
import { makeAzureToken, startImds } from "@tributary/test/servers/imds.ts";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { openAccess, PATIENCE } from "./azure-blob/access.ts";
import { type IdentityCredential, managedIdentity } from "./azure-blob/managed-identity.ts";
import { remoteOf } from "./azure-blob/remote.ts";
import { azureBlob } from "./azure-blob.ts";
import { remoteContract, type Yard } from "./remote.contract.ts";
import { type Entry, type Remote, RemoteError } from "./remote.ts";
import { remoteSource } from "./remote-source.ts";

const hour = (): Date => new Date(Date.now() + 3_600_000);

async function put(azurite: Azurite, path: string, body: Buffer, headers = {}): Promise<void> {
  const { status, body: said } = await azure(azurite, {
    path,
    method: "PUT",
    headers: { "x-ms-blob-type": "BlockBlob", ...headers },
    body,
  });
  if (status !== 201) throw new Error(`${path}: ${status} ${said}`);
}

async function box(azurite: Azurite, name = "box"): Promise<void> {
  const made = await azure(azurite, { path: `/${name}`, method: "PUT", query: { restype: "container" } });
  expect(made.status).toBe(201);
}

function connect(azurite: Azurite, port: number, settings: object, secret: () => string): Promise<Remote> {
  return azureBlob.connect(
    azureBlob.settings.parse({
      name: "clouds",
      kind: "azure-blob",
      account: azurite.account,
      container: "box",
      endpoint: `http://127.0.0.1:${port}/${azurite.account}`,
      ...settings,
    }),
    { secrets: { read: async () => secret() }, parallel: 4, warn: () => {} },
  );
}

async function yardOf(settings: object, secret: (azurite: Azurite) => string, prefix: string): Promise<Yard> {
  const azurite = await startAzurite();
  await box(azurite);
  const target = { host: "127.0.0.1", port: azurite.port };
  const proxy = await startProxy({ target });
  const at = (path: Buffer): string => `/box/${pathForUrl(Buffer.concat([Buffer.from(prefix), path]))}`;
  return {
    connect: () => connect(azurite, proxy.port, { ...settings, prefix }, () => secret(azurite)),
    root: prefix.replace(/\/$/, ""),
    write: (path, bytes) => put(azurite, at(path), bytes),
    async remove(path) {
      expect((await azure(azurite, { path: at(path), method: "DELETE" })).status).toBe(202);
    },
    async paths() {
      const query = { restype: "container", comp: "list" };
      const { body } = await azure(azurite, { path: "/box", query });
      const names = [...body.matchAll(/<Name>([^<]*)<\/Name>/g)].map(([, name]) => name as string);
      return names.filter((name) => name.startsWith(prefix)).map((name) => name.slice(prefix.length));
    },
    async away() {
      proxy.set({ refuse: true });
      proxy.dropAll();
      return async () => proxy.set({});
    },
    async cut() {
      proxy.dropAll();
    },
    folders: false,
    anyBytes: false,
    backslashes: false,
    async close() {
      await proxy.stop();
      await azurite.stop();
    },
  };
}

remoteContract("a container of Azure, with the account's key", () =>
  yardOf({ accountKey: { secret: "key" } }, ({ key }) => key, ""),
);
remoteContract("a container of Azure, with a SAS, below a prefix", () =>
  yardOf({ sas: { env: "SAS" } }, (azurite) => `?${accountSas(azurite, "rlwdc", hour())}`, "to/us/"),
);

const signal = new AbortController().signal;
async function listed(remote: Remote, folder = ""): Promise<Entry[]> {
  return (await Array.fromAsync(remote.list(Buffer.from(folder), signal))).flat();
}
const names = (entries: readonly Entry[]): string[] => entries.map(({ name }) => String(name)).sort();
async function stateOf(remote: Remote, path: string) {
  const entry = await remote.look(Buffer.from(path));
  if (entry?.kind !== "file") throw new Error(`${path} is ${entry?.kind}`);
  return entry.state;
}
async function read(remote: Remote, path: string): Promise<string> {
  await using file = await remote.open(Buffer.from(path), await stateOf(remote, path));
  return String(Buffer.concat(await Array.fromAsync(file.bytes(0))));
}
const failing = async (work: Promise<unknown>): Promise<RemoteError> => {
  const error = await work.then(
    () => undefined,
    (cause: unknown) => cause,
  );
  if (!(error instanceof RemoteError)) throw new Error(`no RemoteError but ${error}`);
  return error;
};

describe("a container of Azure", () => {
  let azurite: Azurite;
  let remote: Remote;
  beforeAll(async () => {
    azurite = await startAzurite();
    await box(azurite);
    remote = await connect(azurite, azurite.port, { accountKey: { secret: "key" } }, () => azurite.key);
  }, 60_000);
  afterAll(async () => {
    await azurite.stop();
  });
  const write = (path: string, text: string, headers = {}): Promise<void> =>
    put(azurite, `/box/${pathForUrl(Buffer.from(path))}`, Buffer.from(text), headers);
  const sasRemote = (sas: string, more: object = {}): Promise<Remote> =>
    connect(azurite, azurite.port, { sas: { env: "SAS" }, ...more }, () => sas);

  test("names that XML says in other ways are the names they are", async () => {
    const odd = [
      "a\rb",
      "a\r\nb",
      "a\nb",
      "a&#xD;b",
      "&amp;",
      "<x>",
      " lead",
      "trail ",
      "007",
      "true",
      "dot.",
      "__proto__",
      "a?b#c",
      "😀",
    ];
    for (const name of odd) await write(`xml/${name}/${name}`, name);
    expect(names(await listed(remote, "xml"))).toEqual(odd.toSorted());
    for (const name of odd) {
      expect(names(await listed(remote, `xml/${name}`))).toEqual([name]);
      expect(await read(remote, `xml/${name}/${name}`)).toBe(name);
    }
  });

  test("names that are no paths are refused, whole and once; the others are there", async () => {
    for (const name of ["no/a//b", "no/a//c", "no/a/ok", "no/C:/x", "no/C:/y", "no/full/"])
      await write(name, "x");
    await write("no/empty/", "");
    const found = await listed(remote, "no");
    const refused = found.filter((entry) => entry.kind === "refused");
    expect(refused.map(({ reason }) => reason)).toEqual([
      '"no/C:/" cannot be the path of a file: it has the drive letter "C:" as a segment',
    ]);
    expect(names(found.filter(({ kind }) => kind === "folder"))).toEqual(["a", "empty", "full"]);
    const inA = await listed(remote, "no/a");
    expect(inA.map(({ kind, name }) => `${kind} ${name}`).toSorted()).toEqual(["file ok", "refused /"]);
    expect(await listed(remote, "no/full")).toMatchObject([
      { kind: "refused", reason: '"no/full/" cannot be the path of a file: it has an empty segment' },
    ]);
    expect(await listed(remote, "no/empty")).toEqual([]);
  });

  test("a blob and a folder of one name are both there, for the source too", async () => {
    for (const name of ["twin/a", "twin/a/b", "twin/a-c"]) await write(name, name);
    const folder = await mkdtemp(join(tmpdir(), "twin-"));
    onTestFinished(() => rm(folder, { recursive: true }));
    const source = remoteSource({
      name: "clouds",
      remote,
      root: "",
      include: [],
      exclude: [],
      ignored: [],
      folder,
    });
    const found: string[] = [];
    const { complete, folders } = await source.list(Buffer.from("twin"), (some) => {
      found.push(...some.map(({ path }) => String(path)));
    });
    expect(complete).toBe(true);
    expect(found).toEqual(["twin/a", "twin/a-c"]);
    expect(folders.map(String)).toEqual(["twin/a"]);
  });

  test("bytes come as they are stored, whatever encoding is said of them", async () => {
    await write("gz", "this is not gzip", { "x-ms-blob-content-encoding": "gzip" });
    expect(await read(remote, "gz")).toBe("this is not gzip");
  });

  test("one that is replaced while it is read is not read on, nor one that grows", async () => {
    await write("new/x", "x".repeat(1000));
    const state = await stateOf(remote, "new/x");
    await using file = await remote.open(Buffer.from("new/x"), state);
    await write("new/x", "y".repeat(1000));
    const error = await failing(Array.fromAsync(file.bytes(500)));
    expect(error).toMatchObject({ failure: "changed" });
    expect((await file.again())?.fileId).not.toBe(state.fileId);

    await write("new/log", "", { "x-ms-blob-type": "AppendBlob" });
    const append = async (): Promise<void> => {
      const query = { comp: "appendblock" };
      const done = await azure(azurite, { path: "/box/new/log", method: "PUT", query, body: "line\n" });
      expect(done.status).toBe(201);
    };
    await append();
    expect(await read(remote, "new/log")).toBe("line\n");
    const before = await stateOf(remote, "new/log");
    await append();
    await using log = await remote.open(Buffer.from("new/log"), before);
    expect(await failing(Array.fromAsync(log.bytes(0)))).toMatchObject({ failure: "changed" });
  });

  test("a page blob is read whole, and one that is gone is absent", async () => {
    await write("page", "", { "x-ms-blob-type": "PageBlob", "x-ms-blob-content-length": "1024" });
    expect(await read(remote, "page")).toBe("\0".repeat(1024));
    await write("gone", "x");
    const state = await stateOf(remote, "gone");
    await using file = await remote.open(Buffer.from("gone"), state);
    await azure(azurite, { path: "/box/gone", method: "DELETE" });
    expect(await failing(Array.fromAsync(file.bytes(0)))).toMatchObject({ failure: "absent" });
    expect(await file.again()).toBeUndefined();
  });

  test("a state that another connection saw is acted on, if it still is so", async () => {
    await write("acts/x", "1");
    const state = await stateOf(remote, "acts/x");
    const other = await connect(azurite, azurite.port, { accountKey: { env: "K" } }, () => azurite.key);
    expect(await other.exactly?.remove(Buffer.from("acts/x"), { ...state, fileId: 1n })).toBe(false);
    const to = Buffer.from("/acts/to/x");
    expect(await other.exactly?.move(Buffer.from("acts/x"), state, to, "u")).toBe(true);
    expect(await read(remote, "acts/to/x")).toBe("1");
    expect(await remote.look(Buffer.from("acts/x"))).toBeUndefined();
  });

  test("a blob with snapshots, or under a lease, is not removed, and no copy stays behind", async () => {
    for (const [name, query, headers] of [
      ["held/snap", { comp: "snapshot" }, {}],
      ["held/lease", { comp: "lease" }, { "x-ms-lease-action": "acquire", "x-ms-lease-duration": "-1" }],
    ] as const) {
      await write(name, "1");
      const done = await azure(azurite, { path: `/box/${name}`, method: "PUT", query, headers });
      expect(done.status).toBe(201);
      const state = await stateOf(remote, name);
      const error = await failing(remote.exactly?.remove(Buffer.from(name), state) as Promise<boolean>);
      expect(error.failure).toBe("failed");
      expect(error.message).toContain(name.endsWith("snap") ? "snapshots" : "lease");
      const to = Buffer.from(`to/${name}`);
      await failing(remote.exactly?.move(Buffer.from(name), state, to, "u") as Promise<boolean>);
      expect(await remote.look(to)).toBeUndefined();
      expect(await read(remote, name)).toBe("1");
    }
  });

  test.for([
    ["r", (one: Remote) => one.identity(), "away", "may not list: its sp=r has no l; make one with sp=rl"],
    ["r", (one: Remote) => listed(one), "away", "has no l"],
    ["l", (one: Remote) => read(one, "rights"), "denied", "may not read: its sp=l has no r"],
    [
      "rl",
      async (one: Remote) => one.exactly?.remove(Buffer.from("rights"), await stateOf(one, "rights")),
      "denied",
      "may not delete: its sp=rl has no d; make one with sp=rwdl",
    ],
    [
      "rl",
      async (one: Remote) =>
        one.exactly?.move(Buffer.from("rights"), await stateOf(one, "rights"), Buffer.from("there"), "u"),
      "denied",
      "has no w",
    ],
  ] as const)("a SAS with sp=%s says which letter it lacks", async ([letters, work, failure, says]) => {
    await write("rights", "1");
    const sas = accountSas(azurite, letters, hour());
    const error = await failing(work(await sasRemote(sas)));
    expect(error).toMatchObject({ failure });
    expect(error.message).toContain(says);
    expect(JSON.stringify([error.message, String(error.cause)])).not.toContain("sig");
  });

  test("what is wrong with a credential, a container, an account is said, and nothing that is secret", async () => {
    const expired = accountSas(azurite, "rl", new Date(Date.now() - 60_000));
    const wrong = Buffer.alloc(64, 7).toString("base64");
    const key = { accountKey: { secret: "key" } };
    for (const [settings, secret, says] of [
      [{ sas: { env: "S" } }, expired, /the SAS expired at 20..-..-..T..:..:..\.000Z: make a new one/],
      [{ sas: { env: "S" } }, `${accountSas(azurite, "rl", hour())}x`, /the SAS is not accepted/],
      [key, wrong, /the account key is not accepted/],
      [
        { ...key, container: "renamed" },
        azurite.key,
        /the container renamed is not there: renamed, or deleted\?/,
      ],
      [
        { ...key, endpoint: "http://nosuch.invalid" },
        wrong,
        /nosuch\.invalid (has no address|cannot be resolved)/,
      ],
    ] as const) {
      const error = await failing((await connect(azurite, azurite.port, settings, () => secret)).identity());
      expect(error.failure).toBe("away");
      expect(error.message).toMatch(says);
      expect(error.message).not.toContain("sig=");
      expect(error.message).not.toContain(secret);
      expect(error.cause).toBeUndefined();
    }
  });

  test("a credential that was renewed is read anew when the old one is refused", async () => {
    await write("renewed/x", "1");
    let reads = 0;
    let key = Buffer.alloc(64, 7).toString("base64");
    const one = await connect(azurite, azurite.port, { accountKey: { secret: "key" } }, () => {
      reads += 1;
      return key;
    });
    await failing(one.identity());
    expect(reads).toBe(2);
    key = azurite.key;
    expect(names(await listed(one, "renewed"))).toEqual(["x"]);
    expect(reads).toBe(3);
  });

  test("a blob that is moved keeps its metadata and says no more of a SAS than the service itself", async () => {
    await write("meta", "1", { "x-ms-meta-owner": "us" });
    expect(
      await remote.exactly?.move(
        Buffer.from("meta"),
        await stateOf(remote, "meta"),
        Buffer.from("meta2"),
        "u",
      ),
    ).toBe(true);
    const { headers } = await azure(azurite, { path: "/box/meta2", method: "HEAD" });
    expect(headers["x-ms-meta-owner"]).toBe("us");
    expect(headers["x-ms-copy-source"]).not.toContain("?");
    const said: string[] = [];
    await azureBlob.connect(azureBlob.settings.parse({ ...minimal, sas: { env: "S" }, after: "move:done" }), {
      secrets: { read: async () => "" },
      parallel: 1,
      warn: (text) => said.push(text),
    });
    expect(said).toEqual([expect.stringContaining("moved with a SAS")]);
  });
});

test("a managed identity reads over TLS, with a token that is asked for anew when it is refused", async () => {
  const azurite = await startAzurite({ tls: true });
  onTestFinished(azurite.stop);
  await box(azurite);
  await put(azurite, "/box/x", Buffer.from("bytes"));
  const trusted = getCACertificates("default");
  setDefaultCACertificates([...trusted, azurite.authority as string]);
  onTestFinished(() => setDefaultCACertificates(trusted));
  const imds = await startImds();
  onTestFinished(imds.stop);
  const settings = azureBlob.settings.parse({
    ...minimal,
    account: azurite.account,
    endpoint: azurite.endpoint,
    managedIdentity: true,
  });
  const real = managedIdentity({ env: {}, imds: imds.endpoint, pause: 1 });
  // The first one was revoked, or the host's clock is behind.
  let stale = true;
  const identity: IdentityCredential = {
    async getToken(scopes) {
      if (!stale) return await real.getToken(scopes);
      const token = makeAzureToken("https://storage.azure.com/", Math.floor(Date.now() / 1000) - 60);
      return { token, expiresOnTimestamp: Date.now() + 3_600_000 };
    },
    forget() {
      stale = false;
    },
  };
  const secrets = { read: () => Promise.reject(new Error("no secret is needed")) };
  const access = openAccess(
    await import("./azure-blob/library.ts"),
    settings,
    { secrets },
    PATIENCE,
    identity,
  );
  const remote = remoteOf(access, "");
  expect(await read(remote, "x")).toBe("bytes");
  await listed(remote);
  expect(stale).toBe(false);
  expect(imds.given).toBe(1);
});

const minimal = { name: "clouds", kind: "azure-blob", account: "abc", container: "box" };

test.for([
  [{}, "exactly one of accountKey, sas and managedIdentity"],
  [{ accountKey: { env: "K" }, managedIdentity: true }, "exactly one"],
  [{ accountKey: "c2VjcmV0" }, "a secret never stands in this file itself"],
  [{ sas: { env: "S" }, container: "Box" }, "the name of a container"],
  [{ sas: { env: "S" }, account: "a-b" }, "the name of a storage account"],
  [{ sas: { env: "S" }, endpoint: "https://abc.blob.core.windows.net?sig=1" }, "no query"],
  [{ sas: { env: "S" }, prefix: "/in" }, "no slash in front"],
  [{ managedIdentity: true, endpoint: "http://127.0.0.1:1" }, "https alone"],
  [{ managedIdentity: false }, "expected true"],
  [{ sas: { env: "S" }, unknown: 1 }, "unknown"],
] as const)("settings %j are refused: %s", ([settings, says]) => {
  const { success, error } = azureBlob.settings.safeParse({ ...minimal, ...settings });
  expect(success).toBe(false);
  expect(String(error)).toContain(says);
  expect(String(error)).not.toContain("c2VjcmV0");
});

test("where it is, without secrets; what a relative target lies in", () => {
  const parse = (more: object) => azureBlob.settings.parse({ ...minimal, sas: { env: "S" }, ...more });
  expect(azureBlob.where(parse({ prefix: "in/today" }))).toBe(
    "azure-blob://abc.blob.core.windows.net/box/in/today/",
  );
  expect(azureBlob.root(parse({ prefix: "in/today" }))).toBe("in/today");
  expect(azureBlob.root(parse({}))).toBe("");
  expect(azureBlob.address(parse({}))).toEqual({ host: "abc.blob.core.windows.net", port: 443 });
  expect(azureBlob.address(parse({ endpoint: "http://localhost:10000/abc/" }))).toEqual({
    host: "localhost",
    port: 10_000,
  });
});
