/**
 * systemd's watchdog: an agent that no longer turns its event loop is ended and started again. Node cannot write to a
 * datagram socket of the system, so systemd's own program tells it; the unit lets it (NotifyAccess=all).
 */
import { execFile } from "node:child_process";

/** Three signs of life in the time that systemd waits, so that one may get lost. */
const SIGNS = 3;

/** Tells systemd from time to time that all is well, where it asked for that. Holds no process alive. */
export function keepWatchdog(
  env: Readonly<Record<string, string | undefined>>,
  onFailure: (why: string) => void,
): void {
  const waitsMs = Number(env["WATCHDOG_USEC"]) / 1000;
  if (env["NOTIFY_SOCKET"] === undefined || !(waitsMs > 0)) return;
  let told = false;
  const sign = (): void => {
    execFile("systemd-notify", ["WATCHDOG=1"], (error) => {
      if (error !== null && !told) onFailure(error.message.trim());
      told = error !== null;
    });
  };
  sign();
  setInterval(sign, waitsMs / SIGNS).unref();
}
