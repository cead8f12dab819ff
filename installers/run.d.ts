/** Its standard output. Throws with what it said, or with what to install. */
export declare function run(program: string, words: readonly string[], options?: {
    readonly cwd?: string;
    readonly env?: NodeJS.ProcessEnv;
}): Promise<string>;
/** At most as many at once as there are processors: each of them keeps one busy. */
export declare function turnstile(places?: number): <T>(work: () => Promise<T>) => Promise<T>;
