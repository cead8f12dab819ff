import fc from "fast-check";
import { expect, test } from "vitest";
import { key } from "../../source/bytes.ts";
import { type Listed, listedFile, listedFolder } from "./names.ts";
import { inNameOrder, stemsOf } from "./order.ts";

/** As S3 gives them: in the order of keys, in pages of this many. */
async function* pagesOf(files: readonly string[], folders: readonly string[], size: number) {
  const rests = [...files, ...folders.map((one) => `${one}/`)].sort((a, b) =>
    Buffer.compare(Buffer.from(a), Buffer.from(b)),
  );
  for (let i = 0; i < rests.length; i += size)
    yield {
      more: i + size < rests.length,
      listed: rests.slice(i, i + size).map((text): Listed => {
        const rest = Buffer.from(text);
        if (text.endsWith("/")) return listedFolder(rest);
        const state = { size: 1, mtimeNs: 0n, ctimeNs: 0n, fileId: undefined };
        return listedFile(rest, 1, "", () => ({ kind: "file", name: rest, state })) as Listed;
      }),
    };
}

test("whatever the names and the pages, everything comes once, in the order of names", async () => {
  const name = fc
    .array(fc.constantFrom("a", "b", "-", ".", " ", "0", "é"), { minLength: 1, maxLength: 6 })
    .map((parts) => parts.join(""))
    .filter((text) => text !== "." && text !== "..");
  const some = fc.uniqueArray(name, { maxLength: 40 });
  await fc.assert(
    fc.asyncProperty(some, some, fc.integer({ min: 1, max: 7 }), async (files, folders, size) => {
      const entries = (
        await Array.fromAsync(
          inNameOrder(pagesOf(files, folders, size), async (one) => folders.includes(String(one))),
        )
      ).flat();
      const expected = [
        ...files.map((one) => `${key(Buffer.from(one))} file`),
        ...folders.map((one) => `${key(Buffer.from(one))} folder`),
      ];
      const found = entries.map((one) => `${key(one.name)} ${one.kind}`);
      expect([...found].sort()).toEqual([...expected].sort());
      const names = entries.map((one) => key(one.name));
      expect(names).toEqual([...names].sort());
    }),
    { numRuns: 2_000 },
  );
});

test("a folder that is made while it is listed waits for the next look, and breaks no order", async () => {
  const pages = pagesOf(["a-1", "a-2", "a-3"], ["a"], 1);
  const entries = (await Array.fromAsync(inNameOrder(pages, async () => false))).flat();
  expect(entries.map(({ name }) => String(name))).toEqual(["a-1", "a-2", "a-3"]);
});

test("only a folder that the last name begins with is asked for, and once", async () => {
  const asked: string[] = [];
  const names = Array.from({ length: 1_000 }, (_, i) => `report-2024-${String(i).padStart(4, "0")}.csv`);
  await Array.fromAsync(
    inNameOrder(pagesOf(names, [], 10), async (one) => {
      asked.push(String(one));
      return false;
    }),
  );
  expect(asked.filter((one) => one === "report" || one === "report-2024")).toEqual(["report", "report-2024"]);
  expect(asked.length).toBe(2 + 99);
});

test("stems end where a byte before the slash follows", () => {
  expect(stemsOf(Buffer.from("-a.b-c0/d")).map(String)).toEqual(["-a", "-a.b"]);
});
