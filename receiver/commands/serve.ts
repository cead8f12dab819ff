/** `serve`: the receiver, until SIGTERM or SIGINT. Results need no stdout; everything is said on stderr. */
import { EXIT, say } from "@tributary/shared/terminal.ts";
import type { SiteOptions } from "../config.ts";
import { enrollDoor } from "../doors/enroll.ts";
import { heartbeatDoor } from "../doors/heartbeat.ts";
import { enrolOf } from "../fleet/enrol.ts";
import { heartbeatOf } from "../fleet/heartbeat.ts";
import { openGate } from "../identity/gate.ts";
import { createLog } from "../log.ts";
import { type RunningReceiver, runReceiver } from "../run.ts";
import type { Open, OpenSite } from "../site.ts";

/** Returns the exit code when the receiver has stopped. */
export async function serve(open: Open, options: SiteOptions): Promise<number> {
  const asked = stopAsked();
  const site = await open(options);
  try {
    // A rebuild must not run beside us; if the lock is lost for good, we must not run on.
    const held = await site.database.siteLock.share((why) => asked.stop(why));
    try {
      for (const line of await site.lake.probe()) say(`lake: ${line}`);
      const gate = openGate({ db: site.database.db, site: site.siteKeys.site });
      const receiver = await start(site, gate);
      say(`ingest: ${receiver.url}`);
      say("ready");
      const why = await asked.happened;
      say(why instanceof Error ? `stopping: ${why.message}` : "stopping");
      await receiver.stop();
      gate.close();
      return why instanceof Error ? EXIT.failed : EXIT.done;
    } finally {
      await held.release();
    }
  } finally {
    await site.close();
  }
}

async function start(site: OpenSite, gate: ReturnType<typeof openGate>): Promise<RunningReceiver> {
  const { settings, database, siteKeys, lake } = site;
  const fleet = { db: database.db, keys: siteKeys, heartbeatSeconds: settings.heartbeat / 1000 };
  return await runReceiver({
    settings,
    database,
    lake,
    keys: siteKeys,
    gate,
    doors: [enrollDoor(enrolOf(fleet)), heartbeatDoor(gate, heartbeatOf(fleet))],
    log: createLog(settings.log),
  });
}

/** The first signal asks to stop, the second one does not wait. */
function stopAsked(): { readonly happened: Promise<Error | undefined>; stop(why: Error | undefined): void } {
  const { promise, resolve } = Promise.withResolvers<Error | undefined>();
  let signals = 0;
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    process.on(signal, () => {
      signals += 1;
      if (signals > 1) process.exit(EXIT.failed);
      resolve(undefined);
    });
  }
  return { happened: promise, stop: resolve };
}
