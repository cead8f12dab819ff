import type { Side } from "./targets.ts";
export interface Bundle {
  /** CommonJS: a single executable of Node 24 takes nothing else. */
  readonly text: string;
  /** Name -> text of what the program reads while it runs; shared/packaged.ts finds it by these names. */
  readonly texts: ReadonlyMap<string, string>;
  /** Names, versions and licences of all packages that went into it. */
  readonly licences: string;
}
/** `version`: what the program calls itself; it stands in package.json too. */
export declare function bundle(side: Side, version: string, threads: string): Promise<Bundle>;
