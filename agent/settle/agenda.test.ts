import fc from "fast-check";
import { expect, test } from "vitest";
import { Agenda } from "./agenda.ts";

test("an agenda is a map of due times, however it was filled", () => {
  const key = fc.constantFrom("a", "b", "c", "d", "e", "f", "g");
  const step = fc.oneof(
    fc.record({ do: fc.constantFrom("set", "earliest"), key, due: fc.nat(100) }),
    fc.record({ do: fc.constant("delete"), key, due: fc.constant(0) }),
    fc.record({ do: fc.constant("take"), key, due: fc.nat(100) }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 300 }), (steps) => {
      const agenda = new Agenda();
      const model = new Map<string, number>();
      for (const { do: act, key: k, due } of steps) {
        if (act === "set") {
          agenda.set(k, due);
          model.set(k, due);
        } else if (act === "earliest") {
          agenda.setEarliest(k, due);
          model.set(k, Math.min(due, model.get(k) ?? due));
        } else if (act === "delete") {
          agenda.delete(k);
          model.delete(k);
        } else {
          const expected = [...model].filter(([, at]) => at <= due);
          const taken = agenda.take(due);
          expect(taken.toSorted()).toEqual(expected.map(([name]) => name).toSorted());
          expect(taken.map((name) => model.get(name) as number)).toEqual(
            expected.map(([, at]) => at).toSorted((a, b) => a - b),
          );
          for (const name of taken) model.delete(name);
        }
        expect(agenda.next()).toBe(model.size === 0 ? undefined : Math.min(...model.values()));
        expect(agenda.size).toBe(model.size);
      }
    }),
  );
});
