/** What an emulator never does: a service that is busy, lies, breaks off, or says what only the real one does. */
import { once } from "node:events";
import { createServer, type IncomingMessage, type OutgoingHttpHeaders, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect, onTestFinished, test } from "vitest";
import type { FileState } from "../../source/state.ts";
import { type Remote, RemoteError } from "../remote.ts";
import { tagId } from "../tag.ts";
import { openAccess, type Patience } from "./access.ts";
import { exactlyFor } from "./acting.ts";
import { Etags } from "./etags.ts";
import * as sdk from "./library.ts";
import { openBlob } from "./reading.ts";
import { remoteOf } from "./remote.ts";
import { azureBlobSettings } from "./settings.ts";

type Answer = (request: IncomingMessage, response: ServerResponse, url: URL) => void;
const PATIENCE: Patience = { answer: 5_000, pause: 1 };

async function serviceThat(
  answer: Answer,
  secret: () => string = () => "sp=rl&sig=s3cr3t",
  patience = PATIENCE,
) {
  const server = createServer((request, response) =>
    answer(request, response, new URL(request.url ?? "", "http://service")),
  ).listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(async () => {
    server.close();
    server.closeAllConnections();
  });
  const settings = azureBlobSettings.parse({
    name: "clouds",
    kind: "azure-blob",
    account: "abc",
    container: "box",
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    sas: { env: "S" },
  });
  const secrets = { read: async () => secret() };
  const access = openAccess(sdk, settings, { secrets }, patience);
  return { access, remote: remoteOf(access, "") };
}

function refuse(response: ServerResponse, status: number, code: string, headers = {}): void {
  response.writeHead(status, { "x-ms-error-code": code, "content-type": "application/xml", ...headers });
  response.end(`<?xml version="1.0"?><Error><Code>${code}</Code><Message>?sig=s3cr3t</Message></Error>`);
}

const TIME = "Fri, 01 May 2026 10:00:00 GMT";
function blobXml(name: string, more = "", size = 1, metadata = "<Metadata/>"): string {
  return `<Blob>${name}<Properties><Last-Modified>${TIME}</Last-Modified><Etag>0x1</Etag><Content-Length>${size}</Content-Length><BlobType>BlockBlob</BlobType>${more}</Properties>${metadata}</Blob>`;
}
function page(response: ServerResponse, items: string, next = ""): void {
  response.writeHead(200, { "content-type": "application/xml" });
  response.end(
    `<?xml version="1.0" encoding="utf-8"?><EnumerationResults ServiceEndpoint="http://x/" ContainerName="box"><Prefix/><Delimiter>/</Delimiter><Blobs>${items}</Blobs><NextMarker>${next}</NextMarker></EnumerationResults>`,
  );
}
const head = (size: number, more: OutgoingHttpHeaders = {}): OutgoingHttpHeaders => ({
  etag: '"0x1"',
  "last-modified": TIME,
  "content-length": size,
  "x-ms-blob-type": "BlockBlob",
  ...more,
});

const signal = new AbortController().signal;
const listed = async (remote: Remote) => (await Array.fromAsync(remote.list(Buffer.alloc(0), signal))).flat();
const failing = async (work: Promise<unknown>): Promise<RemoteError> => {
  const error = await work.then(
    () => undefined,
    (cause: unknown) => cause,
  );
  if (!(error instanceof RemoteError)) throw new Error(`no RemoteError but ${error}`);
  expect(`${error.message} ${error.cause}`).not.toContain("s3cr3t");
  return error;
};
const X = Buffer.from("x");
const state = (size: number): FileState => ({
  size,
  mtimeNs: BigInt(Date.parse(TIME)) * 1_000_000n,
  ctimeNs: 0n,
  fileId: tagId("0x1"),
});
async function readAll(remote: Remote, size: number, from = 0): Promise<string> {
  await using file = await remote.open(X, state(size));
  return String(Buffer.concat(await Array.fromAsync(file.bytes(from))));
}

test.for([
  [503, "ServerBusy", { "retry-after": "17" }, 17, 4],
  [429, "TooManyRequests", { "retry-after": "3" }, 3, 1],
  [500, "OperationTimedOut", {}, undefined, 4],
] as const)("%i %s is away, after a few tries", async ([status, code, headers, retryAfter, tries]) => {
  let asked = 0;
  const { remote } = await serviceThat((_, response) => {
    asked += 1;
    refuse(response, status, code, headers);
  });
  const error = await failing(remote.identity());
  expect(error).toMatchObject({ failure: "away", retryAfter });
  expect(error.message).toContain(code);
  expect(asked).toBe(tries);
});

test("busy for a moment is nobody's matter", async () => {
  let asked = 0;
  const { remote } = await serviceThat((_, response) => {
    asked += 1;
    if (asked < 3) refuse(response, 503, "ServerBusy");
    else page(response, blobXml("<Name>x</Name>"));
  });
  expect(await listed(remote)).toMatchObject([{ kind: "file", name: X, state: state(1) }]);
});

test("who does not answer is away when the patience ends", async () => {
  const { remote } = await serviceThat(() => {}, undefined, { answer: 100, pause: 1 });
  expect(await failing(remote.identity())).toMatchObject({
    failure: "away",
    message: expect.stringContaining("no answer within 0.1 s"),
  });
});

test("a clock that is off is told as what it is", async () => {
  const date = new Date(Date.now() + 86_400_000).toUTCString();
  const { remote } = await serviceThat((_, response) =>
    refuse(response, 403, "AuthenticationFailed", { date }),
  );
  expect((await failing(remote.identity())).message).toContain("this host's clock is 1440 minutes behind");
});

test("a SAS that expires between two pages is read anew, and the listing goes on from there", async () => {
  let sas = "sp=rl&se=2026-01-01T00:00:00Z&sig=s3cr3t-old";
  let firstPages = 0;
  const answer: Answer = (_, response, url) => {
    if (url.searchParams.get("marker") === null) {
      firstPages += 1;
      return page(response, blobXml("<Name>a</Name>"), "2");
    }
    if (url.searchParams.get("sig") !== "s3cr3t-new") return refuse(response, 403, "AuthenticationFailed");
    return page(response, blobXml("<Name>b</Name>"));
  };
  const { remote } = await serviceThat(answer, () => sas);
  const error = await failing(listed(remote));
  expect(error.message).toContain("the SAS expired at 2026-01-01T00:00:00.000Z");
  const found: string[] = [];
  for await (const some of remote.list(Buffer.alloc(0), signal)) {
    found.push(...some.map(({ name }) => String(name)));
    sas = "?sp=rl&sig=s3cr3t-new";
  }
  expect(found).toEqual(["a", "b"]);
  expect(firstPages).toBe(2);
});

test("names in all their writings, folders that are blobs, blobs that cannot be had", async () => {
  const folder = "<Metadata><hdi_isfolder>true</hdi_isfolder></Metadata>";
  const items = [
    blobXml('<Name Encoded="true">a%EF%BF%BEb</Name>'),
    blobXml("<Name>c&#xD;&#10;d &amp;#xD;</Name>"),
    blobXml("<Name>dir</Name>", "", 0, folder),
    "<BlobPrefix><Name>dir/</Name></BlobPrefix>",
    '<BlobPrefix><Name Encoded="true">e%01/</Name></BlobPrefix>',
    blobXml("<Name>cold</Name>", "<AccessTier>Archive</AccessTier>"),
    blobXml(
      "<Name>warming</Name>",
      "<AccessTier>Archive</AccessTier><ArchiveStatus>rehydrate-pending-to-hot</ArchiveStatus>",
    ),
    blobXml("<Name>coming</Name>", "<CopyStatus>pending</CopyStatus>", 0),
    blobXml("<Name>meta</Name>", "", 1, "<Metadata><Name>other</Name></Metadata>"),
    "<BlobPrefix><Name>../</Name></BlobPrefix>",
    "<BlobPrefix><Name>/</Name></BlobPrefix>",
  ];
  const { remote } = await serviceThat((_, response) => page(response, items.join("")));
  const found = await listed(remote);
  const named = (kind: string) => found.filter((one) => one.kind === kind).map(({ name }) => String(name));
  expect(named("file")).toEqual(["a\uFFFEb", "c\r\nd &#xD;", "meta"]);
  expect(named("folder")).toEqual(["dir", "e\u0001"]);
  expect(found.filter((one) => one.kind === "refused").map(({ reason }) => reason)).toEqual([
    "it is archived: rehydrate it, and it is captured",
    "it is being rehydrated, and is captured when that is done",
    "it is still being copied to here, and is captured when that is done",
    '"../" cannot be the path of a file: it has ".." as a segment',
    '"/" cannot be the path of a file: it is absolute',
  ]);
});

test("an empty page is not the end", async () => {
  const { remote } = await serviceThat((_, response, url) => {
    const marker = url.searchParams.get("marker");
    if (url.searchParams.get("prefix") === "none/") return page(response, "");
    if (marker === null) return page(response, "", "2");
    return page(response, blobXml("<Name>x/y</Name>"));
  });
  expect((await listed(remote)).length).toBe(1);
});

test("an archived blob is not read, and says why", async () => {
  const { remote } = await serviceThat((request, response) => {
    if (request.method === "HEAD") response.writeHead(200, head(1, { "x-ms-access-tier": "Archive" })).end();
    else refuse(response, 409, "BlobArchived");
  });
  expect(await remote.look(X)).toMatchObject({ kind: "refused", name: X });
  const error = await failing(readAll(remote, 1));
  expect(error).toMatchObject({ failure: "failed" });
  expect(error.message).toContain("rehydrate");
});

test.for([
  ["fewer bytes than were said", 10, 10, "12345", true],
  ["a shorter whole", 10, 5, "12345", false],
  ["a longer whole", 3, 5, "12345", false],
] as const)("%s: the reading fails", async ([, said, length, body, cut]) => {
  const { remote } = await serviceThat((request, response) => {
    if (request.method === "HEAD") return void response.writeHead(200, head(said)).end();
    response.writeHead(200, head(length));
    response.write(body, () => (cut ? response.destroy() : response.end()));
  });
  const error = await failing(readAll(remote, said));
  expect(error).toMatchObject({ failure: "failed" });
  if (cut) expect(error.message).toContain("of 10 bytes");
});

test("every request for bytes holds on to the ETag, and a position is asked for as it is", async () => {
  const seen: (string | undefined)[][] = [];
  const { remote } = await serviceThat((request, response) => {
    if (request.method === "HEAD") return void response.writeHead(200, head(10)).end();
    seen.push([request.headers["if-match"], request.headers["x-ms-range"] as string | undefined]);
    response.writeHead(206, head(4)).end("6789");
  });
  expect(await readAll(remote, 10, 6)).toBe("6789");
  expect(seen).toEqual([['"0x1"', "bytes=6-"]]);
});

test("a server that ignores the position is found out", async () => {
  const { remote } = await serviceThat((request, response) => {
    response.writeHead(200, head(10)).end(request.method === "HEAD" ? undefined : "0123456789");
  });
  expect((await failing(readAll(remote, 10, 6))).message).toContain("sends 10 bytes of 4");
});

test("a connection that falls silent ends", async () => {
  const { access } = await serviceThat((_, response) => {
    response.writeHead(200, head(10));
    response.write("12345");
  });
  const file = openBlob(access, X, state(10), '"0x1"', async () => undefined, 300);
  const error = await failing(Array.fromAsync(file.bytes(0)));
  expect(error.message).toContain("nothing came for 0.3 s, after 5 of 10 bytes");
});

test("one that waits for us is not silent", async () => {
  const { access } = await serviceThat((_, response) => {
    response.writeHead(200, head(10));
    response.write("12345", () => setTimeout(() => response.end("67890"), 50));
  });
  const file = openBlob(access, X, state(10), '"0x1"', async () => undefined, 300);
  let got = "";
  for await (const piece of file.bytes(0)) {
    got += piece;
    await new Promise((resolve) => setTimeout(resolve, 600));
  }
  expect(got).toBe("1234567890");
});

/** A container with one blob, whose copies are done as `copies` says. */
function copying(copies: readonly string[], onDelete: (response: ServerResponse, path: string) => void) {
  const log: string[] = [];
  let looks = 0;
  const answer: Answer = (request, response, url) => {
    const path = url.pathname.replace("/box/", "");
    log.push(`${request.method} ${path}${url.searchParams.get("comp") ?? ""}`);
    if (request.method === "PUT" && url.searchParams.get("comp") === "copy")
      return void response.writeHead(204).end();
    if (request.method === "PUT")
      return void response
        .writeHead(202, { "x-ms-copy-id": "id", "x-ms-copy-status": copies[0], etag: '"0x2"' })
        .end();
    if (request.method === "DELETE") return onDelete(response, path);
    if (path === "x") return void response.writeHead(200, head(5)).end();
    const status = copies[Math.min(looks, copies.length - 1)];
    looks += 1;
    return void response
      .writeHead(
        200,
        head(status === "success" ? 5 : 0, { "x-ms-copy-id": "id", "x-ms-copy-status": status }),
      )
      .end();
  };
  return { log, answer };
}
const MOVED = Buffer.from("done/x");

test("a copy is waited for before the blob is deleted", async () => {
  const { log, answer } = copying(["pending", "pending", "success"], (response) => {
    response.writeHead(202).end();
  });
  const { access } = await serviceThat(answer);
  const exactly = exactlyFor(access, "", new Etags(), { most: 5_000, every: 1 });
  expect(await exactly.move(X, state(5), MOVED, "u")).toBe(true);
  expect(log.slice(-2)).toEqual(["HEAD done/x", "DELETE x"]);
});

test.for([
  [["failed"], 5_000, "gave it up (failed)"],
  [["pending"], 10, "not done after 0.01 s"],
] as const)("a copy that stays %j leaves the blob, and nothing beside it", async ([copies, most, says]) => {
  const { log, answer } = copying(copies, (response) => {
    response.writeHead(202).end();
  });
  const { access } = await serviceThat(answer);
  const exactly = exactlyFor(access, "", new Etags(), { most, every: 1 });
  expect((await failing(exactly.move(X, state(5), MOVED, "u"))).message).toContain(says);
  expect(log.filter((one) => one.startsWith("DELETE"))).toEqual(["DELETE done/x"]);
});

test("where nobody answers whether the blob was deleted, its copy stays", async () => {
  const { log, answer } = copying(["success"], (response) => {
    response.destroy();
  });
  const { access } = await serviceThat(answer);
  const exactly = exactlyFor(access, "", new Etags(), { most: 5_000, every: 1 });
  expect(await failing(exactly.move(X, state(5), MOVED, "u"))).toMatchObject({ failure: "away" });
  expect(log.filter((one) => one.startsWith("DELETE done"))).toEqual([]);
});

test("100,000 blobs are listed page by page, and no page is kept", async () => {
  // Exact only when asked after a collection.
  setFlagsFromString("--expose-gc");
  const gc = runInNewContext("gc") as () => void;
  const PAGES = 20;
  const { remote } = await serviceThat((_, response, url) => {
    const at = Number(url.searchParams.get("marker") ?? 0);
    const items = Array.from({ length: 5_000 }, (_, i) =>
      blobXml(`<Name>f${String(at * 5_000 + i).padStart(7, "0")}</Name>`),
    );
    page(response, items.join(""), at + 1 < PAGES ? String(at + 1) : "");
  });
  let count = 0;
  let most = 0;
  gc();
  const begin = process.memoryUsage().heapUsed;
  for await (const some of remote.list(Buffer.alloc(0), signal)) {
    count += some.length;
    gc();
    most = Math.max(most, process.memoryUsage().heapUsed - begin);
  }
  expect(count).toBe(100_000);
  // One page is about 20 MB while it is taken apart; all of them would be 400.
  expect(most).toBeLessThan(150_000_000);
}, 60_000);

test("ETags are forgotten, the oldest first", () => {
  const etags = new Etags(2);
  for (const tag of ['"1"', "2", '"3"']) etags.keep(tag);
  expect([tagId("1"), tagId("2"), tagId("3")].map((id) => etags.of(id))).toEqual([undefined, '"2"', '"3"']);
});
