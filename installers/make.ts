/** Everything that is handed to others, each made once and from the same executables. */
import { createHash } from "node:crypto";
import {
  copyFileSync,
  createReadStream,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join, resolve } from "node:path";
import { pipeline } from "node:stream/promises";
import { CRYPTO_ASSET, SQLITE_ASSET } from "../shared/packaged.ts";
import { nodeFor, nodeVersion } from "./bases.ts";
import { type Bundle, bundle } from "./bundle.ts";
import { buildCrypto } from "./crypto.ts";
import type { ExecutableJob } from "./executable.ts";
import { debName, makeDeb } from "./linux/deb.ts";
import { type LinuxProduct, linuxProduct } from "./linux/product.ts";
import { makeRpm, rpmName } from "./linux/rpm.ts";
import { makeTarball, tarballName } from "./linux/tarball.ts";
import { run, turnstile } from "./run.ts";
import { signDeb, signRpm, signSums, signWindows } from "./signing.ts";
import { executableName, LINUX_ARM64, LINUX_X64, type Side, type Target, WINDOWS_X64 } from "./targets.ts";
import { makeMsi, msiName } from "./windows/msi.ts";

const ROOT = join(import.meta.dirname, "..");

export interface PackageOptions {
  /** What the programs and packages call themselves: 1.2.3 */
  readonly version: string;
  /** The folder that takes them; it is made. */
  readonly out: string;
  /** Only files whose name contains one of these; all without. */
  readonly only: readonly string[];
  readonly say: (line: string) => void;
}

/** One file of dist/. */
interface Product {
  readonly name: string;
  /** Puts it where it is told to. `scratch`: an empty folder of its own. */
  make(out: string, scratch: string): Promise<void>;
}

/** What either program asks of V8 and of the C library, as it does in a checkout. */
interface Staying {
  readonly flags: readonly string[];
  readonly env: { readonly UV_THREADPOOL_SIZE: string };
}

const stayingOf = async (side: Side): Promise<Staying> => (await import(`../${side}/staying.js`)).STAYING;

/** Makes the wanted files, SHA256SUMS and manifest.json of all that lies in `out`. Throws when nothing is called that. */
export async function makePackages({ version, out, only, say }: PackageOptions): Promise<readonly string[]> {
  if (!/^\d+\.\d+\.\d+$/.test(version))
    throw new Error(
      `--version ${version}: expected three numbers such as 1.2.3 (Windows takes nothing else)`,
    );
  const folder = resolve(out);
  mkdirSync(folder, { recursive: true });
  process.env["SOURCE_DATE_EPOCH"] ??= await committedAt();
  const scratch = mkdtempSync(join(folder, ".making-"));
  try {
    const wanted = products(version, scratch).filter(
      ({ name }) => only.length === 0 || only.some((part) => name.includes(part)),
    );
    if (wanted.length === 0) throw new Error(`no package is called ${only.join(" or ")}`);
    await Promise.all(
      wanted.map(async ({ name, make }) => {
        const own = mkdtempSync(join(scratch, "product-"));
        const file = join(folder, name);
        rmSync(file, { force: true });
        await make(file, own);
        say(`${name}  ${(statSync(file).size / 1e6).toFixed(1)} MB`);
      }),
    );
    await describe(folder, version);
    return wanted.map(({ name }) => name);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** Seconds since 1970: the time of everything in the packages, so that whoever packs the same commit gets the same bytes. */
const committedAt = async (): Promise<string> =>
  (
    await run("git", ["log", "-1", "--format=%ct"], { cwd: ROOT }).catch(() =>
      String(Math.floor(Date.now() / 1_000)),
    )
  ).trim();

function products(version: string, scratch: string): readonly Product[] {
  const turn = turnstile();
  const bundles = memo(async (side: Side) =>
    bundle(side, version, (await stayingOf(side)).env.UV_THREADPOOL_SIZE),
  );
  const executable = memo((name: string) => {
    const [side, target] = EXECUTABLES.find(
      ([one, of]) => executableName(one, of) === name,
    ) as (typeof EXECUTABLES)[number];
    return turn(async () => await makeExecutable(side, target, await bundles(side), scratch));
  });
  const linux = (side: Side, target: Target) => async (): Promise<LinuxProduct> =>
    linuxProduct(side, {
      version,
      arch: target.pkg.arch,
      executable: await executable(executableName(side, target)),
      licences: (await bundles(side)).licences,
    });
  const packed = (
    name: string,
    product: () => Promise<LinuxProduct>,
    pack: (product: LinuxProduct, out: string, scratch: string) => Promise<void>,
    sign: (file: string) => Promise<void> = async () => {},
  ): Product => ({
    name,
    make: async (file, own) => {
      const made = await product();
      const fresh = join(own, name);
      await turn(() => pack(made, fresh, own));
      await sign(fresh);
      renameSync(fresh, file);
    },
  });
  return [
    // The one that takes longest comes first.
    ...EXECUTABLES.map(([side, target]): Product => {
      const name = executableName(side, target);
      return { name, make: async (file) => copyFileSync(await executable(name), file) };
    }),
    ...[LINUX_X64, LINUX_ARM64].flatMap((target) => {
      const { arch } = target.pkg;
      const agent = { name: "tributary-agent", version, arch };
      const receiver = { ...agent, name: "tributary-receiver" };
      return [
        packed(debName(agent), linux("agent", target), makeDeb, signDeb),
        packed(rpmName(agent), linux("agent", target), makeRpm, signRpm),
        packed(tarballName(agent), linux("agent", target), makeTarball),
        packed(debName(receiver), linux("receiver", target), makeDeb, signDeb),
      ];
    }),
    {
      name: msiName(version),
      make: async (file, own) => {
        const agent = await executable(executableName("agent", WINDOWS_X64));
        const { licences } = await bundles("agent");
        await turn(() => makeMsi({ version, executable: agent, licences, sign: signWindows }, file, own));
      },
    },
  ];
}

const EXECUTABLES: readonly (readonly [Side, Target])[] = [
  ["agent", WINDOWS_X64],
  ["agent", LINUX_X64],
  ["agent", LINUX_ARM64],
  ["receiver", LINUX_X64],
  ["receiver", LINUX_ARM64],
];

function memo<K, T>(work: (key: K) => Promise<T>): (key: K) => Promise<T> {
  const made = new Map<K, Promise<T>>();
  return (key) => {
    const found = made.get(key) ?? work(key);
    made.set(key, found);
    return found;
  };
}

/** Fetched once, for both programs of a target. */
const nodeOf = memo((target: Target) => nodeFor(target, join(ROOT, "node_modules/.cache/tributary-bases")));

/** Gives the path of the executable. */
async function makeExecutable(side: Side, target: Target, parts: Bundle, scratch: string): Promise<string> {
  const own = mkdtempSync(join(scratch, "executable-"));
  const assets: Record<string, string> = {
    [SQLITE_ASSET]: join(ROOT, "node_modules/better-sqlite3/prebuilds", target.sqlite),
  };
  const write = (name: string, text: string): string => {
    const file = join(own, name.replaceAll("/", "-"));
    writeFileSync(file, text);
    return file;
  };
  const node = await nodeOf(target);
  if (side === "receiver" && target.compiler !== undefined) {
    const crypto = join(own, CRYPTO_ASSET);
    await buildCrypto({ compiler: target.compiler, node, output: crypto });
    assets[CRYPTO_ASSET] = crypto;
  }
  for (const [name, text] of parts.texts) assets[name] = write(`asset-${name}`, text);
  const output = join(own, executableName(side, target));
  const job: ExecutableJob = {
    target,
    nodeVersion: nodeVersion(target),
    node,
    main: write("main.cjs", parts.text),
    assets,
    flags: (await stayingOf(side)).flags,
    output,
    scratch: own,
  };
  await run(process.execPath, [
    join(import.meta.dirname, "executable.ts"),
    write("job.json", JSON.stringify(job)),
  ]);
  if (!existsSync(output)) throw new Error(`pkg made no ${output}`);
  // Before it is packed: what the .msi installs is what was signed.
  if (target.pkg.platform === "win") await signWindows(output);
  return output;
}

/** SHA256SUMS as `sha256sum --check` reads it, and manifest.json for programs. */
async function describe(folder: string, version: string): Promise<void> {
  const names = readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.startsWith("tributary-"))
    .map(({ name }) => name)
    .sort();
  const files = await Promise.all(
    names.map(async (name) => {
      const hash = createHash("sha256");
      await pipeline(createReadStream(join(folder, name)), hash);
      return { name, size: statSync(join(folder, name)).size, sha256: hash.digest("hex") };
    }),
  );
  const sums = join(folder, "SHA256SUMS");
  writeFileSync(sums, files.map(({ name, sha256 }) => `${sha256}  ${name}\n`).join(""));
  await signSums(sums);
  const manifest = { version, node: nodeVersion(LINUX_X64), files };
  writeFileSync(join(folder, "manifest.json"), `${JSON.stringify(manifest, undefined, 2)}\n`);
}
