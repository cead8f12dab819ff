/** Every call that the document names, made once for real; `rig.ask` compares each answer with the document. */
import { createHash } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { request } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { Validator } from "@seriousme/openapi-schema-validator";
import { parseCode } from "@tributary/shared/code.ts";
import { formatDigest } from "@tributary/shared/digest.ts";
import { uuidv7 } from "@tributary/shared/uuid.ts";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { askAgent } from "../fleet/commands.ts";
import { takeDiagnosticsOf } from "../fleet/diagnostics.ts";
import { enrolOf } from "../fleet/enrol.ts";
import { heartbeatOf } from "../fleet/heartbeat.ts";
import { takeLeasesOf } from "../fleet/leases.ts";
import { invite } from "../identity/invitations.ts";
import { idleHeartbeat, RECEIVER, testHost } from "../identity/scene.ts";
import { openInstall } from "../install/install.ts";
import { conform } from "../openapi/conform.ts";
import type { ApiDocument } from "../openapi/document.ts";
import { EXAMPLES, textOf } from "../openapi/examples.ts";
import { OPERATIONS } from "../openapi/operations.ts";
import { type Answer, type Rig, startRig } from "../rig.ts";
import { diagnosticsDoor } from "./diagnostics.ts";
import { enrollDoor } from "./enroll.ts";
import { heartbeatDoor } from "./heartbeat.ts";
import { installDoor } from "./install.ts";
import { leasesDoor } from "./leases.ts";

let rig: Rig;
let folder: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "tributary-openapi-"));
  writeFileSync(join(folder, "tributary-agent_0.1.0_amd64.deb"), "a package");
  rig = await startRig({
    doors: ({ database, keys, gate }) => {
      const fleet = { db: database.db, keys, heartbeatSeconds: 5 };
      return [
        enrollDoor(enrolOf(fleet)),
        heartbeatDoor(gate, heartbeatOf(fleet)),
        leasesDoor(gate, takeLeasesOf(database)),
        diagnosticsDoor(gate, takeDiagnosticsOf(database.db)),
        installDoor({ install: openInstall([folder]), atOnce: 2, idle: 400 }),
      ];
    },
  });
});
afterAll(async () => {
  await rig.stop();
  rmSync(folder, { recursive: true, force: true });
});

const reader = { authorization: "Bearer reader" };
const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");
const served = async (): Promise<ApiDocument> => (await rig.ask("GET", "/openapi.json")).json as never;
const put = async (path: string, text = path): Promise<Answer> =>
  await rig.ask("PUT", `/v1/files/pos/${path}`, { ...reader, "idempotency-key": uuidv7() }, text);
const upload = async (text: string): Promise<string> => {
  const body = {
    source: "pos",
    pathEncoded: text,
    size: text.length,
    sha256: sha256(text),
    captureId: uuidv7(),
  };
  return String((await rig.ask("POST", "/v1/uploads", reader, JSON.stringify(body))).json["uploadId"]);
};
const part = async (id: string, text: string): Promise<Answer> =>
  await rig.ask(
    "PUT",
    `/v1/uploads/${id}/parts/1`,
    { ...reader, "content-digest": formatDigest(sha256(text)) },
    text,
  );
const versionId = async (path: string): Promise<string> => String((await put(path)).json["versionId"]);

/** As somebody asks whose Host is not in the certificate. */
const askedAs = async (host: string, path: string): Promise<string> =>
  await new Promise((resolve, reject) => {
    const options = { ca: rig.ca, agent: false, servername: "localhost", headers: { host } };
    const sent = request(`${rig.receiver.url}${path}`, options, (incoming) => {
      incoming.toArray().then((chunks) => resolve(Buffer.concat(chunks).toString()), reject);
    });
    sent.on("error", reject).end();
  });

/** A tar stream with one file (POSIX.1-2017, pax, "ustar Interchange Format"). */
function tarOf(name: string, text: string): Buffer {
  const header = Buffer.alloc(512);
  header.write(name, 0);
  header.write("0000644\0".padEnd(24, "0"), 100);
  header.write(`${text.length.toString(8).padStart(11, "0")}\0${"0".repeat(11)}\0        0`, 124);
  header.write("ustar\x0000", 257);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
  return Buffer.concat([header, Buffer.from(text.padEnd(512, "\0")), Buffer.alloc(1024)]);
}

async function enrol(): Promise<Answer & { readonly x: string }> {
  const { db } = rig.database;
  const { code } = await invite(db, { clients: ["acme"], expiresMs: 60_000 }, RECEIVER, Date.now());
  const host = testHost();
  const answer = await rig.ask(
    "POST",
    "/v1/enroll",
    {},
    JSON.stringify(host.enrolment(parseCode(code).secret)),
  );
  return Object.assign(answer, { x: host.x });
}

/** By operationId: the call, made so that it succeeds. */
const CALLS: Readonly<Record<string, () => Promise<Answer>>> = {
  putFile: async () => await put("one"),
  postBundle: async () => await rig.ask("POST", "/v1/bundles/pos", reader, tarOf("in-a-bundle", "text")),
  putBundle: async () => await rig.ask("PUT", "/v1/bundles/pos", reader, tarOf("in-a-bundle", "text")),
  postRemoval: async () => {
    await put("vanishes");
    const body = { source: "pos", pathEncoded: "vanishes", captureId: uuidv7() };
    return await rig.ask("POST", "/v1/removals", reader, JSON.stringify(body));
  },
  createUpload: async () => {
    const text = "large";
    const body = { source: "pos", pathEncoded: text, size: 5, sha256: sha256(text), captureId: uuidv7() };
    return await rig.ask("POST", "/v1/uploads", reader, JSON.stringify(body));
  },
  getUpload: async () => await rig.ask("GET", `/v1/uploads/${await upload("asked")}`, reader),
  putPart: async () => await part(await upload("parted"), "parted"),
  completeUpload: async () => {
    const id = await upload("whole");
    await part(id, "whole");
    return await rig.ask("POST", `/v1/uploads/${id}/complete`, reader);
  },
  abortUpload: async () => await rig.ask("DELETE", `/v1/uploads/${await upload("given-up")}`, reader),
  listClients: async () => await rig.ask("GET", "/v1/clients", reader),
  listVersions: async () => await rig.ask("GET", "/v1/versions?limit=2", reader),
  getVersion: async () => await rig.ask("GET", `/v1/versions/${await versionId("seen")}`, reader),
  getReceipt: async () => await rig.ask("GET", `/v1/versions/${await versionId("read")}/receipt`, reader),
  getContent: async () => await rig.ask("GET", `/v1/versions/${await versionId("read")}/content`, reader),
  listEvents: async () => await rig.ask("GET", "/v1/events?limit=2", reader),
  enroll: enrol,
  heartbeat: async () => {
    const { json, x } = await enrol();
    const id = String(json["agentId"]);
    rig.gate.add(id, { publicKey: x });
    const body = JSON.stringify(idleHeartbeat(String(json["nonce"])));
    return await rig.ask("POST", "/v1/heartbeat", { authorization: `Bearer ${id}` }, body);
  },
  leases: async () => {
    const wants = ["acme", "other"].map((client) => ({ client, source: "pos" }));
    const body = JSON.stringify({ wants, releases: [] });
    return await rig.ask("POST", "/v1/leases", { authorization: "Bearer agent" }, body);
  },
  diagnostics: async () => {
    const { json, x } = await enrol();
    const agentId = String(json["agentId"]);
    rig.gate.add(agentId, { publicKey: x });
    const { id } = await askAgent(rig.database.db, { agentId, kind: "diagnostics", by: "anna" });
    const path = `/v1/diagnostics?command=${id}`;
    return await rig.ask("POST", path, { authorization: `Bearer ${agentId}` }, gzipSync("{}"));
  },
  getJwks: async () => await rig.ask("GET", "/.well-known/jwks.json"),
  getOpenapi: async () => await rig.ask("GET", "/openapi.json"),
  getDocs: async () => await rig.ask("GET", "/docs"),
  listInstall: async () => await rig.ask("GET", "/install/"),
  getInstall: async () => await rig.ask("GET", "/install/tributary-agent_0.1.0_amd64.deb"),
  healthz: async () => await rig.ask("GET", "/healthz"),
  readyz: async () => await rig.ask("GET", "/readyz"),
  metrics: async () => await rig.ask("GET", "/metrics"),
};

describe("the document of a running receiver", () => {
  test("has all calls that there are", async () => {
    const { paths } = await served();
    const ids = Object.values(paths).flatMap((path) =>
      Object.values(path).map((one) => String(one["operationId"])),
    );
    expect(ids.toSorted()).toEqual(OPERATIONS.map(({ id }) => id).toSorted());
    expect((await new Validator().validate({ ...(await served()) })).valid).toBe(true);
  });

  test.for(OPERATIONS.map(({ id }) => id))("%s answers as it says", async (id) => {
    const { status } = (await CALLS[id]?.()) ?? { status: "nobody has made this call" };
    expect(status).toBeOneOf([200, 201, 204]);
  });

  test("an event stream, a range, what is known, headers alone and a wrong method answer as it says too", async () => {
    await put("streamed");
    const url = `${rig.receiver.url}/v1/events`;
    const streamed = await new Promise<Answer>((resolve, reject) => {
      const sent = request(url, {
        ca: rig.ca,
        agent: false,
        headers: { ...reader, accept: "text/event-stream" },
      });
      sent.on("error", reject).on("response", (incoming) => {
        let text = "";
        incoming
          .on("error", () => {})
          .on("data", (chunk: Buffer) => {
            text += chunk.toString();
            if (!/^data: .*\n\n/m.test(text)) return;
            const { statusCode: status = 0, headers } = incoming;
            resolve({ status, headers, body: Buffer.from(text), json: {} });
            sent.destroy();
          });
      });
      sent.end();
    });
    expect(conform({ method: "GET", path: "/v1/events", ...streamed })).toEqual([]);
    const content = `/v1/versions/${await versionId("ranged")}/content`;
    const etag = `"${sha256("ranged")}"`;
    const statuses = [
      await rig.ask("GET", content, { ...reader, range: "bytes=1-2" }),
      await rig.ask("GET", content, { ...reader, "if-none-match": etag }),
      await rig.ask("HEAD", content, reader),
      await rig.ask("DELETE", content, reader),
    ].map(({ status }) => status);
    expect(statuses).toEqual([206, 304, 200, 405]);
  });
});

describe("/openapi.json and /docs", () => {
  test("name the address that was asked, and nothing that a stranger writes into Host", async () => {
    const serversFor = async (host: string) => JSON.parse(await askedAs(host, "/openapi.json")).servers;
    expect(await serversFor("receiver.test:8443")).toEqual([{ url: "https://receiver.test:8443" }]);
    expect(await serversFor("[::1]:8443")).toEqual([{ url: "https://[::1]:8443" }]);
    expect(await serversFor("a;b")).toEqual([{ url: "/" }]);
    expect(await askedAs("receiver.test", "/docs")).toContain("export TRIBUTARY_URL=https://receiver.test\n");
    for (const host of ["a;b", '"><b>'])
      expect(await askedAs(host, "/docs")).not.toContain(`https://${host}`);
  });

  test("name publicUrl where it is set", async () => {
    const other = await startRig({ settings: { publicUrl: "https://public.test/" } });
    try {
      expect((await other.ask("GET", "/openapi.json")).json["servers"]).toEqual([
        { url: "https://public.test" },
      ]);
    } finally {
      await other.stop();
    }
  });

  test.for(["/openapi.json", "/docs"])("%s is not sent again to who has it", async (path) => {
    const { headers, status } = await rig.ask("GET", path);
    const etag = String(headers.etag);
    expect([status, headers["cache-control"]]).toEqual([200, "no-cache"]);
    const again = await rig.ask("GET", path, { "if-none-match": etag });
    expect([again.status, again.body.length, again.headers.etag]).toEqual([304, 0, etag]);
    expect((await rig.ask("GET", path, { "if-none-match": '"else"' })).status).toBe(200);
  });

  test("the page runs nothing, loads nothing, and lets in its own style alone", async () => {
    const { body, headers } = await rig.ask("GET", "/docs");
    const text = body.toString();
    const [, style = ""] = /<style>([\s\S]*?)<\/style>/.exec(text) ?? [];
    const digest = createHash("sha256").update(style).digest("base64");
    expect(headers["content-security-policy"]).toContain(`default-src 'none'; style-src 'sha256-${digest}'`);
    expect(text).not.toMatch(/<script|<link|<img|<iframe|\son\w+=|style="|url\(|@import/);
    const targets = [...text.matchAll(/href="([^"]*)"/g)].map(([, target = ""]) => target);
    const anchors = new Set([...text.matchAll(/\sid="([^"]+)"/g)].map(([, id]) => `#${id}`));
    expect(targets.filter((target) => target !== "/openapi.json" && !anchors.has(target))).toEqual([]);
  });

  test("the page shows every call that the receiver has, every problem, and each example word for word", async () => {
    const text = (await rig.ask("GET", "/docs")).body.toString();
    const plain = text
      .replaceAll("&lt;", "<")
      .replaceAll("&gt;", ">")
      .replaceAll("&quot;", '"')
      .replaceAll("&amp;", "&");
    for (const example of EXAMPLES) expect(plain).toContain(`<code>${textOf(example)}</code>`);
    for (const { id } of OPERATIONS)
      expect(text.includes(`<section class="call" id="${id}">`), id).toBe(true);
    expect(text).toContain('<tr id="problem-capture-conflict">');
  });
});
