/** A few seconds the first time, nothing after that. */
export declare function buildPages(root: string, say: (line: string) => void): Promise<void>;
