/**
 * A whole file, or a removal, on its way into lake and ledger. Every failure before the commit has recorded
 * nothing; a failure after `publish` leaves at most a spare object, which no entry names and the sweep removes.
 */
import { ProblemError } from "@tributary/shared/problems.ts";
import type { DeliveryAnswer, RemovalRequest } from "@tributary/shared/protocol.ts";
import type { MakeUuid } from "@tributary/shared/uuid.ts";
import type { Principal } from "../identity/principal.ts";
import { objectKey, utcDay } from "../lake/key.ts";
import type { Lake, Staged } from "../lake/lake.ts";
import type { Ledger, Outcome, VersionCapture } from "../ledger/ledger.ts";
import { answerOf, bearerOf, lakeProblem } from "./answer.ts";
import type { Committer } from "./committer.ts";
import type { Report } from "./facts.ts";
import type { Body, Delivery, Ingest, StillAllowed } from "./ingest.ts";
import { measured } from "./measured.ts";
import type { Room } from "./room.ts";

export interface FilesParts {
  readonly lake: Pick<Lake, "stage" | "publish" | "remove">;
  readonly ledger: Pick<Ledger, "known" | "unchanged">;
  readonly committer: Committer;
  readonly room: Room;
  readonly uuid: MakeUuid;
  readonly now: () => number;
  readonly report: Report;
}

export class Files implements Ingest {
  readonly #parts: FilesParts;

  constructor(parts: FilesParts) {
    this.#parts = parts;
  }

  async file(delivery: Delivery, body: Body, stillAllowed: StillAllowed): Promise<DeliveryAnswer> {
    const from = performance.now();
    const answer = (await this.#early(delivery, body)) ?? (await this.#take(delivery, body, stillAllowed));
    this.#parts.report({
      kind: "Delivered",
      channel: delivery.channel,
      status: answer.status,
      bytes: answer.size ?? 0,
      ms: performance.now() - from,
    });
    return answer;
  }

  async removal(
    principal: Principal,
    client: string,
    request: RemovalRequest,
    channel: string,
  ): Promise<DeliveryAnswer> {
    const from = performance.now();
    const bearer = bearerOf(principal);
    const outcome = await this.#parts.committer.commit({
      kind: "removal",
      client,
      source: request.source,
      pathEncoded: request.pathEncoded,
      captureId: request.captureId,
      versionId: this.#parts.uuid(),
      sealedAt: request.sealedAt ?? null,
      channel,
      bearer,
      // An agent removes what it saw vanish in a source that is its own to look at.
      hearsOfNothing: principal.kind === "agent" || bearer.seesAll,
    });
    const answer = answerOf(outcome);
    this.#parts.report({
      kind: "Delivered",
      channel,
      status: answer.status,
      bytes: 0,
      ms: performance.now() - from,
    });
    return answer;
  }

  /** What can be answered or refused before the bytes are read. */
  async #early(delivery: Delivery, body: Body): Promise<DeliveryAnswer | undefined> {
    const { ledger, committer } = this.#parts;
    const { client, source, pathEncoded, captureId } = delivery;
    const sha256 = body.sha256 ?? null;
    const known = await ledger.known({ client, source, pathEncoded, captureId, kind: "version", sha256 });
    if (known === undefined || known.kind === "needs-bytes") return undefined;
    if (known.kind === "refused") return answerOf(known);
    if (sha256 === null) return undefined;
    const answer = answerOf(known);
    await committer.settled(answer.versionId);
    return answer;
  }

  async #take(delivery: Delivery, body: Body, stillAllowed: StillAllowed): Promise<DeliveryAnswer> {
    const { lake, ledger, committer, room, uuid, now } = this.#parts;
    const claim = await room.claim(delivery, body.size);
    try {
      const staged = await this.#stage(body, claim.arrived);
      let consumed = false;
      try {
        requireDigest(body, staged);
        const versionId = uuid();
        const capture: VersionCapture & { key: null } = {
          kind: "version",
          client: delivery.client,
          source: delivery.source,
          pathEncoded: delivery.pathEncoded,
          captureId: delivery.captureId,
          versionId,
          sealedAt: delivery.sealedAt,
          channel: delivery.channel,
          bearer: bearerOf(delivery.principal),
          size: staged.size,
          sha256: staged.sha256,
          modifiedAt: delivery.modifiedAt,
          key: null,
        };
        if (await ledger.unchanged(capture)) {
          stillAllowed();
          const outcome = await committer.commit(capture);
          if (outcome.kind !== "needs-bytes") return answerOf(outcome);
        }
        stillAllowed();
        const key = objectKey({ ...delivery, date: utcDay(now()), versionId });
        consumed = true;
        const announced = committer.announce();
        try {
          await lake.publish(staged, key, { captureId: delivery.captureId, versionId });
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
        const outcome = await committer.commit({ ...capture, key });
        await this.#removeSpare(outcome, versionId, key);
        return answerOf(outcome);
      } finally {
        if (!consumed) await staged.discard();
      }
    } finally {
      claim.release();
    }
  }

  async #stage(body: Body, arrived: (bytes: number) => Promise<void>): Promise<Staged> {
    try {
      return await this.#parts.lake.stage(measured(body, arrived));
    } catch (cause) {
      throw lakeProblem(cause);
    }
  }

  /** The commit made no entry of our object, unless it was our own commit that is repeated. */
  async #removeSpare(outcome: Outcome, versionId: string, key: string): Promise<void> {
    if (outcome.kind === "committed" || outcome.kind === "needs-bytes") return;
    if (outcome.kind !== "refused" && outcome.claims.versionId === versionId) return;
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
