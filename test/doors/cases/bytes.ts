/** What comes in is what was sent: in the lake, in the ledger, and when it is read again. */
import { randomBytes } from "node:crypto";
import { gzipSync } from "node:zlib";
import { encodePath } from "@tributary/shared/path.ts";
import type { Entry } from "@tributary/shared/protocol.ts";
import { expect } from "vitest";
import { get } from "../../site/site.ts";
import type { Case } from "../conformance.ts";
import { SOURCE, sha256 } from "../scene.ts";
import { tarOf } from "../tar.ts";

const MIB = 2 ** 20;
const inner = { path: Buffer.from("inner"), bytes: Buffer.from("not a file of its own"), records: {} };

const CONTENTS: Readonly<Record<string, () => Buffer>> = {
  "no byte": () => Buffer.alloc(0),
  "one byte": () => Buffer.from([0]),
  "4 KiB": () => randomBytes(4096),
  "300 KiB": () => randomBytes(300 * 1024),
  "9 MiB, more than a part": () => randomBytes(9 * MIB),
  "17 MiB, more than two parts": () => randomBytes(17 * MIB),
  "text of Windows": () => Buffer.from("a;b\r\n1;2\r\n\u001a"),
  "a gzip file": () => gzipSync(randomBytes(2000)),
  "a tar": () => tarOf([inner]),
  "zeros, as a tar ends": () => Buffer.alloc(1024),
};

export const bytes: readonly Case[] = Object.entries(CONTENTS).map(([name, make]) => ({
  name: `bytes: ${name}`,
  run: async (scene) => {
    const file = { path: Buffer.from(`bytes/${name}`), bytes: make() };
    const { claims } = await scene.bring(file);
    expect(claims.status).toBe("created");
    const [entry, ...more] = await scene.entries(file.path);
    expect(more).toEqual([]);
    const { versionId, captureId, size, channel, receivedAt, agentId } = claims;
    expect(entry).toMatchObject({
      ...{ kind: "version", client: scene.client, source: SOURCE, pathEncoded: encodePath(file.path) },
      ...{ versionId, captureId, size, sha256: sha256(file.bytes), channel, receivedAt, agentId },
    });
    expect((await scene.object(entry as Entry)).equals(file.bytes)).toBe(true);
    expect((await scene.content(versionId)).equals(file.bytes)).toBe(true);
    if (file.bytes.length > 16 * MIB)
      expect((await get(scene.site, versionId)).equals(file.bytes)).toBe(true);
  },
}));
