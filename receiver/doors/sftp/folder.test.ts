import { expect, test } from "vitest";
import type { Look } from "./attributes.ts";
import { OpenFolder } from "./folder.ts";
import type { Listed } from "./listing.ts";

const look: Look = { kind: "file", size: 1, modified: 0, readable: true, writable: true };
const named = (name: string): Listed => ({ name: Buffer.from(name), look });

test("a listing that breaks off is never told to have come to its end", async () => {
  const folder = new OpenFolder(
    look,
    (async function* () {
      yield [named("a"), named("b")];
      throw new Error("the ledger is away");
    })(),
    { owner: "acme", now: 0, release: () => {} },
  );
  for (let i = 0; i < 4; i += 1) await expect(folder.names()).rejects.toThrow("the ledger is away");
});
