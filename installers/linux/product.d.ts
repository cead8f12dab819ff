import type { Side } from "../targets.ts";
export interface LinuxProduct {
  /** tributary-agent */
  readonly name: string;
  readonly version: string;
  readonly arch: "x64" | "arm64";
  readonly summary: string;
  readonly description: readonly string[];
  /** Path of the single executable. */
  readonly executable: string;
  /** Text of the unit. */
  readonly unit: string;
  /** Names and texts of what lies in /usr/share/doc/NAME. */
  readonly docs: ReadonlyMap<string, string>;
  /** Packages that the program or its commands need, by what Debian and Red Hat call them. */
  readonly needs: {
    readonly deb: readonly string[];
    readonly rpm: readonly string[];
  };
  readonly stateMode: "0700" | "0750";
}
export declare function linuxProduct(
  side: Side,
  given: Pick<LinuxProduct, "version" | "arch" | "executable"> & {
    readonly licences: string;
  },
): LinuxProduct;
/** Account, folders and systemd, in shell, for the scripts of packages. */
export declare function scriptFunctions({ name, stateMode }: LinuxProduct): string;
