/** The kinds of sources away from this host. A new one is its file, and a line here. */
import { azureBlob } from "./azure-blob.ts";
import { ftp } from "./ftp.ts";
import type { Kind } from "./kind.ts";
import { s3 } from "./s3.ts";
import type { RemoteSettings } from "./settings.ts";
import { sftp } from "./sftp.ts";

// biome-ignore lint/suspicious/noExplicitAny: each kind knows its own settings
const ALL: readonly Kind<any>[] = [sftp, ftp, s3, azureBlob];

/** What agent.yaml may say of a remote source, of each kind. */
export const remoteSettings = ALL.map(({ settings }) => settings);

/** Undefined: it is none of them. */
// biome-ignore lint/suspicious/noExplicitAny: see above
export function kindNamed(name: string): Kind<any> | undefined {
  return ALL.find((kind) => kind.name === name);
}

export type RemoteKind = "sftp" | "ftp" | "s3" | "azure-blob";

/** What its own kind adds is known to that alone. */
export type RemoteSourceSettings = RemoteSettings & { readonly kind: RemoteKind };
