/** What a Linux package of either program consists of, whatever the package's form. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Side } from "../targets.ts";

const ROOT = join(import.meta.dirname, "..", "..");

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
  readonly needs: { readonly deb: readonly string[]; readonly rpm: readonly string[] };
  readonly stateMode: "0700" | "0750";
}

const TEXTS: Readonly<
  Record<
    Side,
    { readonly summary: string; readonly description: readonly string[]; readonly docs: readonly string[] }
  >
> = {
  agent: {
    summary: "sends the files of this host's folders to a Tributary receiver",
    description: [
      "Watches folders and pushes every version of every file in them, exactly as",
      "it is, to the receiver of a central data team, with a receipt for each.",
      "Set up with one command: tributary-agent service install",
    ],
    docs: ["agent.md", "configuration.md"],
  },
  receiver: {
    summary: "takes in clients' files and writes them into a data lake",
    description: [
      "The central side of Tributary: authenticated HTTPS in, files and their",
      "history in a folder or any S3 store, a ledger in SQLite or PostgreSQL.",
    ],
    docs: ["receiver.md", "configuration.md", "lake.md", "security.md"],
  },
};

/**
 * What Node and better-sqlite3's library were linked with: Debian 12, Ubuntu 22.04, Red Hat 9 and what is newer. In
 * words that Red Hat and SUSE both know, whose packages have different names.
 */
const LIBRARIES: LinuxProduct["needs"] = {
  deb: ["libc6 (>= 2.34)", "libstdc++6 (>= 11)", "passwd"],
  rpm: ["libc.so.6(GLIBC_2.34)(64bit)", "libstdc++.so.6(GLIBCXX_3.4.29)(64bit)"],
};

export function linuxProduct(
  side: Side,
  given: Pick<LinuxProduct, "version" | "arch" | "executable"> & { readonly licences: string },
): LinuxProduct {
  const { summary, description, docs } = TEXTS[side];
  const { licences, ...rest } = given;
  return {
    ...rest,
    name: `tributary-${side}`,
    summary,
    description,
    unit: readFileSync(join(ROOT, `installers/linux/${side}.service`), "utf8"),
    docs: new Map([
      ...docs.map((file) => [file, readFileSync(join(ROOT, "docs", file), "utf8")] as const),
      ...(side === "receiver" ? [example()] : []),
      ["third-party-licences.txt", licences],
    ]),
    needs:
      side === "agent"
        ? { deb: [...LIBRARIES.deb, "acl"], rpm: [...LIBRARIES.rpm, "/usr/bin/setfacl"] }
        : LIBRARIES,
    stateMode: side === "agent" ? "0700" : "0750",
  };
}

function example(): readonly [string, string] {
  return ["receiver.yaml", readFileSync(join(import.meta.dirname, "receiver.example.yaml"), "utf8")];
}

/** Account, folders and systemd, in shell, for the scripts of packages. */
export function scriptFunctions({ name, stateMode }: LinuxProduct): string {
  const text = readFileSync(join(import.meta.dirname, "functions.sh"), "utf8");
  return text.replaceAll("NAME", name).replaceAll("STATE_MODE", stateMode);
}
