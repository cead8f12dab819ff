/** The look that begins where the one before ended, against one that always begins at the start: random puts, takes, ends, admissions. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, expect, test } from "vitest";
import { aside, delivered, seenOf, superseded, version } from "./queue.contract.ts";
import type { Admission, ParcelEnd, VersionParcel } from "./queue.ts";
import { openQueue } from "./sqlite.ts";

const home = mkdtempSync(join(tmpdir(), "ready-"));
afterAll(() => rmSync(home, { recursive: true, force: true }));

interface Model {
  readonly parcel: VersionParcel;
  due: number;
  out: boolean;
  aside: boolean;
}

const SOURCES = ["a", "b"];
const source = fc.constantFrom(...SOURCES);
const step = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant("put" as const),
      source,
      files: fc.array(fc.record({ path: fc.nat(5), size: fc.nat(3) }), { minLength: 1, maxLength: 12 }),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant("take" as const),
      limit: fc.integer({ min: 1, max: 9 }),
      held: fc.constantFrom(undefined, ...SOURCES),
      below: fc.constantFrom(undefined, 1, 2),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant("end" as const),
      picks: fc.array(fc.nat(), { minLength: 1, maxLength: 4 }),
      how: fc.constantFrom<ParcelEnd>(delivered, superseded, aside),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant("postpone" as const),
      pick: fc.nat(),
      ms: fc.integer({ min: 1, max: 30 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant("giveBack" as const),
      picks: fc.array(fc.nat(), { minLength: 1, maxLength: 4 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant("wait" as const), ms: fc.integer({ min: 1, max: 40 }) }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("wakeAll" as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("wakeSource" as const), source }) },
);

test("nothing that may go is passed over, and nothing goes that may not", () => {
  let runs = 0;
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const queue = openQueue(join(home, `${++runs}.sqlite`));
      let model: Model[] = [];
      let now = 1;
      const heads = (): Model[] => {
        const paths = new Set<string>();
        return model.filter((one) => {
          const path = `${one.parcel.source}/${one.parcel.path}`;
          if (one.aside || paths.has(path)) return false;
          paths.add(path);
          return true;
        });
      };
      const ready = (): Model[] => heads().filter(({ out, due }) => !out && due <= now);
      const outs = (): Model[] => model.filter(({ out }) => out);
      const pick = (picks: readonly number[]): Model[] => {
        const all = outs();
        return all.length === 0 ? [] : [...new Set(picks.map((n) => all[n % all.length] as Model))];
      };
      try {
        for (const one of steps) {
          switch (one.do) {
            case "put": {
              const parcels = one.files.map(({ path, size }) =>
                version(`${path}`, "x".repeat(size), {
                  source: one.source,
                  sha256: `${path}${size}`.padEnd(64, "0"),
                }),
              );
              queue
                .intake("acme", one.source)
                .put(parcels.map((parcel) => ({ parcel, seen: seenOf(parcel) })));
              model.push(...parcels.map((parcel) => ({ parcel, due: 0, out: false, aside: false })));
              break;
            }
            case "take": {
              const may = (place: string, size: number): Admission => {
                if (place === one.held) return "no";
                return one.below === undefined || size < one.below ? "yes" : { below: one.below };
              };
              const able = ready().filter(({ parcel }) => may(parcel.source, parcel.state.size) === "yes");
              const taken = queue.outbox.take(one.limit, now, (_id, place, size) => may(place.source, size));
              const ids = taken.map(({ parcel }) => parcel.captureId);
              expect(ids).toHaveLength(Math.min(one.limit, able.length));
              // Of each source the oldest, in their order.
              for (const name of SOURCES) {
                const of = (list: readonly { parcel: { source: string; captureId: string } }[]): string[] =>
                  list.filter(({ parcel }) => parcel.source === name).map(({ parcel }) => parcel.captureId);
                expect(of(taken)).toEqual(of(able).slice(0, of(taken).length));
              }
              for (const each of model) if (ids.includes(each.parcel.captureId)) each.out = true;
              break;
            }
            case "end": {
              const ended = pick(one.picks);
              queue.outbox.endAll(ended.map(({ parcel }) => ({ captureId: parcel.captureId, end: one.how })));
              for (const each of ended) each.out = false;
              if (one.how.kind === "aside") for (const each of ended) each.aside = true;
              else {
                const overtaken = (each: Model): boolean =>
                  one.how.kind === "delivered" &&
                  each.aside &&
                  ended.some(
                    ({ parcel }) =>
                      parcel.source === each.parcel.source && parcel.path.equals(each.parcel.path),
                  );
                model = model.filter((each) => !ended.includes(each) && !overtaken(each));
              }
              break;
            }
            case "postpone": {
              const [each] = pick([one.pick]);
              if (each === undefined) break;
              const problem = { code: "source-unreachable", detail: "" } as const;
              queue.outbox.postpone([{ captureId: each.parcel.captureId, until: now + one.ms, problem }]);
              each.out = false;
              each.due = now + one.ms;
              break;
            }
            case "giveBack": {
              const back = pick(one.picks);
              queue.outbox.giveBack(back.map(({ parcel }) => parcel.captureId));
              for (const each of back) each.out = false;
              break;
            }
            case "wait":
              now += one.ms;
              break;
            case "wakeAll":
              queue.outbox.wakeAll();
              for (const each of heads()) each.due = 0;
              break;
            case "wakeSource":
              queue.outbox.wakeSource(one.source);
              for (const each of heads()) if (each.parcel.source === one.source) each.due = 0;
              break;
          }
        }
        // In the end everything that waits can be had.
        for (const each of outs()) each.out = false;
        queue.outbox.giveBack(model.map(({ parcel }) => parcel.captureId));
        queue.outbox.wakeAll();
        for (const each of heads()) each.due = 0;
        expect(queue.outbox.take(10_000, now)).toHaveLength(ready().length);
      } finally {
        queue.close();
        rmSync(join(home, `${runs}.sqlite`), { force: true });
      }
    }),
    { numRuns: 150 },
  );
});
