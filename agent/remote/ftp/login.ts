/** From nothing to a connection on which files can be asked for. What fails here fails for the whole place. */
import { readFile } from "node:fs/promises";
import { isIP } from "node:net";
import type { ConnectionOptions } from "node:tls";
import { RemoteError } from "../remote.ts";
import type { Control } from "./control.ts";
import { aboutAll, crowded, reasonOf, tooMany } from "./failures.ts";
import { FTPError } from "./library.ts";
import type { Patience } from "./patience.ts";
import { featuresOf, type Server } from "./server.ts";
import { folderOf, readable, typed } from "./spelling.ts";

/** Where, who, and how it is proven. */
export interface Target {
  readonly host: string;
  readonly port: number;
  readonly tls: "explicit" | "implicit" | "none";
  readonly user: string;
  readonly ca?: string | undefined;
  readonly serverName?: string | undefined;
  readonly path?: string | undefined;
  /** Read for each login. */
  password(): Promise<string>;
  readonly patience: Patience;
}

/** For people, and part of what names the place. */
export function whereOf({ host, port }: Pick<Target, "host" | "port">): string {
  return isIP(host) === 6 ? `[${host}]:${port}` : `${host}:${port}`;
}

/** Connects, agrees on TLS, says who it is, and goes to the folder of the source. Folders as latin1 text. */
export async function loggedIn(control: Control, target: Target, server: Server, where: string) {
  const { host, port, tls } = target;
  if (tls === "implicit") await control.connectEncrypted(host, port, await tlsOptions(target));
  else {
    control.socket.setNoDelay(true);
    control.socket.connect({ host, port });
    await control.ask(undefined);
    if (tls === "explicit") await agreeOnTls(control, target, where);
  }
  await identify(control, target, where);
  server.learn(await featuresOf(control));
  if (server.utf8) await accepted(control, "OPTS UTF8 ON");
  if (server.mlsd && server.factsAsked) await accepted(control, "OPTS MLST type;size;modify;perm;");
  await control.ask("TYPE I");
  if (tls !== "none") {
    await accepted(control, "PBSZ 0");
    // Not to be refused: the files would travel in the clear.
    await control.ask("PROT P");
  }
  const login = await folder(control, where);
  if (target.path === undefined) return { login, root: login };
  try {
    await control.ask(`CWD ${typed(target.path)}`);
  } catch (error) {
    if (!(error instanceof FTPError) || aboutAll(error, where) !== undefined) throw error;
    throw new RemoteError(
      "away",
      `${where} has no folder ${target.path} for this user: "${readable(error.message)}". Check \`path\`, and whether the user may enter it`,
    );
  }
  return { login, root: await folder(control, where) };
}

async function agreeOnTls(control: Control, target: Target, where: string): Promise<void> {
  try {
    await control.ask("AUTH TLS");
  } catch (error) {
    if (!(error instanceof FTPError) || error.code === 421) throw error;
    throw new RemoteError(
      "away",
      `${where} does not offer TLS by AUTH TLS: "${readable(error.message)}". Let its administrator switch it on; \`tls: implicit\` is for servers that encrypt from the first byte (port 990), and \`tls: none\` sends password and files in the clear`,
    );
  }
  await control.encrypt(await tlsOptions(target));
}

async function identify(control: Control, target: Target, where: string): Promise<void> {
  const password = await target.password().catch((error: unknown) => {
    throw new RemoteError("away", `the password for ${where} cannot be read: ${reasonOf(error)}`, {
      cause: error,
    });
  });
  const spelt = typed(password);
  if (/[\0\r\n]/.test(spelt))
    throw new RemoteError(
      "away",
      `the password for ${where} holds a line break, which FTP cannot say: change it`,
    );
  try {
    const { code, message } = await control.ask(`USER ${typed(target.user)}`);
    if (code < 300) return;
    if (code !== 331)
      throw new RemoteError("away", `${where} asks for more than a password: "${readable(message)}"`);
    const answer = await control.ask(`PASS ${spelt}`);
    if (answer.code >= 300)
      throw new RemoteError(
        "away",
        `${where} asks for more than a password: an account, which is not supported`,
      );
  } catch (error) {
    if (!(error instanceof FTPError) || error.code === 421) throw error;
    if (crowded(error)) throw tooMany(error, where);
    // There are servers that repeat what they were given.
    const words = spelt === "" ? error.message : error.message.replaceAll(spelt, "***");
    throw new RemoteError(
      "away",
      `${where} refuses the user ${target.user}: "${readable(words)}". Check user and password, and whether the account is still allowed${target.tls === "none" ? "; some servers let nobody in without TLS" : ""}`,
    );
  }
}

async function folder(control: Control, where: string): Promise<string> {
  const { message } = await control.ask("PWD");
  const found = folderOf(message);
  if (found === undefined || !found.startsWith("/"))
    throw new RemoteError(
      "away",
      `${where} names its folder in a way that is not supported: "${readable(message)}". Paths that begin with / are, those of mainframes are not`,
    );
  return found;
}

/** What a server may refuse without harm. */
async function accepted(control: Control, command: string): Promise<void> {
  await control.ask(command).catch((error: unknown) => {
    if (!(error instanceof FTPError) || error.code === 421) throw error;
  });
}

async function tlsOptions({ host, ca, serverName }: Target): Promise<ConnectionOptions> {
  const name = serverName ?? host;
  return {
    host: name,
    ...(isIP(name) === 0 ? { servername: name } : {}),
    ...(ca === undefined ? {} : { ca: await authority(ca), allowPartialTrustChain: true }),
  };
}

async function authority(file: string): Promise<Buffer> {
  try {
    return await readFile(file);
  } catch (error) {
    throw new RemoteError("away", `the authority in \`ca\` cannot be read: ${(error as Error).message}`);
  }
}
