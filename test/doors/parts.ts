/** `POST /v1/uploads`, its parts, and its completion: how large files come, and any file may. */
import { createHash, randomUUID } from "node:crypto";
import { formatDigest } from "@tributary/shared/digest.ts";
import { encodePath } from "@tributary/shared/path.ts";
import { HEADER, ROUTE, type UploadState } from "@tributary/shared/protocol.ts";
import type { Answer } from "../site/caller.ts";
import type { Door, Outcome, Sending } from "./door.ts";
import { clientHeader, holdKey, type KeyHolder, OF_PROGRAMS, outcomeOf } from "./keyed.ts";

const OF_PARTS =
  "the size is declared at the beginning, and each part is compared with its share of it, as a whole";

export const parts: Door = {
  ...OF_PROGRAMS,
  name: "parts",
  channels: () => ["parts"],
  cannot: {},
  otherwise: {
    "fewer bytes than declared": { code: "part-size", because: OF_PARTS },
    "more bytes than declared": { code: "part-size", because: OF_PARTS },
  },
  async enter(at) {
    const holder = await holdKey(at);
    const one = async (file: Sending): Promise<Outcome> => {
      const named = { captureId: randomUUID(), ...file };
      for (let round = 0; ; round += 1) {
        const outcome = await outcomeOf(carried(holder, at.source, named));
        if (round === 3 || outcome.kind !== "problem" || !BEGUN_ELSEWHERE.includes(outcome.code))
          return outcome;
      }
    };
    return { ...holder, send: async (files) => await Promise.all(files.map(one)) };
  },
};

/** Somebody else completes the same capture: whoever begins anew gets its receipt. */
const BEGUN_ELSEWHERE = ["upload-busy", "upload-closed", "upload-unknown"];

const sha256 = (bytes: Buffer): string => createHash("sha256").update(bytes).digest("hex");

/** The last answer: a receipt, or the first problem. */
async function carried(
  { api }: KeyHolder,
  source: string,
  file: Sending & { readonly captureId: string },
): Promise<Answer> {
  const { bytes, captureId, declared } = file;
  const created = await api.call("POST", ROUTE.uploads, {
    headers: { "content-type": "application/json", ...clientHeader(file) },
    body: JSON.stringify({
      source,
      pathEncoded: encodePath(file.path),
      size: declared?.size ?? bytes.length,
      sha256: declared?.sha256 ?? sha256(bytes),
      captureId,
    }),
  });
  if (created.status >= 300 || created.body.uploadId === undefined) return created;
  const { uploadId, partSize, partCount, parts: there } = created.body as UploadState;
  const missing = Array.from({ length: partCount }, (_, i) => i + 1).filter(
    (number) => !there.some((part) => part.number === number),
  );
  for (const number of missing) {
    const last = number === partCount;
    const part = bytes.subarray((number - 1) * partSize, last ? bytes.length : number * partSize);
    const answer = await api.call("PUT", `${ROUTE.uploads}/${uploadId}/parts/${number}`, {
      headers: { [HEADER.contentDigest]: formatDigest(sha256(part)), ...clientHeader(file) },
      body: part,
    });
    if (answer.status >= 300) return answer;
  }
  return await api.call("POST", `${ROUTE.uploads}/${uploadId}/complete`, { headers: clientHeader(file) });
}
