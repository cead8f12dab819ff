/** Opening a ledger: many at once, an older program, and who may work on it as a whole. */
import { expect, test } from "vitest";
import { createHistory } from "./history.ts";
import { type KnownLake, openLakeOf } from "./lake.ts";
import type { Place } from "./ledger.contract.ts";

/** `openings`: migrate and open the same new ledger from so many receivers at once. */
export function openingContract(newPlace: () => Promise<Place>, several: "one receiver" | "many receivers") {
  test("receivers that start at the same time migrate once and agree on the epoch", async () => {
    const place = await newPlace();
    const opened = await Promise.all(Array.from({ length: 4 }, () => place()));
    const positions = await Promise.all(opened.map(({ db }) => createHistory(db).position()));
    expect(new Set(positions.map((position) => position.epoch)).size).toBe(1);
    expect(positions[0]?.seq).toBe(0);
  });

  test("a ledger that a newer program wrote is refused, and left as it is", async () => {
    const place = await newPlace();
    const { db } = await place();
    await db
      .insertInto("migrations" as never)
      .values({ number: 9999, name: "9999-later.sql", applied_at: 1 } as never)
      .execute();
    await expect(place()).rejects.toMatchObject({
      code: "ledger-refused",
      message: expect.stringContaining("newer tributary-receiver"),
    });
  });

  test("receivers that open the lake for the first time together make one lake, and it is the ledger's from then on", async () => {
    const place = await newPlace();
    const ledgers = await Promise.all(Array.from({ length: 3 }, () => place()));
    const asked: KnownLake[] = [];
    let made: string | undefined;
    const open = async (known: KnownLake) => {
      asked.push(known);
      await new Promise((resolve) => setTimeout(resolve, 20));
      made ??= known.lake ?? `lake-${asked.length}`;
      return { id: made };
    };
    const lakes = await Promise.all(ledgers.map(({ db }) => openLakeOf(db, open)));
    expect(lakes).toEqual([{ id: "lake-1" }, { id: "lake-1" }, { id: "lake-1" }]);
    expect(asked.map(({ lake }) => lake)).toEqual([undefined, "lake-1", "lake-1"]);
    const { db } = ledgers[0] as (typeof ledgers)[number];
    await db.updateTable("site").set({ lake: null }).execute();
    const refused = openLakeOf(db, () => Promise.reject(new Error("it is another's")));
    await expect(refused).rejects.toThrow("it is another's");
    await db.updateTable("site").set({ last_seq: 1 }).execute();
    await openLakeOf(db, open);
    expect(asked.at(-1)).toEqual({ lake: undefined, begun: true });
  });

  test("rebuild and restore work alone; a receiver does not start beside them", async () => {
    const place = await newPlace();
    const [one, two] = [(await place()).siteLock, (await place()).siteLock];
    const serving = await one.share(() => {});
    await expect(two.alone()).rejects.toMatchObject({ code: "ledger-refused" });
    const second = two.share(() => {});
    if (several === "many receivers") await (await second).release();
    else await expect(second).rejects.toMatchObject({ code: "ledger-refused" });
    await serving.release();
    const alone = await two.alone();
    await expect(one.share(() => {})).rejects.toMatchObject({ code: "ledger-refused" });
    await expect(one.alone()).rejects.toMatchObject({ code: "ledger-refused" });
    await expect(one.beside()).rejects.toMatchObject({ code: "ledger-refused" });
    await alone.release();
    await (await one.share(() => {})).release();
  });

  test("a sweep runs beside a receiver and other sweeps, never beside a rebuild", async () => {
    const place = await newPlace();
    const [one, two] = [(await place()).siteLock, (await place()).siteLock];
    const sweeping = [await one.beside(), await two.beside()];
    const serving = await one.share(() => {});
    sweeping.push(await two.beside());
    await serving.release();
    await expect(two.alone()).rejects.toMatchObject({ code: "ledger-refused" });
    for (const held of sweeping) await held.release();
    await (await two.alone()).release();
  });
}
