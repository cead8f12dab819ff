/**
 * Whole files, or a removal, on their way into lake and ledger. Every failure before the commit has recorded nothing;
 * a failure after `publish` leaves at most a spare object, which no entry names and the sweep removes.
 * Inspection comes before `publish`: what it finds something in is published into quarantine.
 */
import { ProblemError } from "@tributary/shared/problems.ts";
import type { DeliveryAnswer, RemovalRequest } from "@tributary/shared/protocol.ts";
import type { MakeUuid } from "@tributary/shared/uuid.ts";
import type { Principal } from "../identity/principal.ts";
import { objectKey, utcDay } from "../lake/key.ts";
import type { Lake, StagedFile } from "../lake/lake.ts";
import type { Ledger, Outcome, VersionCapture } from "../ledger/ledger.ts";
import { answerOf, bearerOf, lakeProblem, quarantinedFact, requireLease } from "./answer.ts";
import type { Committer } from "./committer.ts";
import type { Report } from "./facts.ts";
import type { Body, Delivery, Ingest, SmallFile, StillAllowed } from "./ingest.ts";
import type { Inspecting } from "./inspecting.ts";
import { measured } from "./measured.ts";
import type { Claim, Room } from "./room.ts";

export interface FilesParts {
  readonly lake: Pick<Lake, "stage" | "publish" | "remove">;
  readonly ledger: Pick<Ledger, "known" | "unchanged" | "holds">;
  readonly committer: Committer;
  readonly room: Room;
  readonly inspecting: Inspecting;
  readonly uuid: MakeUuid;
  readonly now: () => number;
  readonly report: Report;
}

/** Bytes that are here, counted and hashed, with what was declared of them found true. */
interface Arrived {
  readonly delivery: Delivery;
  readonly staged: StagedFile;
  readonly capture: VersionCapture & { readonly key: null };
}

export class Files implements Ingest {
  readonly #parts: FilesParts;

  constructor(parts: FilesParts) {
    this.#parts = parts;
  }

  async file(delivery: Delivery, body: Body, stillAllowed: StillAllowed): Promise<DeliveryAnswer> {
    const from = performance.now();
    const early = await this.#early(delivery, body);
    if (early !== undefined) return this.#tell(delivery.channel, early, from);
    await requireLease(this.#parts.ledger, delivery, delivery.principal, delivery.lease);
    await this.#parts.inspecting.ready(body.size);
    return await this.#claiming(delivery, body.size, async (claim) => {
      const arrived = this.#arrived(delivery, await this.#stage(body, claim.arrived));
      return await this.#consuming(arrived, async () => {
        requireDigest(body, arrived.staged);
        const [unchanged = false] = await this.#parts.ledger.unchanged([arrived.capture]);
        return this.#tell(
          delivery.channel,
          await this.#record(arrived, unchanged, claim, stillAllowed),
          from,
        );
      });
    });
  }

  async files(
    files: readonly SmallFile[],
    stillAllowed: StillAllowed,
  ): Promise<readonly (DeliveryAnswer | ProblemError)[]> {
    const { ledger, lake } = this.#parts;
    const from = performance.now();
    const all = await Promise.all(
      files.map(async ({ delivery, bytes, sha256 }) => {
        const arrived = this.#arrived(delivery, await lake.stage(bytes));
        return { arrived, sha256 };
      }),
    );
    const captures = all.map(({ arrived }) => arrived.capture);
    const looks = Promise.all([ledger.known(captures), ledger.unchanged(captures), this.#lostLeases(files)]);
    // Those that are refused for what they declare do not wait for it.
    looks.catch(() => {});
    return await Promise.all(
      all.map(async ({ arrived, sha256 }, i) => {
        const { delivery, staged } = arrived;
        try {
          return await this.#consuming(arrived, async () => {
            requireDigest({ sha256 }, staged);
            const [known, unchanged, lost] = await looks;
            const before = known[i] && (await this.#before(known[i]));
            if (before === undefined && lost[i] !== undefined) throw lost[i];
            const answer =
              before ??
              (await this.#claiming(delivery, staged.size, async (claim) => {
                await claim.arrived(staged.size);
                return await this.#record(arrived, unchanged[i] === true, claim, stillAllowed);
              }));
            return this.#tell(delivery.channel, answer, from);
          });
        } catch (error) {
          if (error instanceof ProblemError) return error;
          // Of the others it says nothing: they have their own answers.
          return new ProblemError("internal", "the receiver failed", { cause: error, retryAfter: 5 });
        }
      }),
    );
  }

  /** A file that came in pieces, with the claim under which it did. Consumes `staged`, whatever becomes of it. */
  async staged(
    delivery: Delivery,
    staged: StagedFile,
    claim: Claim,
    stillAllowed: StillAllowed,
  ): Promise<DeliveryAnswer> {
    const from = performance.now();
    const arrived = this.#arrived(delivery, staged);
    return await this.#consuming(arrived, async () => {
      const [unchanged = false] = await this.#parts.ledger.unchanged([arrived.capture]);
      const answer = await this.#record(arrived, unchanged, claim, stillAllowed);
      return this.#tell(delivery.channel, answer, from);
    });
  }

  async removal(
    principal: Principal,
    client: string,
    request: RemovalRequest,
    channel: string,
    lease?: number,
  ): Promise<DeliveryAnswer> {
    const from = performance.now();
    const bearer = bearerOf(principal, lease);
    const outcome = await this.#parts.committer.commit({
      kind: "removal",
      client,
      source: request.source,
      pathEncoded: request.pathEncoded,
      captureId: request.captureId,
      versionId: this.#parts.uuid(),
      sealedAt: request.sealedAt ?? null,
      modifiedAt: request.modifiedAt ?? null,
      channel,
      bearer,
      ...(lease === undefined ? {} : { lease }),
      // An agent removes what it saw vanish in a source that is its own to look at.
      hearsOfNothing: principal.kind === "agent" || bearer.seesAll,
    });
    return this.#tell(channel, answerOf(outcome), from);
  }

  #tell(channel: string, answer: DeliveryAnswer, from: number): DeliveryAnswer {
    this.#parts.report({
      kind: "Delivered",
      channel,
      status: answer.status,
      bytes: answer.size ?? 0,
      ms: performance.now() - from,
    });
    return answer;
  }

  /** What can be answered or refused before the bytes are read. */
  async #early(delivery: Delivery, body: Body): Promise<DeliveryAnswer | undefined> {
    const { client, source, pathEncoded, captureId } = delivery;
    const sha256 = body.sha256 ?? null;
    const [known] = await this.#parts.ledger.known([
      { client, source, pathEncoded, captureId, kind: "version", sha256 },
    ]);
    if (known === undefined || (sha256 === null && known.kind !== "refused")) return undefined;
    return await this.#before(known);
  }

  /** Of each, why it cannot come under its lease; one look for all of one source. */
  async #lostLeases(files: readonly SmallFile[]): Promise<readonly (ProblemError | undefined)[]> {
    const looks = new Map<string, Promise<ProblemError | undefined>>();
    return await Promise.all(
      files.map(({ delivery: { client, source, principal, lease } }) => {
        const key = JSON.stringify([client, source, principal.id, lease]);
        const look =
          looks.get(key) ??
          requireLease(this.#parts.ledger, { client, source }, principal, lease).then(
            () => undefined,
            (problem: unknown) => {
              if (problem instanceof ProblemError && problem.code === "lease-lost") return problem;
              throw problem;
            },
          );
        looks.set(key, look);
        return look;
      }),
    );
  }

  /** The answer to a captureId that came before; throws when it came with other content. */
  async #before(known: Outcome): Promise<DeliveryAnswer> {
    const answer = answerOf(known);
    await this.#parts.committer.settled(answer.versionId);
    return answer;
  }

  async #claiming<T>(
    delivery: Delivery,
    size: number | undefined,
    work: (claim: Claim) => Promise<T>,
  ): Promise<T> {
    const claim = await this.#parts.room.claim(delivery, size);
    try {
      return await work(claim);
    } finally {
      claim.release();
    }
  }

  /** Whatever becomes of it, nothing of it stays staged. */
  async #consuming<T>({ staged }: Arrived, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } finally {
      await staged.discard();
    }
  }

  #arrived(delivery: Delivery, staged: StagedFile): Arrived {
    const { client, source, pathEncoded, captureId, sealedAt, modifiedAt, channel, lease } = delivery;
    return {
      delivery,
      staged,
      capture: {
        kind: "version",
        ...{ client, source, pathEncoded, captureId, sealedAt, modifiedAt, channel },
        versionId: this.#parts.uuid(),
        bearer: bearerOf(delivery.principal, lease),
        size: staged.size,
        sha256: staged.sha256,
        key: null,
        ...(lease === undefined ? {} : { lease }),
      },
    };
  }

  /** `unchanged`: the ledger said a moment ago that the newest version has these bytes. */
  async #record(
    { delivery, staged, capture }: Arrived,
    unchanged: boolean,
    claim: Claim,
    stillAllowed: StillAllowed,
  ): Promise<DeliveryAnswer> {
    const { lake, committer, now } = this.#parts;
    const { captureId, versionId } = capture;
    stillAllowed();
    if (unchanged) {
      const outcome = await committer.commit(capture);
      if (outcome.kind !== "needs-bytes") return answerOf(outcome);
      stillAllowed();
    }
    const finding = await this.#finding(staged);
    stillAllowed();
    const held = finding === undefined ? {} : { finding };
    const area = finding === undefined ? "raw" : "quarantine";
    const key = objectKey({ ...delivery, date: utcDay(now()), versionId }, area);
    const announced = committer.announce();
    try {
      await lake.publish(staged, key, { captureId, versionId });
    } catch (cause) {
      throw lakeProblem(cause);
    } finally {
      announced();
    }
    try {
      stillAllowed();
    } catch (problem) {
      await this.#remove(key);
      throw problem;
    }
    claim.recorded();
    const outcome = await committer.commit({ ...capture, key, ...held });
    await this.#removeSpare(outcome, versionId, key);
    if (outcome.kind === "held" && outcome.id === versionId)
      this.#parts.report(quarantinedFact(outcome, delivery));
    return answerOf(outcome);
  }

  async #finding(staged: StagedFile): Promise<string | undefined> {
    const { inspecting } = this.#parts;
    if (!inspecting.concerns(staged.size)) return undefined;
    try {
      return await inspecting.finding(staged.bytes(), staged.size);
    } catch (cause) {
      throw lakeProblem(cause);
    }
  }

  async #stage(body: Body, arrived: (bytes: number) => Promise<void>): Promise<StagedFile> {
    try {
      return await this.#parts.lake.stage(measured(body, arrived));
    } catch (cause) {
      throw lakeProblem(cause);
    }
  }

  /** The commit made no entry of our object, unless it was our own commit that is repeated. */
  async #removeSpare(outcome: Outcome, versionId: string, key: string): Promise<void> {
    if (outcome.kind === "committed" || outcome.kind === "needs-bytes") return;
    if (outcome.kind === "held" && outcome.id === versionId) return;
    if ("claims" in outcome && outcome.claims.versionId === versionId) return;
    await this.#remove(key);
  }

  async #remove(key: string): Promise<void> {
    try {
      await this.#parts.lake.remove(key);
    } catch (error) {
      this.#parts.report({ kind: "SpareLeft", key, error });
    }
  }
}

/** A declared digest is compared, never believed. */
export function requireDigest(
  declared: Pick<Body, "sha256">,
  found: { readonly sha256: string; readonly size: number },
): void {
  if (declared.sha256 === undefined || declared.sha256 === found.sha256) return;
  throw new ProblemError(
    "digest-mismatch",
    `${found.size} bytes with sha256 ${found.sha256} arrived, declared was ${declared.sha256}; nothing was recorded`,
  );
}
