/** A booted host of a client, and on it a receiver of its own: what the tests of every package begin with. */
import { type Box, startBox } from "./box.ts";

export interface Client {
  readonly box: Box;
  /** A code of `tributary-receiver agent invite`, for client acme. */
  invitation(): Promise<string>;
  /** The newest version of the client's file, as the receiver tells it; waits for it. */
  delivered(
    path: string,
  ): Promise<{ readonly versionId: string; readonly size: number; readonly path: string }>;
  /** Process id of the agent's service. */
  pid(): Promise<number>;
  startReceiver(): Promise<void>;
  stop(): Promise<void>;
}

/** `files`: what lies in /root then. */
export async function startClient(
  tree: string,
  receiverDeb: string,
  files: readonly string[],
): Promise<Client> {
  const box = await startBox(tree);
  for (const file of [receiverDeb, ...files]) await box.bring(file);
  await box.ok(`dpkg -i ${receiverDeb.split("/").at(-1)}`);
  await box.ok(
    `printf 'listen: { ingest: "127.0.0.1:8443", sftp: "127.0.0.1:2222" }\\n' > /etc/tributary-receiver/receiver.yaml`,
  );
  const client: Client = {
    box,
    invitation: async () => (await box.ok("tributary-receiver agent invite --client acme")).trim(),
    delivered: async (path) =>
      JSON.parse(
        await box.until(`tributary-receiver history --client acme --path '${path}' --latest --json | grep .`),
      ),
    pid: async () => JSON.parse(await box.ok("tributary-agent service status --json")).pid,
    async startReceiver() {
      await box.ok("systemctl start tributary-receiver");
      await box.until("curl -skf https://127.0.0.1:8443/readyz");
    },
    stop: async () => await box.stop(),
  };
  await client.startReceiver();
  await box.ok("tributary-receiver client add acme");
  return client;
}
