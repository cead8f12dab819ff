/** Whether a connection to the receiver (or to the proxy before it) opens at all. */
import { connect } from "node:net";
import type { Address } from "./address.ts";
import { type Finding, fail, ok, reasonOf } from "./finding.ts";

/** `what` is "the receiver" or "the proxy". */
export async function checkTcp(what: string, address: Address, withinMs = 10_000): Promise<Finding> {
  const place = `${what} at ${address.host}, port ${address.port},`;
  const started = performance.now();
  const refusal = await new Promise<string | undefined>((resolve) => {
    const socket = connect(address);
    const end = (reason: string | undefined): void => {
      socket.destroy();
      resolve(reason);
    };
    socket.setTimeout(withinMs, () => end(`no answer within ${withinMs / 1000} s`));
    socket.once("connect", () => end(undefined));
    socket.once("error", (error) => end(reasonOf(error)));
  });
  if (refusal === undefined)
    return ok("tcp", `${place} answers (${Math.round(performance.now() - started)} ms)`);
  return fail(
    "tcp",
    `${place} cannot be reached: ${refusal}`,
    "check that it runs, and that the firewalls on the way let this host out to this port",
  );
}
