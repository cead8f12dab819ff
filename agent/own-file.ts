/** Files that are the agent's own, and nobody else's to read. */
import { readFileSync } from "node:fs";
import { ProblemError } from "@tributary/shared/problems.ts";

/** The file's text; undefined when there is none. Throws `config-invalid` where this account may not read it. */
export function readOwn(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw new ProblemError(
      "config-invalid",
      `cannot read ${file}: ${(cause as Error).message}; run this as the account that the agent runs as`,
      { cause },
    );
  }
}
