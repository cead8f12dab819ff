/**
 * Packages that a client's IT department installs with one line. The line carries the SHA-256 of a script, the script
 * those of the packages, so nothing runs that is not what it was at the invitation, whoever stands in between. A script
 * says nothing but what the packages are: every receiver of a site with the same packages has the same, whatever its
 * settings, so a line holds until the packages change.
 *
 * Old scripts are not kept. One would name packages that are gone or older than the receiver; a line that was made for
 * them says that the packages were renewed, and a new one is a command away.
 */
import { createHash } from "node:crypto";
import { Readable } from "node:stream";
import { ProblemError } from "@tributary/shared/problems.ts";
import { PackageFolder } from "./folder.ts";
import { LINUX_SCRIPT, linuxScript } from "./linux.ts";
import { anyVersionOf, FORMS, newestOf, type Offer, type PackageName, type System } from "./packages.ts";
import { WINDOWS_SCRIPT, windowsScript } from "./windows.ts";

/** Something that can be fetched. */
export interface Handout {
  readonly name: string;
  readonly type: string;
  readonly size: number;
  readonly sha256: string;
  /** One of both, once. */
  read(range?: { readonly start: number; readonly end: number }): Readable;
  close(): Promise<void>;
}

export interface Script {
  readonly name: string;
  readonly text: string;
  readonly sha256: string;
  /** Forms of the system whose package is not there, as people are told. */
  readonly missing: readonly string[];
}

export interface Install {
  /** All that can be fetched: name -> SHA-256. */
  list(): Promise<ReadonlyMap<string, string>>;
  /** Undefined: nothing of that name is handed out. */
  open(name: string): Promise<Handout | undefined>;
  /** Throws `not-found` when there is no package for that system. */
  script(system: System): Promise<Script>;
}

/** `places`: folders that may hold the packages; the first that is there counts. */
export function openInstall(places: readonly [string, ...string[]]): Install {
  const folder = new PackageFolder(places);

  async function script(system: System): Promise<Script> {
    const offers = await offersOf(folder, newestOf(await folder.names(), system));
    const missing = FORMS.filter(
      (form) => form.system === system && !offers.some((offer) => offer.form === form),
    ).map(anyVersionOf);
    if (offers.length === 0)
      throw new ProblemError(
        "not-found",
        `there is no ${missing.join(" or ")} in ${folder.path}; put the packages of \`npm run package\` there`,
      );
    const [name, text] =
      system === "linux"
        ? [LINUX_SCRIPT, linuxScript(offers)]
        : [WINDOWS_SCRIPT, windowsScript(offers[0] as Offer)];
    return { name, text, sha256: sha256(text), missing };
  }

  /** Undefined where there are no packages for it. */
  async function scriptNamed(name: string): Promise<Script | undefined> {
    const system = SYSTEMS.find(([, of]) => of === name)?.[0];
    if (system === undefined || newestOf(await folder.names(), system).length === 0) return undefined;
    return await script(system);
  }

  return {
    script,
    async list() {
      const offers = await offersOf(folder, await folder.names());
      const scripts = await Promise.all(SYSTEMS.map(([, name]) => scriptNamed(name)));
      return new Map(
        [...scripts, ...offers].flatMap((one) => (one === undefined ? [] : [[one.name, one.sha256]])),
      );
    },
    async open(name) {
      const made = await scriptNamed(name);
      if (made !== undefined) return handoutOf(made);
      const listed = (await folder.names()).find((one) => one.name === name);
      const file = listed && (await folder.open(listed));
      return file && { ...file, name, type: "application/octet-stream" };
    },
  };
}

const SYSTEMS: readonly (readonly [System, string])[] = [
  ["linux", LINUX_SCRIPT],
  ["windows", WINDOWS_SCRIPT],
];

async function offersOf(folder: PackageFolder, names: readonly PackageName[]): Promise<Offer[]> {
  const offers: Offer[] = [];
  // One after the other: what is not known yet is read whole.
  for (const one of names) {
    const file = await folder.open(one);
    await file?.close();
    if (file !== undefined) offers.push({ ...one, size: file.size, sha256: file.sha256 });
  }
  return offers;
}

function handoutOf({ name, text, sha256 }: Script): Handout {
  const bytes = Buffer.from(text);
  return {
    name,
    sha256,
    type: "text/plain; charset=utf-8",
    size: bytes.length,
    read: (range) => Readable.from([range ? bytes.subarray(range.start, range.end + 1) : bytes]),
    close: async () => {},
  };
}

const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");
