/**
 * What a packaged program carries inside itself: in a checkout these are files beside the code, in a package they are
 * assets of the single executable (installers/executable.ts puts them there under the names used here).
 */
import { createHash } from "node:crypto";
import {
  closeSync,
  fsyncSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { constants } from "node:os";
import { dirname, join } from "node:path";
import { getAsset, getAssetKeys, getRawAsset, isSea } from "node:sea";
import { compileFunction, constants as vm } from "node:vm";
import { ProblemError } from "./problems.ts";

/** Whether this is an installed program, one file with everything in it, and not a checkout. */
export const isPackaged = (): boolean => isSea();

/** The text of an asset. */
export const packagedText = (name: string): string => getAsset(name, "utf8");

/** Names and texts of the assets whose name begins with `folder` (which ends in `/`), without it, in order. */
export function packagedTexts(folder: string): readonly { readonly name: string; readonly text: string }[] {
  return getAssetKeys()
    .filter((key) => key.startsWith(folder))
    .sort()
    .map((key) => ({ name: key.slice(folder.length), text: packagedText(key) }));
}

/** The name of the asset that holds the library of one kind of sources: CommonJS, with all that it needs. */
export const libraryAsset = (kind: string): string => `libraries/${kind}.js`;

/** What such a library exports. Read when it is asked for: a program without a source of the kind does not pay for its text. */
export function packagedLibrary(kind: string): unknown {
  const filename = libraryAsset(kind);
  const module = { exports: {} };
  const given = {
    module,
    exports: module.exports,
    require: requireFromNode,
    __filename: process.execPath,
    __dirname: dirname(process.execPath),
  };
  compileFunction(packagedText(filename), Object.keys(given), {
    filename,
    importModuleDynamically: vm.USE_MAIN_CONTEXT_DEFAULT_LOADER,
  })(...Object.values(given));
  return module.exports;
}

/** Nothing that lies on the host is taken for a part of the program. */
function requireFromNode(name: string): unknown {
  const found: unknown = process.getBuiltinModule(name);
  if (found === undefined)
    throw Object.assign(new Error(`${name} is no module of Node's`), { code: "MODULE_NOT_FOUND" });
  return found;
}

/** The only word after the program's name when it is to be the process in which a stranger's file is previewed. */
export const PREVIEW_PROCESS = "--preview-process";

/** The name of the asset that holds SQLite. */
export const SQLITE_ASSET = "better-sqlite3.node";

let sqlite: object | undefined;

/**
 * SQLite's addon of a packaged program, for `new Database(file, { nativeBinding })`; undefined in a checkout, where the
 * library finds its own. The system loads libraries from files alone, so it is written to `<state>/native/` once.
 * Throws `disk-full`, and `queue-unusable` when that folder takes no library.
 */
export function packagedSqlite(state: string): object | undefined {
  if (!isPackaged()) return undefined;
  sqlite ??= load("SQLite", SQLITE_ASSET, state);
  return sqlite;
}

/** The name of the asset that holds ssh2's native crypto; the receiver has it. */
export const CRYPTO_ASSET = "sshcrypto.node";

let crypto: object | undefined;

/**
 * ssh2's native crypto of a packaged program: with `state` it is loaded as SQLite is, and throws as that does; without,
 * it is what was loaded before, which is how ssh2 asks in a bundle (installers/bundle.ts). Undefined in a checkout.
 */
export function packagedCrypto(state?: string): object | undefined {
  if (state !== undefined && isPackaged()) crypto ??= load("the native crypto", CRYPTO_ASSET, state);
  return crypto;
}

function load(what: string, asset: string, state: string): object {
  const bytes = Buffer.from(getRawAsset(asset));
  const file = unpack(bytes, asset === SQLITE_ASSET ? "sqlite" : "sshcrypto", join(state, "native"));
  const module = { exports: {} };
  try {
    process.dlopen(module, file, constants.dlopen.RTLD_LAZY);
  } catch (cause) {
    throw new ProblemError(
      "queue-unusable",
      `cannot load ${what} from ${file}: ${(cause as Error).message}; programs must be allowed to run from this folder (no noexec mount, no antivirus that holds it back)`,
      { cause },
    );
  }
  return module.exports;
}

/** The name is the digest of the content, and the content is looked at each time: half a file is written anew. */
function unpack(bytes: Buffer, name: string, folder: string): string {
  const digest = createHash("sha256").update(bytes).digest("hex");
  const file = join(folder, `${name}-${digest.slice(0, 16)}.node`);
  if (holds(file, bytes)) return file;
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const fresh = join(mkdtempSync(join(folder, "fresh-")), `${name}.node`);
    try {
      const fd = openSync(fresh, "wx", 0o700);
      try {
        writeFileSync(fd, bytes);
        fsyncSync(fd);
      } finally {
        closeSync(fd);
      }
      replace(fresh, file, bytes);
    } finally {
      rmSync(dirname(fresh), { recursive: true, force: true });
    }
  } catch (cause) {
    if (/^(ENOSPC|EDQUOT)$/.test(String((cause as NodeJS.ErrnoException).code)))
      throw new ProblemError(
        "disk-full",
        `cannot write ${file}: ${(cause as Error).message}; free space there`,
        {
          cause,
        },
      );
    throw new ProblemError(
      "queue-unusable",
      `cannot write ${file}: ${(cause as Error).message}; run this as the account that the service runs as, or as an administrator`,
      { cause },
    );
  }
  return file;
}

/** Windows replaces no library that is loaded: then another process was faster, and its file is as good. */
function replace(fresh: string, file: string, bytes: Buffer): void {
  try {
    renameSync(fresh, file);
  } catch (error) {
    if (!holds(file, bytes)) throw error;
  }
}

function holds(file: string, bytes: Buffer): boolean {
  if (statSync(file, { throwIfNoEntry: false })?.size !== bytes.length) return false;
  return readFileSync(file).equals(bytes);
}
