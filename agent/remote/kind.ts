/** A kind of remote source: what agent.yaml says of it, and how it is reached. Its library is loaded by `connect`, and not before. */
import type { z } from "zod";
import type { Secrets } from "../secret/secrets.ts";
import type { Remote } from "./remote.ts";

/** What a kind is given to work with. */
export interface RemoteTools {
  /** Reads what `{ secret }`, `{ env }` or `{ file }` refers to, when it is needed: a changed one counts at the next connection. */
  readonly secrets: Pick<Secrets, "read">;
  /** Files that are read from it at once: as many connections as that takes, and one for the rest. */
  readonly parallel: number;
  /** Something that the administrator should know, once: a server without encryption, a version that is not supported. */
  readonly warn: (text: string) => void;
}

/** Where a connection goes, for `doctor`: name, port. Undefined: the library finds it itself. */
export interface Address {
  readonly host: string;
  readonly port: number;
}

export interface Kind<Settings> {
  /** `kind:` in agent.yaml. */
  readonly name: string;
  readonly settings: z.ZodType<Settings>;
  /** Keys that hold a path on this host; a relative one begins at the folder of agent.yaml. */
  readonly paths?: readonly (keyof Settings & string)[];
  /** Where it is, for people: `sftp://host/folder`; no secrets. */
  where(settings: Settings): string;
  address(settings: Settings): Address | undefined;
  /** Whether its server is verified against the authorities that this host trusts. */
  certified(settings: Settings): boolean;
  /** `move:DIR` that is relative lies in here: the path of the place that paths of files are below. */
  root(settings: Settings): string;
  /** Asks nothing of the place yet: whatever is wrong is told by what is asked of it first. */
  connect(settings: Settings, tools: RemoteTools): Promise<Remote>;
}
