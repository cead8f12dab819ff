/** Why a server's certificate is refused, and what to do; undefined: this code of an error says something else. */
export function untrusted(code: string, server: string): string | undefined {
  if (!/CERT|SELF_SIGNED|ISSUER|ALTNAME/.test(code)) return undefined;
  return `the certificate of ${server} is not trusted (${code}): does something on the way open connections? A further authority is named in agent.yaml: tls: { ca: FILE }`;
}
