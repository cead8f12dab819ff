/** Programs that the packages are made with. */
import { execFile } from "node:child_process";
import { availableParallelism } from "node:os";
import { promisify } from "node:util";

const start = promisify(execFile);

/** Debian's package for each program that not every system has. */
const PACKAGES: Readonly<Record<string, string>> = {
  "dpkg-deb": "dpkg",
  rpmbuild: "rpm",
  rpmsign: "rpm",
  wixl: "wixl",
  msibuild: "msitools",
  osslsigncode: "osslsigncode",
  gpg: "gpg",
  "g++": "g++",
  "aarch64-linux-gnu-g++": "g++-aarch64-linux-gnu",
  "x86_64-w64-mingw32-gcc": "gcc-mingw-w64-x86-64",
  "x86_64-w64-mingw32-windres": "binutils-mingw-w64-x86-64",
  "x86_64-w64-mingw32-windmc": "binutils-mingw-w64-x86-64",
};

/** Its standard output. Throws with what it said, or with what to install. */
export async function run(
  program: string,
  words: readonly string[],
  options: { readonly cwd?: string; readonly env?: NodeJS.ProcessEnv } = {},
): Promise<string> {
  try {
    return (await start(program, words, { ...options, maxBuffer: 64 * 1024 * 1024 })).stdout;
  } catch (cause) {
    const { code, stdout = "", stderr = "" } = cause as { code?: unknown; stdout?: string; stderr?: string };
    if (code === "ENOENT")
      throw new Error(
        `${program} is not installed; on Debian: apt-get install ${PACKAGES[program] ?? program}`,
      );
    throw new Error(`\`${program} ${words.join(" ")}\` ended with ${code}:\n${stderr || stdout}`);
  }
}

/** At most as many at once as there are processors: each of them keeps one busy. */
export function turnstile(places = availableParallelism()): <T>(work: () => Promise<T>) => Promise<T> {
  let free = places;
  const waiting: (() => void)[] = [];
  return async (work) => {
    if (free > 0) free -= 1;
    else await new Promise<void>((go) => waiting.push(go));
    try {
      return await work();
    } finally {
      const next = waiting.shift();
      if (next === undefined) free += 1;
      else next();
    }
  };
}
