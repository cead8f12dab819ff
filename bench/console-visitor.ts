/** Somebody who is signed in at a console on 127.0.0.1, over HTTPS as a page is. */
import { Agent, request } from "node:https";

export interface Answer {
  readonly status: number;
  readonly body: string;
  readonly bytes: number;
  readonly cookie: string | undefined;
}

export interface Visitor {
  readonly origin: string;
  ask(method: string, path: string, body?: object): Promise<Answer>;
  /** `secret`: of the link that makes the first person, or that sets the password of one who is there. */
  signIn(email: string, secret: string, first: boolean): Promise<void>;
  cookie(): string;
  /** Calls `heard` with the name of each event of the stream. Rejects when the stream ends. */
  follow(heard: (event: string) => void): Promise<void>;
  close(): void;
}

const PASSWORD = "a sentence for the bench";

export function consoleVisitor(port: number, cookie = ""): Visitor {
  const agent = new Agent({ keepAlive: true, rejectUnauthorized: false });
  const origin = `https://localhost:${port}`;
  const headers = (): Record<string, string> => ({
    host: `localhost:${port}`,
    ...(cookie === "" ? {} : { cookie }),
  });
  const visitor: Visitor = {
    origin,
    ask: async (method, path, body) =>
      await new Promise((resolve, reject) => {
        const more = body === undefined ? {} : { origin, "content-type": "application/json" };
        const sent = request(
          { agent, method, path, host: "127.0.0.1", port, headers: { ...headers(), ...more } },
          (incoming) => {
            const chunks: Buffer[] = [];
            incoming.on("data", (chunk: Buffer) => chunks.push(chunk));
            incoming.once("error", reject);
            incoming.once("end", () => {
              const whole = Buffer.concat(chunks);
              resolve({
                status: incoming.statusCode ?? 0,
                body: whole.toString(),
                bytes: whole.length,
                cookie: incoming.headers["set-cookie"]?.map((one) => one.split(";")[0]).join("; "),
              });
            });
          },
        );
        sent.once("error", reject);
        sent.end(body === undefined ? undefined : JSON.stringify(body));
      }),
    async signIn(email, secret, first) {
      const person = first ? { email, name: "Bench" } : {};
      await visitor.ask("POST", "/api/welcome/accept", { secret, password: PASSWORD, ...person });
      const answer = await visitor.ask("POST", "/api/auth/sign-in/email", { email, password: PASSWORD });
      if (answer.cookie === undefined) throw new Error(`signing in answers ${answer.status}: ${answer.body}`);
      cookie = answer.cookie;
    },
    cookie: () => cookie,
    follow: async (heard) =>
      await new Promise((_, reject) => {
        const sent = request(
          { agent, path: "/api/live", host: "127.0.0.1", port, headers: headers() },
          (stream) => {
            if (stream.statusCode !== 200) reject(new Error(`the stream answers ${stream.statusCode}`));
            let rest = "";
            stream.on("data", (chunk: Buffer) => {
              const lines = (rest + chunk.toString()).split("\n");
              rest = lines.pop() ?? "";
              for (const line of lines) if (line.startsWith("event: ")) heard(line.slice(7));
            });
            stream.once("error", reject);
            stream.once("end", () => reject(new Error("the stream has ended")));
          },
        );
        sent.once("error", reject);
        sent.end();
      }),
    close: () => agent.destroy(),
  };
  return visitor;
}
