/** Bodies and answers that several calls share. */
import type { z } from "zod";
import type { Answer, Content } from "./operation.ts";

export const json = (schema: z.ZodType): readonly Content[] => [
  { kind: "json", type: "application/json", schema },
];

/** Whole, a range, or nothing that is known already. */
export function bytesAnswers(
  what: string,
  types: readonly string[],
  own: readonly string[],
): readonly Answer[] {
  const always = ["accept-ranges", "cache-control", "etag", "repr-digest", "x-content-type-options", ...own];
  const content = types.map((type) => ({ kind: "bytes", type }) as const);
  return [
    { status: 200, description: what, content, headers: [...always, "content-length"] },
    {
      status: 206,
      description: "The range that was asked for.",
      content,
      headers: [...always, "content-length", "content-range"],
    },
    { status: 304, description: "It is what you have.", content: [], headers: always },
  ];
}
