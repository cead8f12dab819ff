/** The queue against a Map: random put, take, postpone, end, and a crash (the files copied as they lie, then reopened). */
import { spawn } from "node:child_process";
import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { expect, test } from "vitest";
import { aside, delivered, seenOf, superseded, version } from "./queue.contract.ts";
import type { ParcelEnd, VersionParcel } from "./queue.ts";
import { openQueue, type SqliteQueue } from "./sqlite.ts";

interface Model {
  parcel: VersionParcel;
  due: number;
  out: boolean;
  aside: boolean;
}

const pathName = fc.constantFrom("a", "b", "d/a", "d/b");
const step = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant("put"),
      paths: fc.array(pathName, { minLength: 1, maxLength: 4 }),
    }),
  },
  { weight: 4, arbitrary: fc.record({ do: fc.constant("take"), limit: fc.integer({ min: 1, max: 5 }) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant("postpone"),
      pick: fc.nat(),
      ms: fc.integer({ min: 1, max: 50 }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant("end"),
      picks: fc.array(fc.nat(), { minLength: 1, maxLength: 3 }),
      how: fc.constantFrom<ParcelEnd>(delivered, superseded, aside),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("wait"), ms: fc.integer({ min: 1, max: 60 }) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("crash") }) },
);

test("the queue is a list of parcels with one head a path, over any crash", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      let folder = mkdtempSync(join(tmpdir(), "queue-"));
      let queue: SqliteQueue = openQueue(join(folder, "queue.sqlite"));
      let model: Model[] = [];
      let now = 1;
      const sentOf = new Map<string, string[]>();
      try {
        for (const one of steps as ({ do: string } & Record<string, never>)[]) {
          const at = one as unknown as {
            do: string;
            paths: string[];
            limit: number;
            pick: number;
            picks: number[];
            ms: number;
            how: ParcelEnd;
          };
          const out = model.filter((m) => m.out);
          if (at.do === "put") {
            const parcels = at.paths.map((path) => version(path, `${now}`));
            queue.intake("acme", "pos").put(parcels.map((parcel) => ({ parcel, seen: seenOf(parcel) })));
            model.push(...parcels.map((parcel) => ({ parcel, due: 0, out: false, aside: false })));
          } else if (at.do === "take") {
            const heads = model.filter(
              (m, i) =>
                !m.aside && !model.slice(0, i).some((e) => !e.aside && e.parcel.path.equals(m.parcel.path)),
            );
            const expected = heads.filter((m) => !m.out && m.due <= now).slice(0, at.limit);
            const taken = queue.outbox.take(at.limit, now).map((w) => w.parcel.captureId);
            expect(taken).toEqual(expected.map((m) => m.parcel.captureId));
            for (const m of expected) m.out = true;
          } else if (at.do === "postpone" && out.length > 0) {
            const m = out[at.pick % out.length]!;
            queue.outbox.postpone([
              {
                captureId: m.parcel.captureId,
                until: now + at.ms,
                problem: { code: "busy", detail: "later" },
              },
            ]);
            m.due = now + at.ms;
            m.out = false;
          } else if (at.do === "end" && out.length > 0) {
            const ended = [...new Set(at.picks.map((pick) => out[pick % out.length]!))];
            queue.outbox.endAll(ended.map((m) => ({ captureId: m.parcel.captureId, end: at.how })));
            for (const m of ended) {
              m.out = false;
              if (at.how.kind === "aside") m.aside = true;
              else model = model.filter((other) => other !== m);
              if (at.how.kind === "delivered") {
                // What was set aside before it has no turn any more.
                const { path: of, captureId } = m.parcel;
                model = model.filter(
                  (o) => !(o.aside && o.parcel.path.equals(of) && o.parcel.captureId < captureId),
                );
                const path = m.parcel.path.toString();
                sentOf.set(path, [...(sentOf.get(path) ?? []), m.parcel.captureId]);
              }
            }
          } else if (at.do === "wait") now += at.ms;
          else if (at.do === "crash") {
            const next = mkdtempSync(join(tmpdir(), "queue-"));
            cpSync(folder, next, { recursive: true });
            queue.close();
            rmSync(folder, { recursive: true });
            folder = next;
            queue = openQueue(join(folder, "queue.sqlite"));
            for (const m of model) m.out = false;
          }
          const waiting = model.filter((m) => !m.aside);
          expect(queue.status.waiting(1000).map((w) => w.captureId)).toEqual(
            waiting.map((m) => m.parcel.captureId),
          );
          expect(queue.status.depth()).toMatchObject({
            depth: waiting.length,
            aside: model.length - waiting.length,
          });
        }
        for (const ids of sentOf.values()) expect(ids).toEqual(ids.toSorted());
      } finally {
        queue.close();
        rmSync(folder, { recursive: true });
      }
    }),
    { numRuns: 60 },
  );
}, 60_000);

const WRITER = `
import { openQueue } from ${JSON.stringify(new URL("./sqlite.ts", import.meta.url).href)};
const queue = openQueue(process.argv[1]);
const intake = queue.intake("acme", "pos");
for (let i = 0; ; i += 1) {
  const path = Buffer.from("f" + i);
  const state = { size: i, mtimeNs: 1n, ctimeNs: 1n, fileId: undefined };
  const parcel = { kind: "version", captureId: "c" + i, client: "acme", source: "pos", path, sealedAt: "t", state, sha256: "00", partDigests: undefined, spooled: undefined };
  intake.put([{ parcel, seen: { path, state, sha256: "00", sealedAt: 1, missed: 0 } }]);
  process.stdout.write(i + "\\n");
}`;

test("kill -9 at any moment: every parcel that was put is there, with its seen state", async () => {
  for (let round = 0; round < 3; round += 1) {
    const folder = mkdtempSync(join(tmpdir(), "queue-"));
    const file = join(folder, "queue.sqlite");
    const child = spawn(process.execPath, ["--input-type=module", "-e", WRITER, file]);
    let said = "";
    child.stdout.on("data", (chunk) => {
      said += String(chunk);
      if (said.split("\n").length > 20 + round * 7) child.kill("SIGKILL");
    });
    await new Promise((resolve) => child.on("close", resolve));
    const acknowledged = said.slice(0, said.lastIndexOf("\n")).split("\n").length;
    expect(acknowledged).toBeGreaterThan(10);
    const queue = openQueue(file);
    const waiting = queue.status.waiting(100_000);
    expect(waiting.length).toBeGreaterThanOrEqual(acknowledged);
    for (const { path, size } of waiting)
      expect(queue.intake("acme", "pos").seen(path)?.state.size).toBe(size);
    queue.close();
    rmSync(folder, { recursive: true });
  }
}, 60_000);
