/**
 * SFTP, as a program of the night does it: comes, makes its folders, sends its files in pieces, fetches the receipts
 * and is gone. In turn under the files' own names, and under names that are temporary until the file is whole.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { MAX_PATH_BYTES } from "@tributary/shared/path.ts";
import { manifestOf } from "../site/lake.ts";
import { Sftp, SftpLost, SftpRefused, type SftpSession, SftpStatus } from "../site/sftp.ts";
import { newSshKey } from "../site/ssh-key.ts";
import type { Door, Outcome, Sender, Sending, Threshold } from "./door.ts";

export const sftp: Door = {
  name: "sftp",
  bearer: "account",
  perseveres: false,
  portOf: (site) => site.sftpPort,
  channels: () => ["sftp"],
  cannot: {
    captures: "SFTP has no word for the id of a capture: each file that is closed is one of its own",
    digests: "SFTP version 3 has no word for a digest",
    sizes: "a file is as large as what was written of it when it is closed",
    clients: "an account is of one client, and no path leads out of it",
    rights:
      "an account that is bound to a source has it as its root and can name no other, and none may only read",
    repeats: "what can be fetched is the receipt of the version that is there: it was created once",
  },
  otherwise: {
    "a suspended client": {
      code: "unauthenticated",
      because: "SSH lets nobody in without a word of why, so that strangers learn nothing of who exists",
    },
  },
  unspeakable(path) {
    const segments = path.toString("latin1").split("/");
    if (segments.some((segment) => ["", ".", ".."].includes(segment)))
      return "an empty segment, . and .. are steps of every SFTP path, and never come to the codec";
    return segments.at(-1)?.startsWith(".") || segments.at(-1)?.startsWith("_")
      ? "a name like this waits for its rename, as programs want it that upload under such names"
      : undefined;
  },
  enter: async (at) => await startProgram(at),
};

let programs = 0;

async function startProgram({ site, port, client, source, rights }: Threshold): Promise<Sender> {
  if (rights !== undefined) throw new Error("an account has no fewer rights");
  programs += 1;
  const user = `program-${programs}`;
  const { public: publicKey, private: privateKey } = newSshKey();
  const file = join(site.dir, `${user}.pub`);
  writeFileSync(file, publicKey);
  const account = ["--client", client, "--user", user, "--public-key", file, "--receipts"];
  const bearer = await site.command("sftp", "add", ...account);
  let before: Sftp | undefined;
  /** The connection of before was left open: what its end brings back is no part of what was sent. */
  const come = async (): Promise<Sftp> => {
    before?.destroy();
    before = await Sftp.connect({ port, user, privateKey });
    return before;
  };
  return {
    bearer,
    revocation: ["sftp", "revoke", user],
    authorization: () => undefined,
    send: async (files) =>
      await withSessions(come, files, async (session, part) => {
        const outcomes: Outcome[] = [];
        for (const one of part) outcomes.push(await outcomeOf(carried(session, source, one)));
        return outcomes;
      }),
    remove: async (path) => {
      const session = await (await come()).session();
      return await outcomeOf(
        session.remove(within(source, path)).then(async (words) => {
          const lines = await manifestOf(site.lake);
          const { receipt } = lines.find((line) => words.endsWith(line.versionId)) ?? {};
          if (receipt === undefined) throw new Error(`no receipt of the removal "${words}"`);
          return receipt;
        }),
      );
    },
    close: async () => before?.destroy(),
  };
}

/** Half of them in each of two sessions, as programs do that send several at once. */
async function withSessions(
  come: () => Promise<Sftp>,
  files: readonly Sending[],
  send: (session: SftpSession, files: readonly Sending[]) => Promise<readonly Outcome[]>,
): Promise<readonly Outcome[]> {
  const half = Math.ceil(files.length / 2);
  const halves = [files.slice(0, half), files.slice(half)].filter(({ length }) => length > 0);
  try {
    const connection = await come();
    const sent = halves.map(async (part) => await send(await connection.session(), part));
    return (await Promise.all(sent)).flat();
  } catch (cause) {
    const outcome = notIn(cause);
    return files.map(() => outcome);
  }
}

function notIn(cause: unknown): Outcome {
  if (cause instanceof SftpRefused)
    return { kind: "problem", code: "unauthenticated", detail: cause.message };
  if (cause instanceof SftpLost) return { kind: "lost", why: cause.message };
  throw cause;
}

async function outcomeOf(receipt: Promise<string>): Promise<Outcome> {
  try {
    return { kind: "receipt", receipt: await receipt };
  } catch (cause) {
    if (!(cause instanceof SftpStatus)) return notIn(cause);
    return { kind: "problem", code: cause.code ?? `status ${cause.status}`, detail: cause.message };
  }
}

const within = (source: string, path: Buffer): Buffer => Buffer.concat([Buffer.from(`/${source}/`), path]);

/** Names that are temporary, one for every third file. */
const NAMES: readonly ((name: string) => string)[] = [
  (name) => name,
  (name) => `${name}.filepart`,
  (name) => `.${name}.q7Xk2w`,
];

/** Small ones wait for each answer: what comes back is as many bytes each time then, which the cuts count on. */
const aheadOf = ({ bytes }: Sending): number => (bytes.length < 2 ** 20 ? 1 : 64);

/** The receipt. */
async function carried(session: SftpSession, source: string, file: Sending): Promise<string> {
  const path = within(source, file.path);
  for (let slash = path.indexOf("/", 1); slash > 0; slash = path.indexOf("/", slash + 1))
    await session.mkdir(path.subarray(0, slash)).catch(unlessStatus);
  const under = temporary(path, NAMES[file.bytes.length % NAMES.length] as (typeof NAMES)[number]);
  const ahead = aheadOf(file);
  const words =
    file.path.length + 8 > MAX_PATH_BYTES || under.equals(path)
      ? await session.put(path, file.bytes, { ahead })
      : await session
          .put(under, file.bytes, { ahead })
          .then(async () => await session.rename(under, path, true));
  const receipt = (await session.get(Buffer.concat([Buffer.from("/.receipts"), path, Buffer.from(".jws")])))
    .toString()
    .trimEnd();
  const { versionId } = JSON.parse(Buffer.from(receipt.split(".")[1] ?? "", "base64url").toString());
  if (!new RegExp(`^(created|unchanged) ${versionId}$`).test(words))
    throw new Error(`"${words}", and a receipt of ${versionId}`);
  return receipt;
}

function temporary(path: Buffer, name: (typeof NAMES)[number]): Buffer {
  const slash = path.lastIndexOf("/") + 1;
  const named = Buffer.from(name(path.subarray(slash).toString("latin1")), "latin1");
  return Buffer.concat([path.subarray(0, slash), named]);
}

/** It is there already, or will be refused when the file is. */
function unlessStatus(cause: unknown): void {
  if (!(cause instanceof SftpStatus)) throw cause;
}
