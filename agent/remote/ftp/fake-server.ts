/** A server that does what no real one can be made to do: it follows a script, and else lists and gives the files that it was started with. */
import { once } from "node:events";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";

/** Replies, with their code; undefined: as usual; SILENCE: none, ever. */
export type Answer = string | undefined;

/** No answer. */
export const SILENCE = "silence";

export interface FakeOptions {
  /** Whole paths. */
  readonly files?: Readonly<Record<string, string>>;
  readonly features?: readonly string[];
  /** What LIST and MLSD send, of any folder. */
  readonly listing?: (folder: string) => Iterable<string>;
  /** Each command in capitals. `give` ends the data connection. */
  readonly on?: Readonly<
    Record<string, (argument: string, session: FakeSession) => Answer | Promise<Answer>>
  >;
}

export interface FakeSession {
  readonly control: Socket;
  /** Listens for a data connection, as EPSV does; its port. */
  passive(): Promise<number>;
  /** The data connection, once it is there. */
  data(): Promise<Socket>;
  readonly folder: string;
}

export interface FakeFtp extends AsyncDisposable {
  readonly port: number;
  /** In the order in which they came, over all connections. */
  readonly commands: string[];
  readonly open: () => number;
  readonly most: () => number;
}

export async function startFakeFtp(options: FakeOptions = {}): Promise<FakeFtp> {
  const commands: string[] = [];
  const sockets = new Set<Socket>();
  const servers: Server[] = [];
  let most = 0;
  const server = createServer((socket) => {
    sockets.add(socket.setNoDelay(true));
    most = Math.max(most, sockets.size);
    socket.on("close", () => sockets.delete(socket)).on("error", () => undefined);
    // Who closes it in the middle of a word is no fault of a server.
    serve(socket, options, commands, servers).catch(() => socket.destroy());
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    commands,
    open: () => sockets.size,
    most: () => most,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      for (const one of [server, ...servers]) one.close();
      await Promise.resolve();
    },
  };
}

async function serve(control: Socket, options: FakeOptions, commands: string[], servers: Server[]) {
  const { files = {}, features = [] } = options;
  const state = { folder: "/", from: 0, data: undefined as Promise<Socket> | undefined };
  const passive = async (): Promise<number> => {
    const server = createServer();
    servers.push(server);
    state.data = new Promise((resolve) => {
      server.once("connection", (socket) => {
        socket.on("error", () => undefined);
        server.close();
        resolve(socket);
      });
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return (server.address() as AddressInfo).port;
  };
  const session: FakeSession = {
    passive,
    control,
    data: () => state.data ?? Promise.reject(new Error("no data connection was asked for")),
    get folder() {
      return state.folder;
    },
  };
  const say = (text: string): void => void (control.writable && control.write(`${text}\r\n`, "latin1"));

  const give = async (pieces: Iterable<string>): Promise<string> => {
    say("150 here it comes");
    const bytes = Readable.from(pieces, { objectMode: true }).map((piece) =>
      Buffer.from(piece as string, "latin1"),
    );
    await pipeline(bytes, await session.data());
    return "226 done";
  };
  const usual = async (command: string, argument: string): Promise<string> => {
    const path = argument.startsWith("/") ? argument : `${state.folder.replace(/\/$/, "")}/${argument}`;
    const file = files[path];
    switch (command) {
      case "USER":
        return "331 and the password?";
      case "PASS":
        return "230 welcome";
      case "FEAT":
        return ["211-Features:", ...features.map((one) => ` ${one}`), "211 End"].join("\r\n");
      case "PWD":
        return `257 "${state.folder}" is where you are`;
      case "CWD":
        state.folder = argument;
        return "250 there";
      case "EPSV":
        return `229 Extended (|||${await passive()}|)`;
      case "REST":
        state.from = Number(argument);
        return "350 from there";
      case "SIZE":
        return file === undefined ? "550 no such file" : `213 ${file.length}`;
      case "LIST":
      case "MLSD":
        return await give(options.listing?.(state.folder) ?? lines(files, state.folder));
      case "RETR": {
        if (file === undefined) return "550 no such file";
        const from = state.from;
        state.from = 0;
        return await give([file.slice(from)]);
      }
      case "TYPE":
      case "OPTS":
        return "200 fine";
      case "QUIT":
        return "221 bye";
      default:
        return "502 not known here";
    }
  };

  say("220-Hello.\r\n220-\r\n 221 is not the end of this.\r\n220 ready");
  let rest = "";
  for await (const piece of control.setEncoding("latin1").iterator({ destroyOnReturn: false })) {
    const all = (rest + String(piece)).split("\r\n");
    rest = all.pop() as string;
    for (const line of all) {
      const command = line.replace(/ .*/s, "");
      const argument = line.slice(command.length + 1);
      commands.push(line);
      try {
        const answer = (await options.on?.[command]?.(argument, session)) ?? (await usual(command, argument));
        if (answer !== SILENCE) say(answer);
      } catch {
        say("426 cut off");
      }
    }
  }
}

function* lines(files: Readonly<Record<string, string>>, folder: string): Iterable<string> {
  const base = folder.replace(/\/?$/, "/");
  for (const [path, content] of Object.entries(files))
    if (path.startsWith(base) && !path.slice(base.length).includes("/"))
      yield `-rw-r--r-- 1 u g ${content.length} Nov 27 10:00 ${path.slice(base.length)}\r\n`;
}
