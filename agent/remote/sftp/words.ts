/** What went wrong with a connection, in words for whoever runs the agent. */

/** What a server is called; an address of IPv6 has colons of its own. */
export function addressOf({ host, port }: { readonly host: string; readonly port: number }): string {
  return `${host.includes(":") ? `[${host}]` : host}:${port}`;
}

const CODES: Readonly<Record<string, string>> = {
  ENOTFOUND: "this name is not known: check `host`, and the name server of this host",
  EAI_AGAIN: "the name server of this host does not answer",
  ECONNREFUSED: "nothing takes connections there: check `host` and `port`, and that the SFTP server runs",
  ECONNRESET: "the connection was cut, by the server or on the way",
  EPIPE: "the connection was cut, by the server or on the way",
  ETIMEDOUT: "no connection: a firewall may be on the way, or the host is down",
  EHOSTUNREACH: "no way leads there from this host: check its network",
  ENETUNREACH: "no way leads there from this host: check its network",
};

const AGREEMENT = /no matching (key exchange algorithm|host key format|\S+ (?:cipher|MAC|compression))/;

export function inWords(error: Error): string {
  const code = (error as NodeJS.ErrnoException).code;
  if (typeof code === "string" && CODES[code] !== undefined) return `${CODES[code]} (${code})`;
  const what = AGREEMENT.exec(error.message)?.[1];
  if (what !== undefined)
    return `the server knows no ${what} that is safe: have it updated, or set \`legacy: true\` if its administrator agrees`;
  if (error.message === "Keepalive timeout")
    return "the connection is dead: nothing came, not even a sign of life";
  if (/unsupported protocol version|Invalid identification|Header/i.test(error.message))
    return `what answers there is no SSH server: check \`host\` and \`port\` (${error.message})`;
  return error.message || String(code ?? error);
}

/** The server hung up: how far it let anybody come says why. */
export function closedEarly(
  stage: "connect" | "handshake" | "login" | "open",
  said: string,
  user: string,
): string {
  if (stage === "open") return "the server closed the connection";
  if (stage === "login")
    return `the server closed the connection during the login of user ${user}: it may not let the account in, or have too many connections`;
  return `the server closed the connection at once${saidInstead(said)}: it may have too many, take none from this host for now, or be no SFTP server`;
}

/** What is no greeting of SSH; some servers say in it why nobody is let in. */
export function saidInstead(said: string): string {
  return said.startsWith("SSH-") || said === "" ? "" : `, and said ${JSON.stringify(said.trim())}`;
}
