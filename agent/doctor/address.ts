/** The receiver's address, as enrolment stored it, taken apart for the checks that follow. */
import { type Finding, fail, ok } from "./finding.ts";

export interface Address {
  readonly host: string;
  readonly port: number;
}

/** Undefined when the stored text is no address that an agent may use. */
export function addressOf(url: string): Address | undefined {
  if (!URL.canParse(url)) return undefined;
  const parsed = new URL(url);
  if (parsed.protocol !== "https:" || parsed.hostname === "") return undefined;
  // WHATWG URL keeps the brackets of an IPv6 address; sockets want it without.
  return {
    host: parsed.hostname.replace(/^\[|\]$/g, ""),
    port: parsed.port === "" ? 443 : Number(parsed.port),
  };
}

export function checkAddress(url: string): Finding {
  const address = addressOf(url);
  return address
    ? ok("address", `the receiver is ${address.host}, port ${address.port}`)
    : fail(
        "address",
        `the stored address "${url}" is no https address`,
        "enrol again with a new code of the receiver: tributary-agent enroll CODE",
      );
}
