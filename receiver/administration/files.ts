/** Who took a client's file along, or looked into it: nothing is changed by it, and it has to be known. */
import type { Entry } from "@tributary/shared/protocol.ts";
import type { Deed } from "../audit/audit.ts";

type File = Pick<Entry, "client" | "source" | "path" | "versionId">;

export const downloadOf = (file: File): Deed => deedOf("file.download", file);

export const previewOf = (file: File): Deed => deedOf("file.preview", file);

function deedOf(act: Deed["act"], { client, source, path, versionId }: File): Deed {
  const subject = { kind: "version", id: versionId };
  return { act, subject, client, before: null, after: { source, path } };
}
