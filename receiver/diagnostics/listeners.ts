/** A receiver that serves, seen from its own host: whether its listeners answer, its certificate, `/readyz`, `/metrics`. */
import { request } from "node:https";
import { connect } from "node:net";
import type { TLSSocket } from "node:tls";
import type { Address, ReceiverSettings } from "../config.ts";
import type { DiagnosticParts } from "./diagnostics.ts";
import { certificateView } from "./host.ts";

const WITHIN_MS = 5000;
const MOST_BYTES = 8 * 2 ** 20;

export function listenerParts({ listen }: Pick<ReceiverSettings, "listen">): DiagnosticParts {
  return {
    listeners: async () =>
      Object.fromEntries(
        await Promise.all(
          Object.entries(listen).map(async ([name, at]) => [
            name,
            at === undefined || at === "off" ? "off" : { ...at, ...(await knock(at)) },
          ]),
        ),
      ),
    readiness: async () => await ask(listen.ingest, "/readyz"),
    metrics: async () => {
      const { status, body } = await ask(listen.ingest, "/metrics");
      if (status === 200) return String(body).split("\n");
      throw new Error(
        `/metrics answers ${status}: metricsFrom in receiver.yaml does not name this host's address`,
      );
    },
  };
}

/** An address that stands for all of a host's is reached at its loopback. */
const reached = (host: string): string => (host === "0.0.0.0" ? "127.0.0.1" : host === "::" ? "::1" : host);

async function knock({
  host,
  port,
}: Address): Promise<{ readonly answers: boolean; readonly error?: string }> {
  return await new Promise((resolve) => {
    const socket = connect({ host: reached(host), port, timeout: WITHIN_MS });
    const end = (result: { answers: boolean; error?: string }): void => {
      socket.destroy();
      resolve(result);
    };
    socket.once("connect", () => end({ answers: true }));
    socket.once("timeout", () => end({ answers: false, error: "no answer" }));
    socket.once("error", (error) => end({ answers: false, error: error.message }));
  });
}

interface Answer {
  readonly status: number;
  readonly body: unknown;
  readonly certificate: ReturnType<typeof certificateView> | null;
}

/** Nothing is sent that somebody else could use, so whoever answers may show any certificate: it is what we want to see. */
async function ask({ host, port }: Address, path: string): Promise<Answer> {
  return await new Promise<Answer>((resolve, reject) => {
    const options = { host: reached(host), port, path, rejectUnauthorized: false, agent: false };
    const sent = request({ ...options, timeout: WITHIN_MS }, (incoming) => {
      const raw = (incoming.socket as TLSSocket).getPeerX509Certificate()?.raw;
      const chunks: Buffer[] = [];
      let bytes = 0;
      incoming.on("data", (chunk: Buffer) => {
        bytes += chunk.length;
        if (bytes > MOST_BYTES) sent.destroy(new Error("the answer is too long"));
        chunks.push(chunk);
      });
      incoming.on("error", reject);
      incoming.on("end", () => {
        const text = Buffer.concat(chunks).toString("utf8");
        const isJson = /json/.test(String(incoming.headers["content-type"]));
        resolve({
          status: incoming.statusCode ?? 0,
          body: isJson ? JSON.parse(text) : text,
          certificate: raw === undefined ? null : certificateView(raw),
        });
      });
    });
    sent.on("timeout", () => sent.destroy(new Error(`${path}: no answer`)));
    sent.on("error", reject);
    sent.end();
  });
}
