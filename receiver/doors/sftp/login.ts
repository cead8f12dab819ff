/** One attempt to log in, as SSH brings it (RFC 4252). */
import { ProblemError } from "@tributary/shared/problems.ts";
import type { AuthContext, PublicKeyAuthContext } from "ssh2";
import type { Account } from "../../identity/account.ts";
import type { SftpLogin } from "../../identity/sftp-login.ts";
import { fingerprintOf } from "../../identity/ssh-fingerprint.ts";
import type { SshLibrary } from "./library.ts";

/** Told to everybody alike, whoever asks: no answer says which users exist, or what they have. */
export const METHODS = ["publickey", "password"] as const;

export type Attempt =
  | { readonly kind: "in"; readonly account: Account; readonly method: string }
  /** A key was asked about; its signature comes next. */
  | { readonly kind: "goes on" }
  /** Nothing was tried that anybody wants to hear of. */
  | { readonly kind: "nothing" }
  /** A key that is not the user's, as any program offers some. */
  | { readonly kind: "another key"; readonly fingerprint: string }
  | { readonly kind: "refused"; readonly code: string; readonly why: string };

/** Longer user names exist nowhere: of those that come so much is looked at, kept and logged. */
const LONGEST_USER = 64;

/** As it is asked for. */
export const userOf = ({ username }: AuthContext): string => username.slice(0, LONGEST_USER);

interface Means {
  readonly login: SftpLogin;
  readonly library: SshLibrary["ssh2"];
}

/** `gone`: whoever asks has left. */
export async function attempt(
  means: Means,
  context: AuthContext,
  address: string,
  gone: AbortSignal,
): Promise<Attempt> {
  switch (context.method) {
    case "publickey":
      return await byKey(means, context);
    case "password": {
      // RFC 4252, 8 lets a client send a new one beside it; the library then has an object here.
      const password: unknown = context.password;
      if (typeof password !== "string") return refused("a password is not changed here");
      return outcomeOf(await means.login.byPassword(userOf(context), password, address, gone), "password");
    }
    default:
      return { kind: "nothing" };
  }
}

function outcomeOf(found: Account | ProblemError, method: string): Attempt {
  return found instanceof ProblemError
    ? { kind: "refused", code: found.code, why: found.message }
    : { kind: "in", account: found, method };
}

const refused = (why: string): Attempt => ({ kind: "refused", code: "unauthenticated", why });

async function byKey({ login, library }: Means, context: PublicKeyAuthContext): Promise<Attempt> {
  const { method, key, signature, blob } = context;
  const found = await login.byKey(userOf(context), key.data);
  if (found === undefined) return { kind: "another key", fingerprint: fingerprintOf(key.data) };
  const parsed = library.utils.parseKey(key.data);
  // By the name that the client gives it the library chooses the digest: SHA-1, for an RSA key by another name.
  if (parsed instanceof Error || Array.isArray(parsed) || parsed.type !== key.algo)
    return refused("the key is not of the kind that the client says");
  // RSA with SHA-1 proves nothing any more.
  const hash = hashOf(context);
  if (key.algo === "ssh-rsa" && !RSA_HASHES.includes(hash ?? ""))
    return refused(
      "the client signs with SHA-1 (ssh-rsa): its program is too old for RSA keys, others may do",
    );
  if (signature === undefined || blob === undefined) {
    // The library answers with the name of the key's type, where RFC 8332, 3.2 wants that of the signature.
    if (key.algo === "ssh-rsa" && hash !== undefined)
      (key as { algo: string }).algo = `rsa-sha2-${hash.slice(3)}`;
    context.accept();
    return { kind: "goes on" };
  }
  if (parsed.verify(blob, signature, hash) !== true) return refused("the signature is wrong");
  return outcomeOf(found, method);
}

const RSA_HASHES: readonly string[] = ["sha256", "sha512"];

/** Of an RSA signature, as the client named it; the types of the library do not know of it. */
function hashOf(context: PublicKeyAuthContext): string | undefined {
  return (context as { readonly hashAlgo?: string }).hashAlgo;
}
