import type { Target } from "./targets.ts";
/** Node's version without `v`, the same for all targets. */
export declare const nodeVersion: (target: Target) => string;
/**
 * Path of Node's program for the target. `cache`: a folder where it stays for the next time, under its digest.
 * Throws when what npm brings is not what the lock names.
 */
export declare function nodeFor(target: Target, cache: string): Promise<string>;
