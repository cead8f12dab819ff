/** What strangers depend on: the wire's schemas, a line of the manifest, the keys of the lake. A change here breaks somebody. */
import { generateKeyPairSync } from "node:crypto";
import { join } from "node:path";
import { encodePath } from "@tributary/shared/path.ts";
import * as protocol from "@tributary/shared/protocol.ts";
import { receiptClaims, signReceipt } from "@tributary/shared/receipt.ts";
import { expect, test } from "vitest";
import { z } from "zod";
import { objectKey, segmentKey } from "../../receiver/lake/key.ts";
import { ROOT } from "../site/process.ts";
import { expectGolden } from "./golden.ts";

const at = (name: string): string => join(ROOT, "test", "golden", name);

test("the wire", () => {
  const schemas = Object.entries<unknown>({ ...protocol, receiptClaims })
    .flatMap(([name, schema]) =>
      schema instanceof z.ZodType ? [[name, z.toJSONSchema(schema, { io: "input" })] as const] : [],
    )
    .toSorted(([a], [b]) => (a < b ? -1 : 1));
  expect(schemas.length).toBeGreaterThan(15);
  expectGolden(
    at("wire.golden.json"),
    `${JSON.stringify({ routes: protocol.ROUTE, headers: protocol.HEADER, parts: protocol.PARTS, schemas: Object.fromEntries(schemas) }, null, 2)}\n`,
  );
});

const versionId = "01890a5d-ac96-774b-bcce-b302099a8057";
const names: Buffer[] = [
  "plain.csv",
  "sub/folder/plain.csv",
  "client=evil/source=x.csv",
  "100%+\\.txt",
  "Größe/été.xlsx",
  "line\nbreak",
  "CON.txt",
  "trailing.",
  "no-extension",
  ".hidden",
  `${"long".repeat(60)}.parquet`,
  `${"ü".repeat(120)}.csv`,
  Array.from({ length: 20 }, (_, i) => `${i}-${"d".repeat(190)}`).join("/"),
  `${"x".repeat(230)}.${"e".repeat(24)}`,
].map((name) => Buffer.from(name));

test("the keys of the lake", () => {
  const keys = [...names, Buffer.from([0xff, 0xfe, 0x2e, 0x63]), Buffer.from([0xed, 0xa0, 0x80])].map(
    (name) =>
      objectKey({
        client: "acme",
        source: "pos",
        date: "2026-01-31",
        versionId,
        pathEncoded: encodePath(name),
      }),
  );
  expectGolden(
    at("lake-keys.txt"),
    `${[...keys, segmentKey({ date: "2026-01-31", id: versionId })].join("\n")}\n`,
  );
});

test("a line of the manifest", () => {
  // A key pair of its own each time: the signature is cut off before comparing.
  const { privateKey } = generateKeyPairSync("ed25519");
  const entry = {
    versionId,
    kind: "version" as const,
    client: "acme",
    source: "pos",
    path: "a=b.csv",
    pathEncoded: "a%3Db.csv",
    size: 3,
    sha256: "a".repeat(64),
    captureId: "01890a5d-ac96-774b-bcce-b302099a8058",
    modifiedAt: "2026-01-31T04:59:58.123Z",
    sealedAt: "2026-01-31T05:00:00.000Z",
    receivedAt: "2026-01-31T05:00:00.500Z",
    channel: "push",
    agentId: "01890a5d-ac96-774b-bcce-b302099a8059",
    key: `raw/client=acme/source=pos/date=2026-01-31/${versionId}/a%3Db.csv`,
  };
  const { client, source, pathEncoded, size, sha256, captureId, receivedAt, channel, agentId } = entry;
  const receipt = signReceipt(
    {
      iss: "0b8f2f0a-6a5e-4a5e-9c1f-1f2e3d4c5b6a",
      client,
      source,
      pathEncoded,
      versionId,
      captureId,
      size,
      sha256,
      status: "created",
      receivedAt,
      channel,
      agentId,
    },
    privateKey,
    "kid",
  );
  const line = JSON.stringify(
    protocol.manifestLine.parse({
      ...entry,
      seq: 7,
      receipt: `${receipt.split(".").slice(0, 2).join(".")}.`,
    }),
  );
  expectGolden(at("manifest-line.jsonl"), `${line}\n`);
});
