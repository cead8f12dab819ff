/** The key by which a server proves that it is the one that is meant: who has another key gets no credentials. */
import { createHash } from "node:crypto";
import { Fields } from "@tributary/shared/sftp/fields.ts";
import { FAMILIES, type Family } from "./algorithms.ts";

export interface HostKey {
  readonly family: Family | undefined;
  /** As `ssh-keygen -l` prints it. */
  readonly fingerprint: string;
}

/** `key`: as it stands on the wire (RFC 4253, 6.6). */
export function hostKeyOf(key: Buffer): HostKey {
  const digest = createHash("sha256").update(key).digest("base64").replace(/=+$/, "");
  const type = new Fields(key, 0).string().toString("latin1");
  return { family: familyOf(type), fingerprint: `SHA256:${digest}` };
}

function familyOf(type: string): Family | undefined {
  if (type === "ssh-rsa") return "rsa";
  const families = Object.keys(FAMILIES) as Family[];
  return families.find((family) => (FAMILIES[family] as readonly string[]).includes(type));
}

/** Why nothing is said to a server that showed these. `pinned`: what agent.yaml has. */
export function strangeHost(at: string, shown: readonly HostKey[], pinned: readonly string[]): string {
  const list = shown.map(({ family, fingerprint }) => `${fingerprint} (${family ?? "unknown"})`).join(", ");
  const keys = shown.length === 1 ? "key" : "keys";
  return pinned.length === 0
    ? `${at} shows the host ${keys} ${list}, and \`hostKey\` is not given: compare with what the server's administrator says (ssh-keygen -l), and write one of them as \`hostKey\` of this source`
    : `${at} shows the host ${keys} ${list}, and not ${pinned.join(" or ")}: either the server has a new key, or it is another server that calls itself by this name. Ask its administrator; if the key is right, write it as \`hostKey\` of this source`;
}
