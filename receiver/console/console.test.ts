/** What every answer of the console carries, what it takes from whom, and where it leads. */
import { request } from "node:https";
import { connect } from "node:tls";
import { encodePath } from "@tributary/shared/path.ts";
import { freePort } from "@tributary/test/site/process.ts";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createLedger } from "../ledger/commit.ts";
import { sign, version } from "../ledger/samples.ts";
import { send } from "../rig.ts";
import { sampleSite } from "./samples.ts";
import { type ConsoleScene, startConsole, type Visitor } from "./scene.ts";

let scene: ConsoleScene;
let admin: Visitor;

beforeAll(async () => {
  scene = await startConsole({ settings: { limits: { idle: "1s" } } });
  await scene.add("ada@example.com", { role: "admin" });
  admin = await scene.login("ada@example.com");
});
afterAll(() => scene.stop(), 60_000);

const clients = async (): Promise<number> =>
  (await scene.db.selectFrom("clients").select("name").execute()).length;

describe("every answer", () => {
  const asks: readonly (readonly [string, string, string, number])[] = [
    ["a page", "GET", "/clients/acme", 200],
    ["a script", "GET", "/assets/main-1a2b.js", 200],
    ["a picture", "GET", "/mark.svg", 200],
    ["a page that is only asked for", "HEAD", "/", 200],
    ["an asset that is not there", "GET", "/assets/none.js", 404],
    ["a method of no page", "DELETE", "/clients", 403],
    ["a call", "GET", "/api/me", 200],
    ["a call that is refused", "POST", "/api/clients", 400],
    ["a call that is none", "GET", "/api/none", 404],
    ["a route of the login", "POST", "/api/auth/sign-in/email", 400],
    ["a route of the login that is closed", "GET", "/api/auth/ok", 404],
    ["a file that is a bundle", "GET", "/api/diagnostics", 200],
  ];
  test.for(asks)("%s has the headers of all", async ([, method, path]) => {
    const { headers } = await admin.ask(method, path, method === "POST" ? {} : undefined);
    requireHeaders(headers);
    if (path.startsWith("/api")) expect(headers["cache-control"]).toContain("no-store");
  });

  test("is under the headers also as a stream and as a download", async () => {
    const { headers, cut } = await stream(admin);
    requireHeaders(headers);
    expect(headers).toMatchObject({ "content-type": "text/event-stream", "cache-control": "no-store" });
    cut();
    const id = await sampleSite(scene).version();
    const { headers: of } = await admin.ask("GET", `/api/versions/${id}/content`);
    requireHeaders(of);
    expect(of).toMatchObject({ "cache-control": "private, no-store" });
  });

  test("has a nonce of its own where it is a page", async () => {
    const seen = new Set<string>();
    for (let i = 0; i < 5; i += 1) {
      const { headers, body } = await admin.ask("GET", "/");
      const [, nonce = ""] = /'nonce-([^']+)'/.exec(String(headers["content-security-policy"])) ?? [];
      expect(nonce).toMatch(/^[\w-]{22}$/);
      expect(body.toString()).toContain(`nonce="${nonce}"`);
      seen.add(nonce);
    }
    expect(seen.size).toBe(5);
  });

  test("of a login sets a cookie that no page, no other host and no plain connection gets", async () => {
    const body = { email: "ada@example.com", password: "correct horse battery" };
    const { headers } = await scene.visitor().ask("POST", "/api/auth/sign-in/email", body);
    const cookies = headers["set-cookie"] ?? [];
    expect(cookies).toHaveLength(1);
    const flags = (cookies[0] ?? "").split(/;\s*/);
    expect(flags[0]).toMatch(/^__Host-tributary\.session_token=/);
    expect(flags.slice(1).toSorted()).toEqual(["HttpOnly", "Path=/", "SameSite=Lax", "Secure"]);
  });
});

type Headers = Readonly<Record<string, string | readonly string[] | undefined>>;

function requireHeaders(headers: Headers): void {
  const csp = String(headers["content-security-policy"]);
  expect(csp).toContain("default-src 'none'");
  expect(csp).toContain("frame-ancestors 'none'");
  expect(csp).toContain("base-uri 'none'");
  expect(csp).not.toMatch(/unsafe|\*|http:/);
  expect(headers).toMatchObject({
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "x-request-id": expect.stringMatching(/^[\da-f-]{36}$/),
  });
}

/** Raw bytes over TLS; all that comes back until the connection ends or `until` is there. */
async function raw(text: string, until?: RegExp): Promise<string> {
  const socket = connect({ host: "127.0.0.1", port: scene.port, servername: "localhost", ca: scene.rig.ca });
  let got = "";
  await new Promise<void>((resolve, reject) => {
    socket.on("data", (chunk) => {
      got += chunk.toString("latin1");
      if (until?.test(got)) resolve();
    });
    socket
      .on("end", resolve)
      .on("close", () => resolve())
      .on("error", reject);
    socket.write(text, "latin1");
  });
  socket.destroy();
  return got;
}

async function stream(visitor: Visitor): Promise<{ headers: Headers; cut: () => void }> {
  const to = { agent: scene.agent, hostname: "127.0.0.1", port: scene.port, path: "/api/live" };
  return await new Promise((resolve, reject) => {
    const sent = request({ ...to, headers: visitor.headers("GET") }, (incoming) =>
      resolve({ headers: incoming.headers, cut: () => incoming.destroy() }),
    );
    sent.on("error", reject).end();
  });
}

test.for([
  'quote".txt',
  "line\r\nset-cookie: a=b.txt",
  "größe 数.csv",
  "back\\slash",
  "semi;colon=1.html",
  "%0d%0a.txt",
  "'(*).txt",
])("a file of any name is saved under it, and shown nowhere: %s", async (name) => {
  const capture = version(encodePath(Buffer.from(name)), "x");
  scene.rig.lake.objects.set(String(capture.key), Buffer.from("x"));
  await createLedger(scene.rig.database).commit([capture], sign);
  for (const what of ["content", "receipt"]) {
    const { status, headers, body } = await admin.ask("GET", `/api/versions/${capture.versionId}/${what}`);
    expect([status, headers["set-cookie"]]).toEqual([200, undefined]);
    const disposition = String(headers["content-disposition"]);
    const form = /^attachment; filename="[\w.-]+"; filename\*=UTF-8''((?:[\w.~!-]|%[\dA-F]{2})+)$/;
    const [, whole = ""] = form.exec(disposition) ?? [];
    // A name with line breaks is shown with them escaped; whatever it is, it is one line.
    expect([disposition, whole !== ""]).toEqual([disposition, true]);
    expect(headers["content-type"]).toBe(
      what === "content" ? "application/octet-stream" : "application/jose",
    );
    expect(headers["x-content-type-options"]).toBe("nosniff");
    if (what === "content") expect(body.toString()).toBe("x");
  }
});

describe("a change from elsewhere is refused, and nothing has changed", () => {
  const own = () => scene.origin;
  const from: readonly (readonly [string, () => Record<string, string | undefined>])[] = [
    ["without an Origin", () => ({ origin: undefined })],
    ["of another site", () => ({ origin: "https://evil.example" })],
    ["of another port", () => ({ origin: `https://localhost:${scene.port + 1}` })],
    ["of another scheme", () => ({ origin: own().replace("https:", "http:") })],
    ["of a name that begins as ours", () => ({ origin: `${own()}.evil.example` })],
    ["of a sandbox", () => ({ origin: "null" })],
    ["that the browser calls cross-site", () => ({ "sec-fetch-site": "cross-site" })],
    ["that the browser calls same-site", () => ({ "sec-fetch-site": "same-site" })],
    ["that somebody typed", () => ({ "sec-fetch-site": "none" })],
  ];
  test.for(from)("%s", async ([, headers]) => {
    const before = await clients();
    const given = Object.fromEntries(
      Object.entries({ ...admin.headers("POST"), "content-type": "application/json", ...headers() }).filter(
        (pair): pair is [string, string] => pair[1] !== undefined,
      ),
    );
    for (const path of ["/api/clients", "/api/auth/sign-out"]) {
      const { status } = await ask("POST", path, given, '{"name":"new"}');
      expect([path, status]).toEqual([path, 403]);
    }
    expect(await clients()).toBe(before);
    expect((await admin.ask("GET", "/api/me")).status).toBe(200);
  });

  test.for(["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""])(
    "as a form of %s",
    async (type) => {
      const before = await clients();
      const { status } = await admin.ask("POST", "/api/clients", { name: "new" }, { "content-type": type });
      expect(status).toBe(400);
      expect(await clients()).toBe(before);
    },
  );

  test("with a cookie and a method in disguise", async () => {
    const before = await clients();
    const disguised = { "x-http-method-override": "POST", "content-type": "application/json" };
    const { status } = await admin.ask("GET", "/api/clients?name=new&_method=POST", undefined, disguised);
    expect(status).toBe(400);
    expect(await clients()).toBe(before);
  });
});

async function ask(method: string, path: string, headers: Record<string, string>, body: string) {
  const length = { "content-length": String(body.length) };
  const url = `https://127.0.0.1:${scene.port}`;
  return await send(scene.agent, url, method, path, { ...headers, ...length }, body);
}

describe("where it is opened", () => {
  test.for(["127.0.0.1", "127.9.9.9", "[::1]"])(
    "a page at %s leads to the console's own name",
    async (host) => {
      const { status, headers } = await admin.ask("GET", "/clients/a?b=c", undefined, {
        host: `${host}:${scene.port}`,
      });
      expect([status, headers.location]).toEqual([307, `${scene.origin}/clients/a?b=c`]);
      requireHeaders(headers);
    },
  );

  test.for(["//evil.example/", "/\\evil.example", "/@evil.example", "/%0d%0alocation:x", "/.evil.example"])(
    "nobody is led elsewhere by %s",
    async (path) => {
      const { status, headers } = await admin.ask("GET", path, undefined, {
        host: `127.0.0.1:${scene.port}`,
      });
      expect(status).toBe(307);
      expect(new URL(String(headers.location)).origin).toBe(scene.origin);
    },
  );

  test("a target in absolute form leads to it, too", async () => {
    const head = `host: 127.0.0.1:${scene.port}\r\nconnection: close\r\n\r\n`;
    const absolute = await raw(`GET https://evil.example/x HTTP/1.1\r\n${head}`);
    expect(absolute).toMatch(new RegExp(`^location: ${scene.origin}/x\r$`, "m"));
  });

  test.for([
    "evil.example",
    "console.example.com:443",
    "127.0.0.1:1",
    "localhost:1",
    "127.0.0.1.evil.example",
  ])("at %s it says how it is given another name", async (host) => {
    const { status, body, headers } = await admin.ask("GET", "/", undefined, { host });
    expect([status, headers.location]).toEqual([400, undefined]);
    expect(body.toString()).toContain("set console: { url }");
  });

  test("where the operator has said its address, a proxy may name any host", async () => {
    const url = "https://console.example.com";
    const port = await freePort();
    const named = await startConsole({ port, settings: { console: { url } } });
    try {
      for (const host of ["127.0.0.1:8444", "console.example.com", "inside.example"])
        expect(await named.visitor().ask("GET", "/", undefined, { host })).toMatchObject({
          status: 200,
          headers: { "strict-transport-security": expect.stringContaining("max-age=") },
        });
    } finally {
      await named.stop();
    }
  });
});

describe("what is asked for too much", () => {
  test.for([
    "/assets/../index.html",
    "/assets/..%2f..%2fpages.ts",
    "/assets/%2e%2e/%2e%2e/pages.ts",
    "/..%5c..%5cpackage.json",
    "/assets//main-1a2b.js",
    "/assets/main-1a2b.js%00.css",
    "/assets/__proto__",
    "/assets/",
  ])("%s is no file of the pages", async (path) => {
    const { status, body } = await admin.ask("GET", path);
    expect(status).toBe(404);
    expect(body.toString()).not.toMatch(/import|"name"/);
  });

  test("a body that is too large is refused, with an answer", async () => {
    for (const path of ["/api/clients", "/api/auth/sign-in/email"]) {
      const { status } = await admin.ask("POST", path, { name: "x".repeat(300_000) });
      expect([path, status]).toEqual([path, 413]);
      const chunked = await raw(
        `POST ${path} HTTP/1.1\r\n${head("POST")}transfer-encoding: chunked\r\n\r\n${"10000\r\n".concat("x".repeat(65_536), "\r\n").repeat(5)}0\r\n\r\n`,
        /"code":"body-too-large"/,
      );
      expect(chunked).toMatch(/^HTTP\/1.1 413/);
    }
  });

  test("a body that does not come is refused when nothing has come for so long", async () => {
    for (const path of ["/api/clients", "/api/auth/sign-in/email"]) {
      const got = await raw(
        `POST ${path} HTTP/1.1\r\n${head("POST")}content-length: 50\r\n\r\n{"name":`,
        /"code":"body-too-slow"/,
      );
      expect(got).toMatch(/^HTTP\/1.1 408/);
    }
  });

  test("who asks before sending a body is told to send it, or is refused before", async () => {
    const asks = `content-length: 13\r\nexpect: 100-continue\r\n\r\n`;
    const going = await raw(`POST /api/clients HTTP/1.1\r\n${head("POST")}${asks}`, /100 Continue/);
    expect(going).toMatch(/^HTTP\/1.1 100/);
    const stranger = { ...scene.visitor().headers("POST"), "content-type": "application/json" };
    const refused = await raw(`POST /api/clients HTTP/1.1\r\n${lines(stranger)}${asks}`, /"code"/);
    expect(refused).toMatch(/^HTTP\/1.1 401/);
  });

  test.for([
    `?${"a=b&".repeat(1000)}`,
    "?client=%ff%fe",
    "?client=%zz",
    "?__proto__=x",
    "?constructor=x",
    `?client=${"a".repeat(5000)}`,
    "?limit=100000",
    "?limit=-1",
    "?limit=NaN",
  ])("a query such as %s is refused", async (query) => {
    expect((await admin.ask("GET", `/api/deliveries${query}`)).status).toBe(400);
  });

  test.for([
    "[]",
    "null",
    "1",
    '"x"',
    "{",
    '{"__proto__":{"name":"x"},"name":"y-1"}',
    '{"name":"x","more":1}',
  ])("a body such as %s is refused", async (body) => {
    expect((await admin.ask("POST", "/api/clients", body)).status).toBe(400);
  });
});

const lines = (headers: Record<string, string>): string =>
  Object.entries(headers)
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join("");
const head = (method: string): string =>
  lines({ ...admin.headers(method), "content-type": "application/json" });
