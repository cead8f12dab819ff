import { mkdirSync, mkdtempSync, rmSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { displayPath } from "@tributary/shared/path.ts";
import { uuidv7 } from "@tributary/shared/uuid.ts";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { Intake } from "../queue/queue.ts";
import { openQueue, type SqliteQueue } from "../queue/sqlite.ts";
import { folderSource } from "../source/folder.ts";
import type { Source } from "../source/source.ts";
import { findings } from "./findings.ts";

let dir: string;
let queue: SqliteQueue;
let intake: Intake;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "tributary-findings-"));
  mkdirSync(join(dir, "files"));
  queue = openQueue(join(dir, "queue.sqlite"));
  intake = queue.intake("acme", "pos");
});
afterEach(() => {
  queue.close();
  rmSync(dir, { recursive: true, force: true });
});

const source = () =>
  folderSource({
    name: "pos",
    path: join(dir, "files"),
    include: [],
    exclude: ["**/*.tmp"],
    share: false,
    crossMounts: false,
    ignored: [],
  });

/** An old file: it holds still. */
function write(name: string, text = "x"): void {
  const file = join(dir, "files", name);
  mkdirSync(join(file, ".."), { recursive: true });
  writeFileSync(file, text);
}

/** Seals a file as capture does; it waits to be sent then. */
async function seal(name: string): Promise<void> {
  const path = Buffer.from(name);
  const look = await source().look(path);
  if (look.kind !== "file") throw new Error(`${name} is no file`);
  const sha256 = "0".repeat(64);
  const seen = { path, state: look.state, sha256, sealedAt: Date.now(), missed: 0 };
  const captureId = uuidv7();
  const common = { captureId, client: "acme", source: "pos", path, sealedAt: new Date().toISOString() };
  intake.put([
    {
      parcel: {
        ...common,
        kind: "version",
        state: look.state,
        sha256,
        partDigests: undefined,
        spooled: undefined,
      },
      seen,
    },
  ]);
}

function deliverAll(): void {
  for (const { parcel } of queue.outbox.take(100, Date.now()))
    queue.outbox.end(parcel.captureId, {
      kind: "delivered",
      receipt: "r",
      versionId: uuidv7(),
      status: "created",
      receivedAt: new Date().toISOString(),
      at: Date.now(),
    });
}

/** `later`: how much time passed since the files were written. */
async function look(known: Intake | undefined, later = 60_000, of = source()): Promise<string[]> {
  const found: string[] = [];
  await findings(
    of,
    known,
    2000,
    () => Date.now() + later,
    ({ path, what, reason }) => found.push(`${what} ${displayPath(path)}: ${reason}`),
  );
  return found.sort();
}

test("new, still moving, left out", async () => {
  write("new.csv");
  write("left.tmp");
  symlinkSync("new.csv", join(dir, "files", "link"));
  expect(await look(undefined)).toEqual([
    "capture new.csv: new",
    'skipped left.tmp: excluded by "**/*.tmp"',
    "skipped link: a link: links are not followed",
  ]);
  expect((await look(undefined, 100))[2]).toBe("waits new.csv: must hold still for 2 s");
});

test("sealed, delivered, changed, gone", async () => {
  for (const name of ["a.csv", "sub/b.csv", "sub/deep/c.csv"]) {
    write(name);
    await seal(name);
  }
  expect(await look(intake)).toEqual([
    "waits a.csv: sealed, on its way to the receiver",
    "waits sub/b.csv: sealed, on its way to the receiver",
    "waits sub/deep/c.csv: sealed, on its way to the receiver",
  ]);
  deliverAll();
  expect(new Set((await look(intake)).map((line) => line.split(" ")[0]))).toEqual(new Set(["unchanged"]));
  write("a.csv", "other");
  utimesSync(join(dir, "files", "a.csv"), 1, 1);
  rmSync(join(dir, "files", "sub"), { recursive: true });
  expect(await look(intake)).toEqual([
    "capture a.csv: changed",
    "gone sub/b.csv: its folder is no longer there",
    "gone sub/deep/c.csv: its folder is no longer there",
  ]);
});

test("what lies in an archive cannot be captured, unless it was before", async () => {
  for (const name of ["captured.csv", "new.csv"]) write(name);
  await seal("captured.csv");
  deliverAll();
  const place = source();
  const archive: Source = {
    ...place,
    list: (folder, take) =>
      place.list(folder, (found) =>
        take(found.map((one) => ("reason" in one ? one : { ...one, held: "it is archived" }))),
      ),
  };
  expect(await look(intake, 60_000, archive)).toEqual([
    "held new.csv: file-unreadable: it is archived",
    "unchanged captured.csv: as last sealed",
  ]);
});
