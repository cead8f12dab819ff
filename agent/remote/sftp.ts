/** Sources on SFTP servers, as agent.yaml has them. */
import { z } from "zod";
import { secretReference } from "../secret/reference.ts";
import type { Kind } from "./kind.ts";
import { remoteFields } from "./settings.ts";
import { FINGERPRINT } from "./sftp/fingerprint.ts";

const fingerprint = z
  .string()
  .regex(
    FINGERPRINT,
    "expected a fingerprint as `ssh-keygen -l` prints it: SHA256: and 43 letters, digits, + and /",
  );

const settings = z
  .strictObject({
    ...remoteFields,
    kind: z.literal("sftp").describe("A folder on an SFTP server."),
    host: z
      .string()
      .regex(/^[^\s/@]+$/, "expected the name or the address of a host, without a user, a port or a path")
      .describe("The server."),
    port: z.int().min(1).max(65_535).default(22).describe("Where it listens."),
    user: z.string().min(1).describe("Who logs in."),
    password: secretReference.optional().describe("Where the user's password is."),
    privateKey: secretReference
      .optional()
      .describe("Where the user's private key is: as ssh-keygen or PuTTYgen writes it."),
    passphrase: secretReference.optional().describe("Where the passphrase of an encrypted private key is."),
    hostKey: z
      .union([fingerprint, z.array(fingerprint).min(1)])
      .optional()
      .describe(
        "The fingerprint of the server's host key, or several of which it has one. Without it nothing is fetched: `doctor` shows what the server has.",
      ),
    path: z
      .string()
      .regex(/^[^\0]+$/, "expected the path of a folder")
      .default(".")
      .describe("The folder at the server: absolute, or from where the login lands, which it is by itself."),
    legacy: z
      .boolean()
      .default(false)
      .describe("Also takes what old servers need and is not safe any more: SHA-1, CBC."),
  })
  .refine(({ password, privateKey }) => password !== undefined || privateKey !== undefined, {
    message: "expected password or privateKey (or both, where the server wants both)",
    path: ["password"],
  })
  .refine(({ passphrase, privateKey }) => passphrase === undefined || privateKey !== undefined, {
    message: "a passphrase is nothing without a privateKey",
    path: ["passphrase"],
  });

export type SftpSettings = z.output<typeof settings>;

export const sftp: Kind<SftpSettings> = {
  name: "sftp",
  settings,
  where: ({ user, host: name, port, path }) => {
    const host = name.includes(":") ? `[${name}]` : name;
    return `sftp://${user}@${host}${port === 22 ? "" : `:${port}`}${path.startsWith("/") ? path : path === "." ? "/~" : `/~/${path}`}`;
  },
  address: ({ host, port }) => ({ host, port }),
  certified: () => false,
  root: ({ path }) => path,
  async connect({ hostKey, ...place }, { secrets }) {
    const [{ sftpRemote }, { loadSsh2 }] = await Promise.all([
      import("./sftp/place.ts"),
      import("./sftp/library.ts"),
    ]);
    const hostKeys = hostKey === undefined ? [] : [hostKey].flat();
    return sftpRemote({ ...place, hostKeys }, (reference) => secrets.read(reference), await loadSsh2());
  },
};
