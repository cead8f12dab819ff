/** One part on its way into the store: verified on arrival, and in the ledger when it is durable. */
import { ProblemError } from "@tributary/shared/problems.ts";
import type { PartAnswer } from "@tributary/shared/protocol.ts";
import type { Principal } from "../identity/principal.ts";
import type { PartLake } from "../lake/lake.ts";
import { rejectLake } from "./answer.ts";
import { requireDigest } from "./files.ts";
import type { Body, StillAllowed } from "./ingest.ts";
import { measured } from "./measured.ts";
import type { Room } from "./room.ts";
import { Turns } from "./turns.ts";
import { closed, partBytes, partSizeProblem, partUpload, samePart } from "./upload.ts";
import type { UploadRow, UploadRows } from "./upload-rows.ts";

export interface PartTakerParts {
  readonly lake: Pick<PartLake, "stagePart" | "part">;
  readonly rows: UploadRows;
  readonly room: Room;
}

export class PartTaker {
  readonly #parts: PartTakerParts;
  readonly #turns = new Turns();

  constructor(parts: PartTakerParts) {
    this.#parts = parts;
  }

  async take(
    principal: Principal,
    row: UploadRow,
    number: number,
    body: Body,
    stillAllowed: StillAllowed,
  ): Promise<PartAnswer> {
    if (row.state !== "open") throw closed(row);
    const expected = partBytes(row, number);
    if (body.size !== undefined && body.size !== expected) throw partSizeProblem(number, expected, body.size);
    // A part that comes again, its answer lost, takes no room of the quota a second time.
    const there = await this.#parts.rows.part(row.id, number);
    const bringer = { client: row.client, principal };
    const claim = await this.#parts.room.claim(bringer, expected, there === undefined ? expected : 0);
    try {
      let total = 0;
      const staged = await this.#parts.lake
        .stagePart(
          partUpload(row),
          number,
          measured(body, async (bytes) => {
            total += bytes;
            if (total > expected) throw partSizeProblem(number, expected, undefined);
            await claim.arrived(bytes);
          }),
        )
        .catch((cause: unknown) => this.#partFailed(row, cause));
      let consumed = false;
      try {
        if (staged.size !== expected) throw partSizeProblem(number, expected, staged.size);
        requireDigest(body, staged);
        const answer = { number, size: staged.size, sha256: staged.sha256 };
        return await this.#turns.take(`${row.id} ${number}`, async () => {
          const before = await this.#parts.rows.part(row.id, number);
          if (before) return samePart(before, answer);
          stillAllowed();
          consumed = true;
          const tag = await this.#parts.lake
            .part(partUpload(row), number, staged)
            .catch((cause: unknown) => this.#partFailed(row, cause));
          const stands = await this.#parts.rows.addPart({ upload_id: row.id, ...answer, tag });
          if (stands === undefined) throw closed({ ...row, state: "completing" });
          claim.recorded();
          return samePart(stands, answer);
        });
      } finally {
        if (!consumed) await staged.discard();
      }
    } finally {
      claim.release();
    }
  }

  /** An upload that the store has no more takes no part ever again. */
  async #partFailed(row: UploadRow, cause: unknown): Promise<never> {
    const gone = cause instanceof ProblemError && cause.code === "upload-unknown";
    if (gone) await this.#parts.rows.lost(row.id);
    return await rejectLake(cause);
  }
}
