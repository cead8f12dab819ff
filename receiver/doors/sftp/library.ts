/**
 * ssh2, loaded when the door is opened and not before: a receiver without SFTP does not pay for it, and its native
 * crypto has to be there when it is first looked at.
 */
import { isPackaged, packagedCrypto } from "@tributary/shared/packaged.ts";

export interface SshLibrary {
  readonly ssh2: typeof import("ssh2");
  /** What to say at start when the native crypto is missing: everything works, at a fraction of the speed. */
  readonly slow?: string;
}

/** `state`: the folder that a packaged program may load libraries from, as for SQLite. Never fails for want of speed. */
export async function loadSsh2(state: string): Promise<SshLibrary> {
  const unloaded = unpackCrypto(state);
  const { default: ssh2 } = await import("ssh2");
  return (await nativeCrypto()) ? { ssh2 } : { ssh2, slow: slowness(unloaded) };
}

/** Whether ssh2 found the library that was compiled for this Node. */
async function nativeCrypto(): Promise<boolean> {
  const { default: crypto } = await import("ssh2/lib/protocol/crypto.js");
  return crypto.bindingAvailable;
}

function slowness(unloaded: Error | undefined): string {
  const cure = isPackaged()
    ? (unloaded?.message ?? "this program was made without it")
    : "`npm run native` builds it, with g++";
  return `SFTP runs without its native crypto, and slower: ${cure}`;
}

function unpackCrypto(state: string): Error | undefined {
  try {
    packagedCrypto(state);
    return undefined;
  } catch (error) {
    return error as Error;
  }
}
