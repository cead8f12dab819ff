export interface PackageOptions {
  /** What the programs and packages call themselves: 1.2.3 */
  readonly version: string;
  /** The folder that takes them; it is made. */
  readonly out: string;
  /** Only files whose name contains one of these; all without. */
  readonly only: readonly string[];
  readonly say: (line: string) => void;
}
/** Makes the wanted files, SHA256SUMS and manifest.json of all that lies in `out`. Throws when nothing is called that. */
export declare function makePackages({ version, out, only, say }: PackageOptions): Promise<readonly string[]>;
