/** For tests: the SFTP door of a whole receiver, without the SSH in front of it. */
import { duplexPair } from "node:stream";
import { SftpSession } from "@tributary/test/site/sftp.ts";
import type { Account } from "../../identity/account.ts";
import type { Act } from "../../identity/principal.ts";
import type { SftpCarrier } from "../../sftp.ts";
import type { SftpFact } from "./facts.ts";
import type { Visitor } from "./visitor.ts";

export interface SceneSession extends SftpSession {
  /** As if the network were cut; resolves when the receiver has nothing of it left open. */
  cut(): Promise<void>;
}

export class SftpScene {
  readonly facts: SftpFact[] = [];
  /** Of sessions: what they failed by, which is never a client's doing. */
  readonly faults: unknown[] = [];
  #enter: ((visitor: Visitor) => () => void) | undefined;

  readonly listen: SftpCarrier["listen"] = async (enter, report) => {
    this.#enter = enter;
    void report;
    return { port: 0, stop: async () => {} };
  };

  account(user: string, more: Partial<Account> & { readonly client?: string } = {}): Account {
    const { client = "acme", ...rest } = more;
    return {
      ...{ user, defaultSource: "in", mayMakeSources: true, history: true, receipts: true },
      principal: {
        ...{ kind: "account", id: `id-of-${user}`, clients: [client], source: undefined },
        acts: new Set<Act>(["write", "read", "remove"]),
      },
      ...rest,
    };
  }

  async session(account: Account): Promise<SceneSession> {
    const enter = this.#enter;
    if (enter === undefined) throw new Error("the receiver does not run");
    const [ours, theirs] = duplexPair();
    const gone = new AbortController();
    const end = (): void => {
      gone.abort();
      theirs.destroy();
      ours.destroy();
    };
    let served: Promise<void> = Promise.resolve();
    const left = enter({
      account,
      address: "127.0.0.1",
      onSession: (serve) => {
        served = serve({ channel: theirs, tell: () => {}, hold: () => {}, gone: gone.signal })
          .catch((error: unknown) => void this.faults.push(error))
          .finally(end);
      },
      ...{ cut: end, drop: end },
    });
    const ended = new Promise<void>((resolve) => ours.once("close", () => resolve()));
    const session = new SftpSession(ours, ended);
    await session.begin();
    return Object.assign(session, {
      cut: async () => {
        end();
        await served;
        left();
      },
    });
  }
}
