/**
 * `POST /v1/bundles/{source}`: a tar stream of many files, plain or packed; `PUT` does the same, for `tar c . | curl -T -`.
 * The answer is written while the body still comes: a line for each entry as it becomes durable, or is refused.
 */
import { RESPONSE_ALREADY_SENT } from "@hono/node-server/utils/response";
import { displayPath } from "@tributary/shared/path.ts";
import { ProblemError } from "@tributary/shared/problems.ts";
import { captureKey, PAX, ROUTE } from "@tributary/shared/protocol.ts";
import { Hono } from "hono";
import { type Ingest, SMALL_FILE, type SmallFile, type StillAllowed } from "../ingest/ingest.ts";
import { readBody } from "./body.ts";
import { Batches, type Item, Memory } from "./bundle/batch.ts";
import { type BundleTarget, deliveryOf, type NamedEntry, pathOf } from "./bundle/entry.ts";
import { Lines, type Named } from "./bundle/lines.ts";
import { type TarEntry, TarReader } from "./bundle/tar.ts";
import { type UnpackBounds, unpacked } from "./bundle/unpack.ts";
import { type DoorContext, type DoorEnv, header } from "./door.ts";
import { type ByteDoor, idempotencyKey, refusePieces } from "./files.ts";
import { clientFor, identify, requireSource, whileAllowed } from "./identify.ts";
import { underLease } from "./lease.ts";
import { outward, type ReportProblem, refusedBearer } from "./problem.ts";
import { targetBytes } from "./target.ts";

export interface BundlesDoor extends ByteDoor {
  readonly ingest: Ingest;
  readonly bundle: UnpackBounds;
  readonly reportProblem: ReportProblem;
}

/** Of small files that wait for the disk, in all bundles together. */
const MEMORY = 32 * 2 ** 20;
/** What a small file takes besides its bytes: its names, each byte of which may be escaped, in several places. */
const ITEM = 1024;
const NAME_TIMES = 8;
/** What is kept of an entry's key: a hash of its path comes behind it, and both are a captureId. */
const KEY_MOST = 128 - 33;

interface Small extends Item {
  readonly named: Named;
  readonly file: SmallFile;
}

export function bundlesDoor(door: BundlesDoor): Hono<DoorEnv> {
  const memory = new Memory(MEMORY);
  const answering = new Set<Lines>();
  const take = async (c: DoorContext): Promise<Response> => {
    const { gate, places, pace } = door;
    const principal = await identify(gate, c);
    const source = requireSource(
      targetBytes(c.env.target.path.slice(ROUTE.bundles.length + 1)).toString("utf8"),
    );
    const client = clientFor(c, principal, "write", source);
    refusePieces(c);
    const target = { principal, client, source, key: keyOf(c), ...underLease(c, principal) };
    return await places.hold(principal, client, async () => {
      let starved = (): void => {};
      const body = readBody(c.env.incoming, c.env.outgoing, pace, true);
      const plain = unpacked(body.bytes, header(c, "content-encoding"), door.bundle);
      const tar = new TarReader(plain, () => starved());
      const lines = new Lines(c, pace.idle, answering);
      try {
        let end: ProblemError | undefined;
        try {
          await whileAllowed(gate, principal, [client], body.fail, async (stillAllowed) => {
            const bundle = new Bundle(door, c, lines, target, memory, stillAllowed);
            starved = bundle.starved;
            await bundle.read(tar);
          });
        } catch (error) {
          if (!lines.begun) throw error;
          report(door, c, error);
          end = outward(error);
        } finally {
          starved = () => {};
          // Whoever unpacks may wait for a sender that waits for this answer.
          body.fail(new ProblemError("bundle-invalid", "the bundle is not read on"));
          await tar.close();
        }
        await lines.end(end);
        return RESPONSE_ALREADY_SENT;
      } finally {
        lines.close();
      }
    });
  };
  const route = `${ROUTE.bundles}/:source`;
  return new Hono<DoorEnv>().post(route, take).put(route, take);
}

/** One bundle being taken in. */
class Bundle {
  readonly #door: BundlesDoor;
  readonly #c: DoorContext;
  readonly #lines: Lines;
  readonly #target: BundleTarget;
  readonly #stillAllowed: StillAllowed;
  readonly #batches: Batches<Small>;
  readonly starved = (): void => this.#batches.starved();

  constructor(
    door: BundlesDoor,
    c: DoorContext,
    lines: Lines,
    target: BundleTarget,
    memory: Memory,
    stillAllowed: StillAllowed,
  ) {
    this.#door = door;
    this.#c = c;
    this.#lines = lines;
    this.#target = target;
    this.#stillAllowed = stillAllowed;
    this.#batches = new Batches(memory, (batch) => this.#take(batch));
  }

  /** Every entry has its line when it ends, also when it throws what ended the bundle. */
  async read(tar: TarReader): Promise<void> {
    try {
      for (let entry = await tar.next(); entry !== undefined; entry = await tar.next()) {
        await this.#lines.room(this.#stillAllowed);
        if (entry.kind !== "directory") await this.#entry(entry, tar);
      }
    } catch (error) {
      await this.#batches.idle().catch(() => {});
      throw error;
    }
    await this.#batches.idle();
  }

  async #entry(entry: TarEntry, tar: TarReader): Promise<void> {
    const named = nameOf(entry);
    let delivered: NamedEntry;
    try {
      delivered = deliveryOf(entry, this.#target);
    } catch (error) {
      this.#refused(named, error);
      return;
    }
    const { delivery, sha256 } = delivered;
    if (entry.size <= SMALL_FILE) {
      const file = { delivery, bytes: await tar.take(), sha256 };
      const marks = [delivery.pathEncoded, ` ${delivery.captureId}`];
      const bytes = entry.size + NAME_TIMES * entry.name.length + ITEM;
      await this.#batches.add({ bytes, marks, named, file });
      return;
    }
    await this.#batches.idle();
    try {
      const body = { bytes: tar.stream(), size: entry.size, sha256 };
      this.#lines.receipt(named.number, await this.#door.ingest.file(delivery, body, this.#stillAllowed));
    } catch (error) {
      this.#refused(named, error);
    }
  }

  async #take(batch: readonly Small[]): Promise<void> {
    const answers = await this.#door.ingest
      .files(
        batch.map(({ file }) => file),
        this.#stillAllowed,
      )
      .catch((error: unknown) => batch.map(() => outward(error)));
    let ends: unknown;
    for (const [i, { named }] of batch.entries()) {
      const answer = answers[i];
      if (answer === undefined || answer instanceof ProblemError) {
        const problem = answer ?? new ProblemError("internal", "ingest gave no answer");
        this.#tell(named, problem);
        if (endsBundle(problem)) ends ??= problem;
      } else this.#lines.receipt(named.number, answer);
    }
    if (ends !== undefined) throw ends;
  }

  /** Throws it on when the entries that follow would fare no better. */
  #refused(named: Named, error: unknown): void {
    this.#tell(named, error);
    if (endsBundle(error)) throw error;
  }

  #tell(named: Named, error: unknown): void {
    report(this.#door, this.#c, error);
    this.#lines.problem(named, outward(error));
  }
}

function report(door: BundlesDoor, c: DoorContext, error: unknown): void {
  door.reportProblem({
    requestId: c.get("requestId"),
    method: c.req.method,
    path: c.env.target.path,
    problem: outward(error),
    error,
    refused: refusedBearer(c),
  });
}

/** The receiver's own trouble, a sender that may no longer send, a stream that cannot be read on. */
function endsBundle(error: unknown): boolean {
  if (!(error instanceof ProblemError)) return true;
  const { code, status } = error;
  // A smaller one may have room.
  if (code === "quota-stored") return false;
  return status >= 500 || status === 401 || STOPS.has(code);
}

const STOPS: ReadonlySet<string> = new Set<ProblemError["code"]>([
  "bundle-invalid",
  "bundle-inflated",
  "length-mismatch",
  "body-too-slow",
  "client-suspended",
  "agent-revoked",
  "agent-forked",
  "forbidden",
  "lease-lost",
]);

function nameOf(entry: TarEntry): Named {
  return {
    number: entry.number,
    path: displayPath(pathOf(entry)).slice(0, 4096),
    captureId: captureKey.safeParse(entry.records.get(PAX.captureId)?.toString("utf8")).data,
  };
}

function keyOf(c: DoorContext): string | undefined {
  const key = idempotencyKey(c);
  if (key === undefined) return undefined;
  if (captureKey.safeParse(key).success && key.length <= KEY_MOST) return key;
  throw new ProblemError(
    "request-invalid",
    `Idempotency-Key: for a bundle expected 1 to ${KEY_MOST} of A-Z a-z 0-9 . _ ~ : -`,
  );
}
