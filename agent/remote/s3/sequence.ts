/**
 * A listing of versions has versions and ends in one row, newest first; the SDK makes two lists of it, and times of
 * whole seconds do not put them together again. So the row is read off the answer before the SDK reads it.
 */

import { RemoteError } from "../remote.ts";
import type { DeleteMarkerEntry, ListObjectVersionsCommand, ObjectVersion } from "./library.ts";

type Kind = "Version" | "DeleteMarker";

/** What is called after the answer gives the row. */
export function keepsOrder(command: ListObjectVersionsCommand): () => readonly Kind[] {
  let row: Kind[] = [];
  command.middlewareStack.add(
    (next) => async (args) => {
      const result = await next(args);
      const response = result.response as { statusCode: number; body: AsyncIterable<Buffer> | Uint8Array };
      if (response.statusCode !== 200 || response.body instanceof Uint8Array) return result;
      const body = Buffer.concat(await Array.fromAsync(response.body));
      // Keys are encoded, and `<` is never plain in XML text: these are elements.
      row = [...body.toString("latin1").matchAll(/<(Version|DeleteMarker)>/g)].map(
        ([, kind]) => kind as Kind,
      );
      response.body = body;
      return result;
    },
    { step: "deserialize", name: "tributaryRow", priority: "low" },
  );
  return () => row;
}

export type Row =
  | { readonly kind: "Version"; readonly of: ObjectVersion }
  | { readonly kind: "DeleteMarker"; readonly of: DeleteMarkerEntry };

/** Both lists as one, in the order of the answer. */
export function inDocumentOrder(
  row: readonly Kind[],
  versions: readonly ObjectVersion[],
  ends: readonly DeleteMarkerEntry[],
  bucket: string,
): readonly Row[] {
  const count = { Version: 0, DeleteMarker: 0 };
  const all = row.flatMap((kind): Row[] => {
    const at = count[kind]++;
    const of = (kind === "Version" ? versions : ends)[at];
    return of === undefined ? [] : [{ kind, of }];
  });
  if (all.length === versions.length + ends.length && all.length === row.length) return all;
  throw new RemoteError("away", `the bucket ${bucket} lists versions in a way that is not S3's`);
}
