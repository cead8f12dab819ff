/** What a real server is not made to do on purpose: overload, lies, keys that end in the middle, archives. */
import { execFile } from "node:child_process";
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { afterEach, describe, expect, test } from "vitest";
import type { FileState } from "../../source/state.ts";
import { type Entry, type Remote, RemoteError } from "../remote.ts";
import { s3 } from "../s3.ts";
import type { S3Options } from "./bucket.ts";
import { connectS3 } from "./remote.ts";

interface Request {
  readonly method: string;
  /** Below the bucket. */
  readonly key: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingMessage["headers"];
}
type Answer = (request: Request, response: ServerResponse) => void;

const ends: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

async function serve(answer: Answer, more: Record<string, unknown> = {}, options: S3Options = {}) {
  let open = 0;
  const seen = { requests: [] as string[], most: 0, warnings: [] as string[] };
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? "/", "http://x");
    const key = decodeURIComponent(url.pathname.slice("/b/".length));
    seen.requests.push(`${request.method} ${key}${url.search}`);
    answer(
      { method: request.method ?? "", key, query: url.searchParams, headers: request.headers },
      response,
    );
  });
  server.on("connection", (socket) => {
    open += 1;
    seen.most = Math.max(seen.most, open);
    socket.once("close", () => {
      open -= 1;
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  let secret = (name: string): string => name;
  const settings = s3.settings.parse({
    ...{ name: "cloud", kind: "s3", bucket: "b", versions: false },
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    ...{ accessKeyId: "id", secretAccessKey: { env: "SECRET" }, sessionToken: { env: "TOKEN" } },
    ...more,
  });
  const remote = connectS3(
    settings,
    {
      secrets: { read: async (one) => secret(Object.values(one)[0] as string) },
      parallel: 3,
      warn: (text) => void seen.warnings.push(text),
    },
    options,
  );
  ends.push(async () => {
    await remote[Symbol.asyncDispose]();
    server.closeAllConnections();
    server.close();
  });
  return {
    remote,
    seen,
    secrets(read: (name: string) => string) {
      secret = read;
    },
  };
}

function fault(response: ServerResponse, status: number, code: string, more = "", headers = {}): void {
  response.writeHead(status, { "content-type": "application/xml", ...headers });
  response.end(`<?xml version="1.0"?><Error><Code>${code}</Code><Message>said so</Message>${more}</Error>`);
}

interface Thing {
  readonly key: string;
  readonly size?: number;
  readonly modified?: string;
  readonly etag?: string;
  readonly more?: string;
}
const contents = ({ key, size = 1, modified = "2024-05-01T10:00:00.000Z", etag = "e", more = "" }: Thing) =>
  `<Contents><Key>${encodeURIComponent(key)}</Key><LastModified>${modified}</LastModified><ETag>"${etag}"</ETag><Size>${size}</Size>${more}</Contents>`;
const page = (response: ServerResponse, things: readonly Thing[], next?: string): void => {
  const token = next === undefined ? "" : `<NextContinuationToken>${next}</NextContinuationToken>`;
  response.end(
    `<ListBucketResult><IsTruncated>${next !== undefined}</IsTruncated><EncodingType>url</EncodingType>${token}${things.map(contents).join("")}</ListBucketResult>`,
  );
};

async function listed(remote: Remote, folder = ""): Promise<Entry[]> {
  const found = await Array.fromAsync(remote.list(Buffer.from(folder), new AbortController().signal));
  return found.flat();
}
async function firstState(remote: Remote): Promise<FileState> {
  const [entry] = await listed(remote);
  if (entry?.kind !== "file") throw new Error("no file");
  return entry.state;
}
async function read(remote: Remote, path: string, state: FileState, from = 0): Promise<string> {
  await using file = await remote.open(Buffer.from(path), state);
  return Buffer.concat(await Array.fromAsync(file.bytes(from))).toString();
}
const failing = async (work: Promise<unknown>): Promise<RemoteError> => {
  const error = await work.then(
    () => undefined,
    (cause: unknown) => cause,
  );
  expect(error).toBeInstanceOf(RemoteError);
  return error as RemoteError;
};

describe("a bucket that refuses", () => {
  test.for<[string, number, string, object, string, number | undefined]>([
    ["an overload", 503, "SlowDown", { "retry-after": "1" }, "is overloaded (SlowDown)", 1],
    ["one that does not say how long", 429, "TooManyRequests", {}, "is overloaded", 30],
    ["too many", 400, "RequestLimitExceeded", {}, "is overloaded", 30],
    ["no right to list", 403, "AccessDenied", {}, "they need s3:ListBucket", undefined],
    ["no bucket", 404, "NoSuchBucket", {}, "was it renamed", undefined],
    [
      "another region",
      301,
      "PermanentRedirect",
      { "x-amz-bucket-region": "eu-central-1" },
      "region: eu-central-1",
      undefined,
    ],
    ["a wrong signature", 403, "SignatureDoesNotMatch", {}, "check `secretAccessKey`", undefined],
    ["its own fault", 500, "InternalError", {}, "answered 500 InternalError", undefined],
  ])("%s", { timeout: 30_000 }, async ([, status, code, headers, words, retryAfter]) => {
    const { remote } = await serve((_, response) => fault(response, status, code, "", headers));
    const error = await failing(remote.identity());
    expect([error.failure, error.message, error.retryAfter]).toEqual([
      "away",
      expect.stringContaining(words),
      retryAfter,
    ]);
  });

  test("a page of somebody else, or a listing that ends early, is no empty bucket", async () => {
    const cut = "<ListBucketResult><IsTruncated>false</IsTruncated><Contents><Key>a</Key>";
    for (const text of ["<html><body>log in</body></html>", "log in", "", "<a/>", cut])
      for (const versions of [false, true]) {
        const { remote } = await serve((_, response) => response.end(text), { versions });
        expect(await failing(remote.identity()), text).toMatchObject({ failure: "away" });
        expect(await failing(listed(remote)), text).toMatchObject({ failure: "away" });
      }
  });

  test("the region of a malformed authorization", async () => {
    const { remote } = await serve((_, response) =>
      fault(response, 400, "AuthorizationHeaderMalformed", "<Region>eu-west-3</Region>"),
    );
    expect((await failing(remote.identity())).message).toContain("set `region: eu-west-3`");
  });

  test("one object may be denied, and the others go on", async () => {
    const { remote } = await serve(({ key }, response) => {
      if (key === "") page(response, [{ key: "a" }, { key: "b" }]);
      else if (key === "a") fault(response, 403, "AccessDenied");
      else response.writeHead(200, { etag: '"e"', "content-length": "1" }).end("x");
    });
    const state = await firstState(remote);
    expect(await failing(read(remote, "a", state))).toMatchObject({ failure: "denied" });
    expect(await read(remote, "b", state)).toBe("x");
    // A HEAD is refused in silence: the listing works, so it is this object alone.
    expect(await failing(remote.look(Buffer.from("a")))).toMatchObject({ failure: "denied" });
  });

  test("a server that says nothing is away, and one that stops in the middle fails", async () => {
    const { remote } = await serve(
      ({ key }, response) => {
        if (key === "") page(response, [{ key: "a", size: 10 }]);
        else if (key === "a") response.writeHead(200, { etag: '"e"', "content-length": "10" }).write("12345");
      },
      {},
      { silenceMs: 300 },
    );
    const state = await firstState(remote);
    expect(await failing(read(remote, "a", state))).toMatchObject({ failure: "failed" });
    expect(await failing(remote.look(Buffer.from("silent")))).toMatchObject({ failure: "away" });
  }, 20_000);
});

describe("a bucket that lies", () => {
  const get = (answer: (response: ServerResponse, headers: IncomingMessage["headers"]) => void) =>
    serve(({ key, headers }, response) => {
      if (key === "") page(response, [{ key: "a", size: 10 }]);
      else answer(response, headers);
    });

  test.for<[string, (response: ServerResponse) => void, string]>([
    [
      "a larger object",
      (r) => r.writeHead(200, { "content-length": "12" }).end("123456789012"),
      "was listed with 10",
    ],
    ["a smaller object", (r) => r.writeHead(200, { "content-length": "3" }).end("123"), "was listed with 10"],
    ["an end that comes early", (r) => r.writeHead(200).end("123"), "ended at byte 3 of 10"],
    [
      "a cut",
      (r) => r.writeHead(200, { "content-length": "10" }).write("123", () => r.destroy()),
      "was cut off",
    ],
    [
      "another part",
      (r) => r.writeHead(206, { "content-length": "2", "content-range": "bytes 8-9/10" }).end("90"),
      "begins at byte 8",
    ],
  ])("%s is a failure", async ([, answer, words]) => {
    const { remote } = await get(answer);
    const error = await failing(read(remote, "a", await firstState(remote)));
    expect([error.failure, error.message]).toEqual(["failed", expect.stringContaining(words)]);
  });

  test("a server without ranges is read from where it matters", async () => {
    const { remote } = await get((r) => r.writeHead(200, { "content-length": "10" }).end("1234567890"));
    expect(await read(remote, "a", await firstState(remote), 4)).toBe("567890");
  });

  test("a position at the end is the end; one beyond is not", async () => {
    const { remote } = await get((r) => fault(r, 416, "InvalidRange"));
    const state = await firstState(remote);
    expect(await read(remote, "a", state, 10)).toBe("");
    expect(await failing(read(remote, "a", state, 5))).toMatchObject({ failure: "failed" });
  });

  test("what was changed since the listing is not read", async () => {
    const { remote } = await get((r, headers) =>
      fault(r, headers["if-match"] === '"e"' ? 412 : 500, "PreconditionFailed"),
    );
    expect(await failing(read(remote, "a", await firstState(remote)))).toMatchObject({ failure: "changed" });
  });

  test("pages out of order, without an end, or for ever the same, are no listing", async () => {
    const orders: [Thing[], string | undefined][][] = [
      [
        [[{ key: "b" }], "1"],
        [[{ key: "a" }], undefined],
      ],
      [
        [[{ key: "a" }], "1"],
        [[{ key: "a" }], undefined],
      ],
      [
        [[], "1"],
        [[], "1"],
      ],
      [[[{ key: "a" }], ""]],
    ];
    for (const pages of orders) {
      let at = 0;
      const { remote } = await serve((_, response) => {
        const [things, next] = pages[at] ?? [[], undefined];
        at += 1;
        page(response, things, next);
      });
      expect(await failing(listed(remote))).toMatchObject({ failure: "away" });
    }
  });
});

describe("keys that end in the middle", () => {
  test("are read anew, once, and the listing goes on", async () => {
    const valid = { token: "one" };
    const { remote, seen, secrets } = await serve(({ headers, query }, response) => {
      if (headers["x-amz-security-token"] !== valid.token) return fault(response, 400, "ExpiredToken");
      const from = Number(query.get("continuation-token") ?? "0");
      if (from === 2) valid.token = "two";
      page(response, [{ key: `k${from}` }], from < 5 ? String(from + 1) : undefined);
    });
    let current = "one";
    secrets((name) => (name === "TOKEN" ? current : "s"));
    await remote.identity();
    current = "two";
    expect((await listed(remote)).length).toBe(6);
    valid.token = "three";
    seen.requests.length = 0;
    const error = await failing(listed(remote));
    expect([error.failure, error.message]).toEqual(["away", expect.stringContaining("`sessionToken`")]);
    expect(error.message).not.toContain("two");
    expect(seen.requests.length).toBe(2);
  });
});

describe("archives", () => {
  test("what has to be fetched out of one is said, in a listing and in a reading", async () => {
    const restored =
      "<RestoreStatus><IsRestoreInProgress>false</IsRestoreInProgress><RestoreExpiryDate>2030-01-01T00:00:00Z</RestoreExpiryDate></RestoreStatus>";
    const { remote } = await serve(
      ({ key, headers }, response) => {
        if (key !== "")
          return fault(response, 403, "InvalidObjectState", "<StorageClass>GLACIER</StorageClass>");
        expect(headers["x-amz-optional-object-attributes"]).toBe("RestoreStatus");
        const more = (name: string) => `<StorageClass>${name}</StorageClass>`;
        page(response, [
          { key: "deep", more: more("DEEP_ARCHIVE") },
          { key: "instant", more: more("GLACIER_IR") },
          { key: "thawed", more: more("GLACIER") + restored },
        ]);
      },
      {},
      { amazon: true },
    );
    const entries = await listed(remote);
    expect(entries.map((entry) => entry.kind === "file" && entry.held)).toEqual([
      "it is archived (DEEP_ARCHIVE): restore it, and it is captured",
      undefined,
      undefined,
    ]);
    const [, instant] = entries;
    if (instant?.kind !== "file") throw new Error("no file");
    const error = await failing(read(remote, "instant", instant.state));
    expect([error.failure, error.message]).toEqual([
      "failed",
      "it is archived (GLACIER): restore it, and it is captured",
    ]);
  });
});

describe("listings", () => {
  test("of versions in an archive each says so for itself", async () => {
    const version = (id: string, storageClass: string) =>
      `<Version><Key>a</Key><VersionId>${id}</VersionId><LastModified>2024-05-01T10:00:00.000Z</LastModified><ETag>"${id}"</ETag><Size>2</Size><StorageClass>${storageClass}</StorageClass></Version>`;
    const { remote } = await serve(
      (_, response) =>
        void response.end(
          `<ListVersionsResult><EncodingType>url</EncodingType><IsTruncated>false</IsTruncated>${version("v3", "STANDARD")}${version("v2", "GLACIER")}${version("v1", "GLACIER_IR")}</ListVersionsResult>`,
        ),
      { versions: true },
      { amazon: true },
    );
    const [entry] = await listed(remote);
    if (entry?.kind !== "file") throw new Error("no file");
    expect(entry.held).toBeUndefined();
    const held = "it is archived (GLACIER): restore it, and it is captured";
    expect(entry.past?.map((one) => one.held)).toEqual([undefined, held, undefined]);
  });

  test("what is written late, with an old time, is found", async () => {
    const things: Thing[] = [{ key: "a" }, { key: "z" }];
    const { remote } = await serve((_, response) => page(response, things));
    expect((await listed(remote)).length).toBe(2);
    things.splice(1, 0, { key: "m", modified: "1999-01-01T00:00:00Z" });
    expect((await listed(remote)).map(({ name }) => String(name))).toEqual(["a", "m", "z"]);
  });

  test("100,000 keys are listed without holding them", async () => {
    const { remote, seen } = await serve(({ query }, response) => {
      if (query.get("max-keys") === "1") return page(response, []);
      const from = Number(query.get("continuation-token") ?? "0");
      const things = Array.from({ length: 1_000 }, (_, i) => ({
        key: `report-2024-${String(from + i).padStart(7, "0")}.csv`,
        etag: `${from + i}`,
      }));
      page(response, things, from + 1_000 < 100_000 ? String(from + 1_000) : undefined);
    });
    setFlagsFromString("--expose-gc");
    const gc = runInNewContext("gc") as () => void;
    const heap = (): number => {
      gc();
      return process.memoryUsage().heapUsed;
    };
    let count = 0;
    let early = 0;
    let most = 0;
    for await (const some of remote.list(Buffer.alloc(0), new AbortController().signal)) {
      count += some.length;
      // The tags of the last 20,000 are kept; from then on it must not grow.
      if (count === 30_000) early = heap();
      else if (count % 20_000 === 0) most = Math.max(most, heap());
    }
    expect(count).toBe(100_000);
    expect(most - early).toBeLessThan(5_000_000);
    expect(seen.requests.length).toBeLessThan(100 + 100 + 10);
  }, 60_000);

  test("versions and ends within one second keep the server's order, over pages as Amazon marks them", async () => {
    const at = "<LastModified>2024-05-01T10:00:00.000Z</LastModified>";
    const version = (key: string, id: string, etag: string) =>
      `<Version><Key>${encodeURIComponent(key)}</Key><VersionId>${id}</VersionId>${at}<ETag>"${etag}"</ETag><Size>2</Size></Version>`;
    const marker = (key: string, id: string) =>
      `<DeleteMarker><Key>${encodeURIComponent(key)}</Key><VersionId>${id}</VersionId>${at}</DeleteMarker>`;
    const key = "f/ä +%";
    const rows = [
      version(key, "v3", "3"),
      marker(key, "m2"),
      marker(key, "m1"),
      version(key, "v2", "2"),
      marker(key, "m0"),
      version(key, "v1", "1"),
    ];
    const { remote, seen } = await serve(
      ({ query }, response) => {
        const from =
          rows.findIndex((row) => row.includes(`<VersionId>${query.get("version-id-marker")}<`)) + 1;
        if (from > 0) expect(query.get("key-marker")).toBe(key);
        const some = rows.slice(from, from + 2);
        const last = /<VersionId>(.*?)</.exec(some.at(-1) ?? "")?.[1];
        response.end(
          `<ListVersionsResult><EncodingType>url</EncodingType><IsTruncated>${from + 2 < rows.length}</IsTruncated><NextKeyMarker>${encodeURIComponent(key).replaceAll("%20", "+")}</NextKeyMarker><NextVersionIdMarker>${last}</NextVersionIdMarker>${some.join("")}</ListVersionsResult>`,
        );
      },
      { versions: true },
    );
    const [entry] = await listed(remote, "f");
    if (entry?.kind !== "file") throw new Error("no file");
    expect(String(entry.name)).toBe("ä +%");
    expect(entry.past?.map(({ deleted }) => deleted)).toEqual([false, true, false, true, true, false]);
    expect(new Set(entry.past?.map(({ state }) => state.fileId)).size).toBe(6);
    expect(seen.requests.length).toBe(3);
    expect(await remote.look(Buffer.from(key))).toEqual(entry);
  });

  test("whether versions are kept is asked once; where that is denied the administrator hears it", async () => {
    const { remote, seen } = await serve(
      ({ query }, response) => {
        if (query.has("versioning")) fault(response, 403, "AccessDenied");
        else page(response, [{ key: "a" }]);
      },
      { versions: undefined },
    );
    await listed(remote);
    await listed(remote);
    expect(seen.requests.filter((one) => one.includes("versioning")).length).toBe(1);
    expect(seen.warnings).toEqual([expect.stringContaining("s3:GetBucketVersioning")]);
  });
});

test("no more connections than files at once, and two", async () => {
  const { remote, seen } = await serve(({ key }, response) => {
    if (key === "") page(response, [{ key: "a", size: 5 }]);
    else setTimeout(() => response.writeHead(200, { "content-length": "5" }).end("12345"), 20);
  });
  const state = await firstState(remote);
  await Promise.all(Array.from({ length: 20 }, () => read(remote, "a", state)));
  expect(seen.most).toBe(5);
});

test("readings that are refused for their size hold no connection", async () => {
  const { remote } = await serve(({ key }, response) => {
    if (key === "") page(response, [{ key: "a", size: 5 }]);
    else response.writeHead(200, { "content-length": "50000000" }).write(Buffer.alloc(1_000_000));
  });
  const state = await firstState(remote);
  for (let round = 0; round < 20; round += 1) await failing(read(remote, "a", state));
  expect(await remote.identity()).toContain("/b/");
});

test("readings that are given up hold no connection", async () => {
  const { remote } = await serve(({ key }, response) => {
    if (key === "") page(response, [{ key: "a", size: 50_000_000 }]);
    else response.writeHead(200, { "content-length": "50000000" }).write(Buffer.alloc(1_000_000));
  });
  const state = await firstState(remote);
  for (let round = 0; round < 20; round += 1) {
    await using file = await remote.open(Buffer.from("a"), state);
    for await (const _ of file.bytes(0)) break;
  }
  expect(await remote.identity()).toContain("/b/");
});

describe("after a receipt", () => {
  /** One object `a`; `onCopy` happens right after the server copied it. */
  const yard = (onCopy: (etags: Map<string, string>) => void, conditional: boolean) => {
    const etags = new Map([["a", "e"]]);
    const answer: Answer = ({ method, key, headers }, response) => {
      const etag = etags.get(key);
      if (key === "")
        return page(
          response,
          [...etags].map(([name, tag]) => ({ key: name, etag: tag })),
        );
      if (method === "PUT") {
        if (conditional && headers["if-none-match"] === "*" && etag !== undefined)
          return fault(response, 412, "PreconditionFailed");
        etags.set(key, "e");
        onCopy(etags);
        return response.end('<CopyObjectResult><ETag>"e"</ETag></CopyObjectResult>');
      }
      if (etag === undefined) return fault(response, 404, "NoSuchKey");
      if (method === "DELETE") {
        if (conditional && headers["if-match"] !== `"${etag}"`)
          return fault(response, 412, "PreconditionFailed");
        if (!conditional && headers["if-match"] !== undefined) return fault(response, 501, "NotImplemented");
        etags.delete(key);
        return response.writeHead(204).end();
      }
      response.writeHead(200, {
        etag: `"${etag}"`,
        "content-length": "1",
        "last-modified": "Wed, 01 May 2024 10:00:00 GMT",
      });
      response.end(method === "HEAD" ? undefined : "x");
    };
    return { etags, answer };
  };
  const names = (etags: Map<string, string>) => [...etags].map((one) => one.join("=")).sort();

  test.for([true, false])("a server that compares: %s", async (conditional) => {
    const { etags, answer } = yard(() => {}, conditional);
    const { remote } = await serve(answer);
    const state = await firstState(remote);
    expect(await remote.exactly?.move(Buffer.from("a"), state, Buffer.from("/to/a"), "u")).toBe(true);
    expect(names(etags)).toEqual(["to/a=e"]);
    expect(await remote.exactly?.remove(Buffer.from("to/a"), state)).toBe(true);
    expect(names(etags)).toEqual([]);
  });

  test("an original that changes while it is copied stays, and the copy goes", async () => {
    const { etags, answer } = yard((all) => all.set("a", "newer"), false);
    const { remote } = await serve(answer);
    const state = await firstState(remote);
    expect(await remote.exactly?.move(Buffer.from("a"), state, Buffer.from("to/a"), "u")).toBe(false);
    expect(names(etags)).toEqual(["a=newer"]);
  });

  test("a name that is taken at the last moment is not written over", async () => {
    const { etags, answer } = yard(() => {}, true);
    let looks = 0;
    const { remote } = await serve((request, response) => {
      // Nobody is there when it is looked, and somebody when it is written.
      if (request.method === "HEAD" && request.key === "to/a") looks += 1;
      if (looks === 1 && request.key === "to/a" && request.method === "HEAD") {
        etags.set("to/a", "other");
        return fault(response, 404, "NoSuchKey");
      }
      answer(request, response);
    });
    const state = await firstState(remote);
    expect(await remote.exactly?.move(Buffer.from("a"), state, Buffer.from("to/a"), "u")).toBe(true);
    expect(names(etags)).toEqual(["to/a=other", "to/a~u=e"]);
  });

  test("a move that was cut short after its copy is ended, and makes no second one", async () => {
    const { etags, answer } = yard(() => {}, false);
    etags.set("to/a", "e");
    const { remote } = await serve(answer);
    const state = await firstState(remote);
    expect(await remote.exactly?.move(Buffer.from("a"), state, Buffer.from("to/a"), "u")).toBe(true);
    expect(names(etags)).toEqual(["to/a=e"]);
    // To where it is already, it is no copy of itself.
    expect(await remote.exactly?.move(Buffer.from("to/a"), state, Buffer.from("/to/a"), "u")).toBe(true);
    expect(names(etags)).toEqual(["to/a~u=e"]);
  });

  test("a long name whose second one would end within a character", async () => {
    const { etags, answer } = yard(() => {}, true);
    const long = `to/${"é".repeat(127)}`;
    etags.set(long, "other");
    const { remote } = await serve(answer);
    const state = await firstState(remote);
    expect(await remote.exactly?.move(Buffer.from("a"), state, Buffer.from(long), "u")).toBe(true);
    expect(names(etags)).toEqual([`${long}=other`, `${long}~u=e`]);
  });

  test("where the original may not be removed, no copy is left", async () => {
    const { etags, answer } = yard(() => {}, true);
    const { remote } = await serve((request, response) => {
      if (request.method === "DELETE" && request.key === "a") return fault(response, 403, "AccessDenied");
      answer(request, response);
    });
    const state = await firstState(remote);
    const error = await failing(
      Promise.resolve(remote.exactly?.move(Buffer.from("a"), state, Buffer.from("to/a"), "u")),
    );
    expect([error.failure, error.message]).toEqual(["denied", expect.stringContaining("s3:DeleteObject")]);
    expect(names(etags)).toEqual(["a=e"]);
  });
});

describe("settings", () => {
  const parse = (more: object) => s3.settings.safeParse({ name: "cloud", kind: "s3", bucket: "b", ...more });

  test("keys come in pairs, and no secret stands in the file", () => {
    expect(parse({}).success).toBe(true);
    expect(parse({ accessKeyId: "id", secretAccessKey: { env: "S" } }).success).toBe(true);
    expect(parse({ accessKeyId: { file: "id" }, secretAccessKey: { env: "S" } }).success).toBe(true);
    for (const wrong of [
      { accessKeyId: "id" },
      { secretAccessKey: { env: "S" } },
      { accessKeyId: "id", secretAccessKey: "plain" },
      { sessionToken: { env: "T" } },
      { endpoint: "s3.example.com" },
      { endpoint: "https://id:secret@s3.example.com" },
      { bucket: "b/in" },
      { colour: "red" },
    ])
      expect(parse(wrong).success, JSON.stringify(wrong)).toBe(false);
  });

  test("where it is, whom to reach, and where a move leads", () => {
    const of = (more: object) => {
      const one = s3.settings.parse({ name: "cloud", kind: "s3", bucket: "b", ...more });
      return [s3.where(one), s3.root(one), s3.address(one)];
    };
    expect(of({})).toEqual(["s3://b/", "", { host: "s3.us-east-1.amazonaws.com", port: 443 }]);
    expect(of({ prefix: "in", endpoint: "https://[::1]:9000" })).toEqual([
      "s3://b/in/",
      "in/",
      { host: "::1", port: 9000 },
    ]);
    expect(of({ prefix: "/in/", endpoint: "http://s3.example.com" })).toEqual([
      "s3://b//in/",
      "//in/",
      { host: "s3.example.com", port: 80 },
    ]);
    expect(of({ region: "cn-north-1" })[2]).toEqual({ host: "s3.cn-north-1.amazonaws.com.cn", port: 443 });
  });

  test("a line without encryption is said, but not on this host", async () => {
    const warnings: string[] = [];
    const tools = {
      secrets: { read: async () => "" },
      parallel: 1,
      warn: (text: string) => void warnings.push(text),
    };
    for (const endpoint of ["http://127.0.0.1:1", "https://s3.example.com", "http://s3.example.com"])
      await s3.connect(s3.settings.parse({ name: "cloud", kind: "s3", bucket: "b", endpoint }), tools);
    expect(warnings).toEqual([expect.stringContaining("http://s3.example.com")]);
  });
});

test("the library is loaded by connecting, and not before", async () => {
  const script = `
    import { Module } from "node:module";
    const loaded = () => Object.keys(Module._cache).filter((file) => /aws-sdk|smithy/.test(file)).length > 0;
    const { s3 } = await import(${JSON.stringify(new URL("../s3.ts", import.meta.url).href)});
    const before = loaded();
    const settings = s3.settings.parse({ name: "cloud", kind: "s3", bucket: "b" });
    await s3.connect(settings, { parallel: 1, warn() {}, secrets: {} });
    console.log(before, loaded());
  `;
  const said = await new Promise<string>((resolve, reject) => {
    execFile(process.execPath, ["--input-type=module", "-e", script], (error, out) =>
      error ? reject(error) : resolve(out),
    );
  });
  expect(said.trim()).toBe("false true");
});
