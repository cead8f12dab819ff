/** The log on stderr: JSON lines for machines, or one plain line each on a terminal. It derives from facts and problems. */
import { ProblemError } from "@tributary/shared/problems.ts";
import { printable } from "@tributary/shared/terminal.ts";
import { type Logger, pino } from "pino";
import type { ReceiverSettings } from "./config.ts";
import type { ReportProblem } from "./doors/problem.ts";
import { requestNow } from "./doors/request.ts";
import type { SftpFact } from "./doors/sftp/facts.ts";
import { Refusal } from "./doors/sftp/refusal.ts";
import type { Fact } from "./ingest/facts.ts";
import type { LineMemory } from "./lines/memory.ts";
import type { PeopleFact } from "./people/facts.ts";
import type { RefusedUnread } from "./serve.ts";
import type { WebhookFact } from "./webhooks/facts.ts";

/** `memory` gets what is worth an operator's look, however little of it stderr shall have. */
export function createLog(level: LogLevel, memory: Pick<LineMemory, "write">): Logger {
  const shown =
    level === "silent" ? [] : [{ level, stream: process.stderr.isTTY ? forPeople : forMachines() }];
  const least = level === "debug" || level === "trace" ? level : "info";
  return pino(
    { level: least, base: null, timestamp: pino.stdTimeFunctions.isoTime },
    pino.multistream([...shown, { level: "info", stream: memory }]),
  );
}

type LogLevel = ReceiverSettings["log"];

const forMachines = () => pino.destination({ dest: 2, sync: true });

const forPeople = {
  write(line: string) {
    const { time, level: value, msg, ...rest } = JSON.parse(line) as Record<string, unknown>;
    const name = pino.levels.labels[Number(value)] ?? "";
    const more = Object.keys(rest).length > 0 ? ` ${printable(JSON.stringify(rest))}` : "";
    process.stderr.write(`${String(time).slice(11, 23)} ${name} ${printable(msg)}${more}\n`);
  },
};

export function logFact(log: Logger, fact: Fact | WebhookFact): void {
  switch (fact.kind) {
    case "SegmentFailed":
      log.error({ err: fact.error, segment: fact.segment }, "the lake did not take a manifest segment");
      return;
    case "SpareLeft":
      log.warn(
        { ...ofRequest(), err: fact.error, key: fact.key },
        "a spare object was left in the lake for the sweep",
      );
      return;
    case "SweepSkipped":
      log.warn({ err: fact.error, what: fact.what }, "the sweep could not take this away; it is tried again");
      return;
    case "Quarantined":
      log.warn(
        { ...ofRequest(), ...fact },
        "a file is kept in quarantine; see: tributary-receiver quarantine list",
      );
      return;
    case "Inspected":
    case "Delivered":
      log.debug({ ...ofRequest(), ...fact }, fact.kind);
      return;
    case "Swept":
      log.info(fact, "swept");
      return;
    // Told by whoever asked for the sweep, or answered the sender.
    case "SweepFailed":
    case "InspectionFailed":
      return;
    case "WebhookFailed":
      log.info(fact, "a webhook was told in vain; it is told again");
      return;
    case "WebhookDeadLetter":
      log.warn(fact, "a webhook was told in vain for the last time: webhook list --dead");
      return;
    case "WebhookDown":
      log.warn(fact, "a webhook does not take what it is told; one event at a time asks for it");
      return;
    case "WebhookRecovered":
      log.info(fact, "a webhook takes what it is told again");
      return;
    case "WebhookGone":
      log.warn(fact, "a webhook wants nothing more; it is told nothing until: webhook replay");
      return;
    case "WebhookSecretClosed":
      log.error(
        fact,
        "the keys folder cannot open a webhook's secret: copy it from the receiver that made it",
      );
      return;
    case "WebhookHeldUp":
      log.warn({ err: fact.error, webhook: fact.webhook }, "webhooks wait for the ledger or the lake");
      return;
    case "WebhookDelivered":
    case "Committed":
    case "SegmentWritten":
      log.debug(fact, fact.kind);
      return;
  }
}

function ofRequest(): { readonly requestId?: string } {
  const requestId = requestNow();
  return requestId === undefined ? {} : { requestId };
}

/** Logins and refused ones are what an audit of the door reads. */
export function logSftp(log: Logger, fact: SftpFact): void {
  switch (fact.kind) {
    case "SftpLoggedIn":
      log.info(fact, "SFTP: logged in");
      return;
    case "SftpNotAgreed":
      log.info(
        fact,
        "SFTP: a client's program has no algorithm in common with this receiver, or speaks no SSH",
      );
      return;
    case "SftpRefused":
      log.info(fact, "SFTP: refused to log in");
      return;
    case "SftpEnded":
      log.info(fact, "SFTP: a connection ended");
      return;
    case "SftpTurnedAway":
      log[fact.again ? "debug" : "warn"](
        fact,
        "SFTP: a connection was turned away: there are as many as may be (sftp.connections, sftp.perAddress)",
      );
      return;
    case "SftpFailed":
      log.error({ err: fact.error, address: fact.address }, "SFTP: a connection failed");
      return;
    case "SftpProblem": {
      const { user, account, client, request, error } = fact;
      const about = { user, account, client, request };
      const ours = !(error instanceof Refusal) && !(error instanceof ProblemError && error.status < 500);
      if (ours) log.error({ ...about, err: error }, "SFTP: a request failed");
      else log.info(about, `SFTP: ${(error as Error).message}`);
      return;
    }
    case "SftpConnected":
    case "SftpAnswered":
      log.trace(fact, fact.kind);
      return;
  }
}

/** What is only a matter of time. */
const NO_FAULTS: readonly string[] = ["stopping", "busy", "preparing"];

/** Refusals are everyday and told to the sender; our own failures are told here, with all that is known. */
export const logProblem = (log: Logger, failure: Parameters<ReportProblem>[0]): void => {
  const { requestId, method, path, problem, error, refused } = failure;
  const who = refused && { client: refused.client, bearer: refused.bearer };
  const about = { requestId, method, path: path.slice(0, 500), code: problem.code, ...who };
  if (problem.status >= 500 && !NO_FAULTS.includes(problem.code))
    log.error({ ...about, err: error }, problem.message);
  else log.info(about, problem.message);
};

const PEOPLE_WORDS = {
  PersonLoggedIn: "somebody logged in to the console",
  PersonJoined: "a person came to be by single sign-on",
  RoleFollowedClaim: "a person's role followed the provider's claim",
  OwnLoginChanged: "a person changed the own login",
} as const;

/** The login of people. */
export function logPeople(log: Logger, fact: PeopleFact): void {
  switch (fact.kind) {
    case "LoginRefused":
      log.warn(fact, "somebody was not let in to the console");
      return;
    case "PersonLoggedIn":
    case "PersonJoined":
    case "RoleFollowedClaim":
    case "OwnLoginChanged":
      log.info(fact, PEOPLE_WORDS[fact.kind]);
      return;
  }
}
/** What no door was called for. */
export const logUnread = (log: Logger, { requestId, problem, address }: RefusedUnread): void =>
  log.info({ requestId, address, code: problem.code }, problem.message);
