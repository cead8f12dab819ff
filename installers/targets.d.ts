/** For which systems the programs are made, and what each of them is called by whom. */
export type Side = "agent" | "receiver";
export interface Target {
  /** As our files are named: tributary-agent-linux-x64. */
  readonly name: "linux-x64" | "linux-arm64" | "win-x64";
  /** The npm package with Node for it, whose version and digest package-lock.json holds. */
  readonly node: string;
  /** Where the program lies in that package. */
  readonly nodeFile: string;
  /** SQLite for it, in better-sqlite3's package. */
  readonly sqlite: string;
  readonly pkg: {
    readonly platform: "linux" | "win";
    readonly arch: "x64" | "arm64";
  };
}
export declare const LINUX_X64: Target;
export declare const LINUX_ARM64: Target;
export declare const WINDOWS_X64: Target;
/** tributary-agent-linux-x64, tributary-agent-win-x64.exe: as the file lies in dist/. */
export declare function executableName(side: Side, target: Target): string;
