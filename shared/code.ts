/**
 * The enrolment code, `trb1_` + base64url JSON: where the receiver is, a single-use secret, and how to trust
 * what answers there. `trust` is "system", or the SHA-256 (hex) of the DER of the receiver's own authority certificate.
 */
import { z } from "zod";
import { ProblemError } from "./problems.ts";
import { sha256Hex } from "./protocol.ts";

const invitationCode = z.object({
  url: z.url({ protocol: /^https$/ }),
  secret: z.string().min(16),
  trust: z.union([z.literal("system"), sha256Hex]),
});
export type InvitationCode = z.infer<typeof invitationCode>;

const PREFIX = "trb1_";

export function formatCode(code: InvitationCode): string {
  return PREFIX + Buffer.from(JSON.stringify(code)).toString("base64url");
}

/** Throws `usage` when the text is not a whole code (a piece lost in copying is the usual cause). */
export function parseCode(text: string): InvitationCode {
  const trimmed = text.trim();
  const hint = "copy the whole line that `tributary-receiver agent invite` printed";
  if (!trimmed.startsWith(PREFIX))
    throw new ProblemError("usage", `an enrolment code begins with ${PREFIX}; ${hint}`);
  try {
    return invitationCode.parse(
      JSON.parse(Buffer.from(trimmed.slice(PREFIX.length), "base64url").toString("utf8")),
    );
  } catch (cause) {
    throw new ProblemError(
      "usage",
      `the enrolment code cannot be read, a part of it is missing or altered; ${hint}`,
      { cause },
    );
  }
}
