import { request } from "undici";
import { createSandbox, freePorts, untilReady } from "./sandbox.ts";

export interface Prometheus {
  /** What its HTTP API answers under `data`; an answer that is no success is an Error with its words. */
  ask(path: string, query?: Readonly<Record<string, string>>): Promise<unknown>;
  stop(): Promise<void>;
}

/** Debian's package brings the server and `promtool`. */
export const PROMETHEUS = "prometheus";
export const PROMTOOL = "promtool";

/** A real Prometheus on loopback with a configuration file, whose relative names count from its own folder. */
export async function startPrometheus(config: string): Promise<Prometheus> {
  const sandbox = await createSandbox("prometheus");
  const [port] = await freePorts(1);
  const server = sandbox.start("prometheus", PROMETHEUS, [
    `--config.file=${config}`,
    `--storage.tsdb.path=${sandbox.folder}/data`,
    `--web.listen-address=127.0.0.1:${port}`,
    "--log.level=warn",
  ]);
  const url = `http://127.0.0.1:${port}`;
  const isReady = async (): Promise<boolean> =>
    await request(`${url}/-/ready`).then(
      async ({ statusCode, body }) => {
        await body.dump();
        return statusCode === 200;
      },
      () => false,
    );
  try {
    await untilReady([server], isReady, 60);
  } catch (cause) {
    const words = await sandbox.lastWords("prometheus");
    await sandbox.stop();
    throw new Error(`prometheus: ${words}`, { cause });
  }
  return {
    async ask(path, query = {}) {
      const { body } = await request(`${url}${path}`, { query });
      const answer = (await body.json()) as { status: string; error?: string; data?: unknown };
      if (answer.status === "success") return answer.data;
      throw new Error(`${path} ${JSON.stringify(query)}: ${answer.error}`);
    },
    stop: () => sandbox.stop(),
  };
}
