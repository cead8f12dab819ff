/** A receipt stands for itself: anybody with the site's keys can check it, and nobody can change it. */

import { ROUTE } from "@tributary/shared/protocol.ts";
import { verifyReceipt } from "@tributary/shared/receipt.ts";
import { expect } from "vitest";
import { manifestOf } from "../../site/lake.ts";
import type { Case } from "../conformance.ts";
import { SOURCE, sha256 } from "../scene.ts";

export const receipts: readonly Case[] = [
  {
    name: "receipts: say what was sent, verify with the site's keys, and are those of the manifest",
    run: async (scene) => {
      const file = { path: Buffer.from("receipts/a=b"), bytes: Buffer.from("receipted") };
      const { receipt, claims } = await scene.bring(file);
      const { body: keys } = await (await scene.reader()).call("GET", ROUTE.jwks);
      expect(verifyReceipt(receipt, keys)).toEqual(claims);
      expect(claims).toMatchObject({
        ...{ client: scene.client, source: SOURCE, pathEncoded: "receipts/a%3Db", status: "created" },
        ...{ size: 9, sha256: sha256(file.bytes), agentId: (await scene.sender()).bearer },
      });
      const [header, payload, signature] = receipt.split(".") as [string, string, string];
      const forged = Buffer.from(JSON.stringify({ ...claims, size: 10 })).toString("base64url");
      expect(payload).not.toBe(forged);
      expect(() => verifyReceipt(`${header}.${forged}.${signature}`, keys)).toThrow(/signature/);
      const line = (await manifestOf(scene.site.lake)).find(
        ({ versionId }) => versionId === claims.versionId,
      );
      expect(line).toMatchObject({ receipt, captureId: claims.captureId, pathEncoded: claims.pathEncoded });
    },
  },
];
