/** Whose address a request comes from. A proxy's word about it is taken only from the addresses in `trustProxy`. */
import type { IncomingMessage } from "node:http";

export function peerOf(incoming: IncomingMessage, trustProxy: readonly string[]): string {
  let peer = plain(incoming.socket.remoteAddress ?? "");
  const forwarded = String(incoming.headers["x-forwarded-for"] ?? "").split(",");
  while (trustProxy.includes(peer)) {
    const before = forwarded.pop()?.trim();
    if (!before) break;
    peer = plain(before);
  }
  return peer;
}

/** Whether somebody in between says that it forwards: then a loopback peer is not the one who asks. */
export function isForwarded(incoming: IncomingMessage): boolean {
  return incoming.headers["x-forwarded-for"] !== undefined || incoming.headers.forwarded !== undefined;
}

/** IPv4 inside IPv6 is the same address. */
function plain(address: string): string {
  return address.startsWith("::ffff:") ? address.slice(7) : address;
}
