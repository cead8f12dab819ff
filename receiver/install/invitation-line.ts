/** The line that a client's administrator pastes: it installs, enrols, and begins. Made for commands and the console alike. */
import { ROUTE } from "@tributary/shared/protocol.ts";
import type { Install } from "./install.ts";
import { linuxLine } from "./linux.ts";
import type { System } from "./packages.ts";
import { windowsLine } from "./windows.ts";

/** Where agents reach the receiver, whether its certificate is its own authority's, and the code. */
export interface Pointing {
  readonly url: string;
  readonly pinned: boolean;
  readonly code: string;
}

export interface LineMaker {
  /** Kinds of hosts whose package is not there, as people are told. */
  readonly missing: readonly string[];
  of(pointing: Pointing): string;
}

/** Before there is a code: one that cannot be used is of no use to anybody. Throws `not-found` when there is no package for the system. */
export async function invitationLine(install: Install, system: System): Promise<LineMaker> {
  const { sha256, missing } = await install.script(system);
  const line = { linux: linuxLine, windows: windowsLine }[system];
  return {
    missing,
    of: ({ url, pinned, code }) => {
      const { origin, pathname } = new URL(url);
      return line({ url: origin + pathname.replace(/\/+$/, "") + ROUTE.install, pinned, sha256, code });
    },
  };
}
