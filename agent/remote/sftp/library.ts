/** ssh2, loaded when an SFTP source is there and not before: an agent without one does not pay for it. */
export type Ssh2 = typeof import("ssh2");

export async function loadSsh2(): Promise<Ssh2> {
  const { default: ssh2 } = await import("ssh2");
  return ssh2;
}
