import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { ProblemError } from "@tributary/shared/problems.ts";
import { afterEach, expect, test } from "vitest";
import { type Pace, readBody } from "./body.ts";

let server: Server;
afterEach(() => server.closeAllConnections());

/** Reads one request's body, waiting `ours` ms after every chunk; what it ends with. */
async function reading(
  pace: Pace,
  ours: number,
  send: (write: (bytes: string) => void) => Promise<void>,
): Promise<string> {
  return await new Promise((resolve) => {
    const read = async (incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> => {
      let total = 0;
      try {
        for await (const chunk of readBody(incoming, outgoing, pace).bytes) {
          total += chunk.length;
          await sleep(ours);
        }
        resolve(`${total} bytes`);
      } catch (error) {
        resolve(error instanceof ProblemError ? error.code : String(error));
      }
      outgoing.end();
    };
    server = createServer((incoming, outgoing) => void read(incoming, outgoing)).listen(
      0,
      "127.0.0.1",
      () => {
        const { port } = server.address() as AddressInfo;
        const sent = request({ port, method: "PUT", agent: false }).on("error", () => {});
        void send((bytes) => sent.write(bytes)).then(() => sent.end());
      },
    );
  });
}

test("a sender that drips below the rate is too slow, however steadily it drips", async () => {
  const drip = async (write: (bytes: string) => void): Promise<void> => {
    for (let i = 0; i < 200 && server.listening; i += 1) {
      write("x");
      await sleep(20);
    }
  };
  expect(await reading({ idle: 2000, minRate: 1000, window: 200 }, 0, drip)).toBe("body-too-slow");
});

test("a sender above the rate goes on; time that we take ourselves is not held against it", async () => {
  const burst = async (write: (bytes: string) => void): Promise<void> => write("x".repeat(300_000));
  expect(await reading({ idle: 100, minRate: 1000, window: 100 }, 250, burst)).toBe("300000 bytes");
});
