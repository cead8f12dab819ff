/** Whom an address counts as: one subscriber has a whole /64 of IPv6 (RFC 6177), so its addresses are one place. */
import { isIPv6 } from "node:net";

export function networkOf(socketAddress: string): string {
  const address = addressOf(socketAddress);
  if (!isIPv6(address)) return address;
  const [plain = ""] = address.toLowerCase().split("%");
  const [front = "", back] = plain.split("::");
  const groups = (text: string) => (text === "" ? [] : text.split(":"));
  const [before, after] = [groups(front), groups(back ?? "")];
  const zeros = new Array<string>(Math.max(0, 8 - before.length - after.length)).fill("0");
  const all = back === undefined ? before : [...before, ...zeros, ...after];
  return `${all
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(":")}::/64`;
}

/** IPv4 inside IPv6, as a listener on `::` has it, is the same address. */
export function addressOf(socketAddress: string): string {
  return /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(socketAddress)?.[1] ?? socketAddress;
}
