/** One attempt to log in, as SSH brings it (RFC 4252). */
import { ProblemError } from "@tributary/shared/problems.ts";
import type { AuthContext, PublicKeyAuthContext } from "ssh2";
import type { Account } from "../../identity/account.ts";
import type { SftpLogin } from "../../identity/sftp-login.ts";
import type { SshLibrary } from "./library.ts";

/** Told to everybody alike, whoever asks: no answer says which users exist, or what they have. */
export const METHODS = ["publickey", "password"] as const;

export type Attempt =
  | { readonly kind: "in"; readonly account: Account; readonly method: string }
  /** A key was asked about; its signature comes next. */
  | { readonly kind: "goes on" }
  /** `code` undefined: nothing was tried that anybody wants to hear of. */
  | {
      readonly kind: "refused";
      readonly user: string;
      readonly method: string;
      readonly code: string | undefined;
    };

interface Means {
  readonly login: SftpLogin;
  readonly library: SshLibrary["ssh2"];
}

export async function attempt(means: Means, context: AuthContext, address: string): Promise<Attempt> {
  const { login } = means;
  const { username: user, method } = context;
  switch (context.method) {
    case "publickey":
      return await byKey(means, context, user);
    case "password": {
      const found = await login.byPassword(user, context.password, address);
      return found instanceof ProblemError
        ? { kind: "refused", user, method, code: found.code }
        : { kind: "in", account: found, method };
    }
    default:
      return { kind: "refused", user, method, code: undefined };
  }
}

async function byKey(
  { login, library }: Means,
  context: PublicKeyAuthContext,
  user: string,
): Promise<Attempt> {
  const { method, key, signature, blob } = context;
  const found = await login.byKey(user, key.data);
  if (found === undefined) return { kind: "refused", user, method, code: undefined };
  // RSA with SHA-1 proves nothing any more.
  const hash = hashOf(context);
  if (key.algo === "ssh-rsa" && !RSA_HASHES.includes(hash ?? ""))
    return { kind: "refused", user, method, code: "unauthenticated" };
  if (signature === undefined || blob === undefined) {
    // The library answers with the name of the key's type, where RFC 8332, 3.2 wants that of the signature.
    if (key.algo === "ssh-rsa" && hash !== undefined)
      (key as { algo: string }).algo = `rsa-sha2-${hash.slice(3)}`;
    context.accept();
    return { kind: "goes on" };
  }
  const parsed = library.utils.parseKey(key.data);
  if (parsed instanceof Error || Array.isArray(parsed) || parsed.verify(blob, signature, hash) !== true)
    return { kind: "refused", user, method, code: "unauthenticated" };
  return found instanceof ProblemError
    ? { kind: "refused", user, method, code: found.code }
    : { kind: "in", account: found, method };
}

const RSA_HASHES: readonly string[] = ["sha256", "sha512"];

/** Of an RSA signature, as the client named it; the types of the library do not know of it. */
function hashOf(context: PublicKeyAuthContext): string | undefined {
  return (context as { readonly hashAlgo?: string }).hashAlgo;
}
