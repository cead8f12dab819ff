/** Random captures, retries, removals, other bearers and reopenings against a model of a few Maps. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { addClient } from "./clients.ts";
import { createLedger } from "./commit.ts";
import type { LedgerDatabase } from "./database.ts";
import { createHistory } from "./history.ts";
import type { Place } from "./ledger.contract.ts";
import type { Capture } from "./ledger.ts";
import { again, removal, sign, version, word } from "./samples.ts";
import { createSegments } from "./segments.ts";

type Step =
  | {
      readonly kind: "version";
      readonly path: string;
      readonly text: string;
      readonly by: string;
      readonly bytes: boolean;
    }
  | { readonly kind: "removal"; readonly path: string; readonly by: string }
  | { readonly kind: "retry"; readonly which: number; readonly altered: boolean };

const path = fc.constantFrom("a", "b", "%FF/c");
const by = fc.constantFrom("agent", "key", "reader");
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant("version"),
      path,
      text: fc.constantFrom("", "A", "B"),
      by,
      bytes: fc.boolean(),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("removal"), path, by }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("retry"), which: fc.nat(), altered: fc.boolean() }) },
);
/** Each inner list is one commit; undefined reopens the ledger. */
const runs = fc.array(
  fc.option(fc.array(step, { minLength: 1, maxLength: 6 }), { nil: undefined, freq: 6 }),
  { maxLength: 14 },
);

interface Line {
  readonly id: string;
  readonly path: string;
  /** Undefined is a removal. */
  readonly text: string | undefined;
  readonly by: string;
}

/** What the ledger must do, as plainly as it can be said. */
class Model {
  readonly lines: Line[] = [];
  /** By captureId: its content, once it was recorded. */
  readonly recorded = new Map<string, string>();
  readonly sent: Capture[] = [];

  captureOf(step: Step): Capture {
    if (step.kind === "retry") {
      const before = this.sent[step.which % Math.max(this.sent.length, 1)];
      if (before === undefined) return removal("a");
      const capture = again(before);
      return step.altered ? { ...capture, pathEncoded: "altered" } : capture;
    }
    const bearer = { id: step.by, seesAll: step.by === "reader" };
    const capture =
      step.kind === "removal"
        ? removal(step.path, { bearer, hearsOfNothing: bearer.seesAll })
        : version(step.path, step.text, { bearer, ...(step.bytes ? {} : { key: null }) });
    this.sent.push(capture);
    return capture;
  }

  expect(capture: Capture): string {
    const text = capture.kind === "version" ? capture.sha256 : undefined;
    const content = JSON.stringify([capture.kind, capture.pathEncoded, text]);
    const known = this.recorded.get(capture.captureId);
    if (known !== undefined) return known === content ? "repeated" : "capture-conflict";
    const head = this.lines.findLast((line) => line.path === capture.pathEncoded);
    const mayKnow = capture.bearer.seesAll || head?.by === capture.bearer.id;
    const unchanged =
      capture.kind === "removal"
        ? head?.text === undefined && (capture.hearsOfNothing || head?.by === capture.bearer.id)
        : head !== undefined && head.text === text && mayKnow;
    if (!unchanged && capture.kind === "version" && capture.key === null) return "needs-bytes";
    this.recorded.set(capture.captureId, content);
    if (unchanged) return "unchanged";
    this.lines.push({ id: capture.versionId, path: capture.pathEncoded, text, by: capture.bearer.id });
    return "committed";
  }
}

export function modelContract(newPlace: () => Promise<Place>, numRuns: number): void {
  test("random histories are as the model says", { timeout: 120_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(runs, async (commits) => {
        const place = await newPlace();
        let database: LedgerDatabase = await place();
        await addClient(database.db, "acme");
        const model = new Model();
        const states: { readonly at: string; readonly latest: string[] }[] = [];
        for (const steps of commits) {
          if (steps === undefined) {
            await database.close();
            database = await place();
            continue;
          }
          const captures = steps.map((one) => model.captureOf(one));
          const before = model.lines.length;
          const expected = captures.map((capture) => model.expect(capture));
          const { outcomes, segment } = await createLedger(database).commit(captures, sign);
          expect(outcomes.map(word)).toEqual(expected);
          expect(segment?.lines.map((line) => line.versionId) ?? []).toEqual(
            model.lines.slice(before).map((line) => line.id),
          );
          if (segment !== undefined)
            states.push({ at: segment.lines[0]?.receivedAt as string, latest: latestOf(model.lines) });
        }
        const history = createHistory(database.db);
        const all = await history.since(0, 1000);
        expect(all.map((line) => line.versionId)).toEqual(model.lines.map((line) => line.id));
        const left = await Array.fromAsync(createSegments(database).unwritten(0));
        expect(left.flatMap((one) => one.lines)).toEqual(all);
        const latest = async (asOf?: string) =>
          (
            await history.page({
              clients: ["acme"],
              latest: true,
              limit: 100,
              ...(asOf === undefined ? {} : { asOf }),
            })
          ).entries.map((entry) => entry.versionId);
        expect(await latest()).toEqual(latestOf(model.lines));
        for (const state of states) expect(await latest(state.at)).toEqual(state.latest);
        await database.close();
      }),
      { numRuns },
    );
  });
}

function latestOf(lines: readonly Line[]): string[] {
  return lines
    .filter(
      (line, i) => line.text !== undefined && !lines.slice(i + 1).some((later) => later.path === line.path),
    )
    .map((line) => line.id);
}
