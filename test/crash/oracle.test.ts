/** The oracle is tested before it is believed: a planted fault of each class must be found, and a clean run must pass. */
import type { Entry, ManifestLine } from "@tributary/shared/protocol.ts";
import { describe, expect, test } from "vitest";
import { type Acknowledged, type Deed, type Found, judge, type Truth } from "./oracle.ts";

const A = "a".repeat(64);
const B = "b".repeat(64);
const C = "c".repeat(64);
const done = (...deeds: (readonly [string | null, "settled" | "brief"])[]): Deed[] =>
  deeds.map(([sha256, how]) => ({ sha256, settled: how === "settled" }));

/** What both sides say when these contents arrived in this order for the path "f". */
function found(...contents: (string | null)[]): Found & {
  ledger: Entry[];
  manifest: ManifestLine[];
  lake: Map<string, string>;
  receipts: Acknowledged[];
} {
  const ledger = contents.map(
    (sha256, i): Entry => ({
      versionId: `v${i}`,
      kind: sha256 === null ? "removal" : "version",
      client: "c",
      source: "s",
      path: "f",
      pathEncoded: "f",
      size: sha256 === null ? null : 1,
      sha256,
      captureId: `capture${i}`,
      modifiedAt: null,
      sealedAt: null,
      receivedAt: "2026-01-01T00:00:00.000Z",
      channel: "push",
      agentId: "a",
      key: sha256 === null ? null : `raw/v${i}`,
    }),
  );
  return {
    ledger,
    manifest: ledger.map((entry, i) => ({ ...entry, seq: i + 1, receipt: `r${i}` })),
    lake: new Map(ledger.flatMap((e) => (e.key === null ? [] : [[e.key, e.sha256 as string] as const]))),
    receipts: ledger.map((e) => ({
      pathEncoded: "f",
      captureId: e.captureId,
      versionId: e.versionId,
      status: e.kind === "removal" ? "removed" : "created",
      sha256: e.sha256,
    })),
  };
}
const kinds = (truth: Truth, f: Found): string[] => [...new Set(judge(truth, f).map((v) => v.kind))];
const path = (...deeds: Parameters<typeof done>): Truth => new Map([["f", done(...deeds)]]);

describe("the oracle passes", () => {
  test.for([
    ["every state", path([A, "settled"], [B, "settled"], [A, "settled"]), found(A, B, A)],
    ["a brief state left out", path([A, "settled"], [B, "brief"], [C, "settled"]), found(A, C)],
    ["the same bytes again", path([A, "settled"], [B, "brief"], [A, "settled"]), found(A)],
    ["removal and return", path([A, "settled"], [null, "settled"], [A, "settled"]), found(A, null, A)],
    ["a removal of what never arrived", path([A, "brief"], [null, "settled"]), found()],
  ] as const)("%s", ([, truth, f]) => expect(judge(truth, f)).toEqual([]));
});

describe("the oracle finds", () => {
  const truth = path([A, "settled"], [B, "settled"], [C, "settled"]);
  test("a lost file", () => {
    expect(kinds(truth, found(A, C))).toEqual(["lost"]);
    expect(kinds(truth, found(A, B))).toEqual(["lost"]);
    expect(kinds(truth, found())).toEqual(["lost"]);
    expect(kinds(path([A, "settled"], [null, "settled"]), found(A))).toEqual(["order"]);
  });
  test("a doubled version", () => {
    expect(kinds(truth, found(A, B, B, C))).toContain("doubled");
    expect(kinds(truth, found(A, B, C, B, C))).toEqual(["order"]);
    const twice = found(A, B, C);
    (twice.ledger[2] as { captureId: string }).captureId = "capture1";
    expect(kinds(truth, twice)).toContain("doubled");
  });
  test("swapped order", () => expect(kinds(truth, found(B, A, C))).toEqual(["order"]));
  test("bytes that never were", () =>
    expect(kinds(truth, found(A, B, "d".repeat(64), C))).toEqual(["invented"]));
  test("a receipt too early", () => {
    const f = found(A, B, C);
    f.receipts.push({ pathEncoded: "f", captureId: "x", versionId: "v9", status: "created", sha256: A });
    expect(kinds(truth, f)).toEqual(["early-receipt"]);
    const swapped = found(A, B, C);
    (swapped.receipts[0] as { sha256: string }).sha256 = B;
    expect(kinds(truth, swapped)).toEqual(["early-receipt"]);
  });
  test("a manifest that is not the ledger", () => {
    for (const spoil of [
      (f: ReturnType<typeof found>) => f.manifest.pop(),
      (f: ReturnType<typeof found>) =>
        f.manifest.push({ ...(f.manifest[0] as ManifestLine), versionId: "v9", seq: 9 }),
      (f: ReturnType<typeof found>) => f.manifest.push(f.manifest[0] as ManifestLine),
      (f: ReturnType<typeof found>) => {
        (f.manifest[0] as { size: number }).size = 7;
      },
      (f: ReturnType<typeof found>) => {
        (f.manifest[0] as { seq: number }).seq = 7;
      },
    ]) {
      const f = found(A, B, C);
      spoil(f);
      expect(kinds(truth, f)).toEqual(["manifest"]);
    }
  });
  test("bytes that are gone or other", () => {
    const gone = found(A, B, C);
    gone.lake.delete("raw/v1");
    expect(kinds(truth, gone)).toEqual(["bytes"]);
    const other = found(A, B, C);
    other.lake.set("raw/v1", A);
    expect(kinds(truth, other)).toEqual(["bytes"]);
  });
});
