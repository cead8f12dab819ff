/**
 * What the centre asks for: each command is carried out once, however often it is asked for, and what became of it is told
 * with every heartbeat until one is answered. After a restart a command whose end was not told is carried out again: all
 * that there are do no harm twice.
 */
import { ProblemError } from "@tributary/shared/problems.ts";
import {
  COMMANDS,
  type Command,
  type CommandKind,
  type CommandOutcome,
  MOST_OUTCOMES,
} from "@tributary/shared/protocol.ts";
import type { Report } from "../facts.ts";
import { cut } from "./cut.ts";

export interface OrdersOptions {
  /** Gives what is to be told of it. Throws a ProblemError that says why it cannot be done. */
  readonly carryOut: Readonly<Record<CommandKind, (command: Command) => Promise<string>>>;
  /** Why agent.yaml does not allow it; undefined: it does. */
  readonly denied: (kind: CommandKind) => string | undefined;
  readonly report: Report;
  /** What leaves the house of words. */
  readonly words: (text: string) => string;
  /** Something is done: the receiver is told now, not at the next heartbeat's time. */
  readonly tell: () => void;
}

const REMEMBERED = 200;

export class Orders {
  readonly #options: OrdersOptions;
  /** undefined: it is being carried out. */
  readonly #known = new Map<string, CommandOutcome | undefined>();
  readonly #untold = new Map<string, CommandOutcome>();

  constructor(options: OrdersOptions) {
    this.#options = options;
  }

  /** What an answer to a heartbeat brought. */
  take(commands: readonly Command[]): void {
    for (const one of commands) {
      const done = one.id === undefined ? undefined : this.#known.get(one.id);
      // Whoever asks again has not heard what became of it.
      if (done !== undefined) this.#untold.set(done.id, done);
      else if (one.id === undefined || !this.#known.has(one.id)) void this.#do(one);
    }
  }

  /** To be told with a heartbeat. */
  done(): readonly CommandOutcome[] {
    return [...this.#untold.values()].slice(0, MOST_OUTCOMES);
  }

  /** A heartbeat with these was answered. */
  told(outcomes: readonly CommandOutcome[]): void {
    for (const { id } of outcomes) this.#untold.delete(id);
  }

  async #do(command: Command): Promise<void> {
    const { id, kind, by = "the centre" } = command;
    this.#remember(id, undefined);
    const { ok, detail } = await this.#outcome(command);
    const { report, words, tell } = this.#options;
    report({ kind: "CommandDone", command: kind, source: command.source, by, ok, detail });
    if (id === undefined) return;
    const outcome = { id, ok, detail: cut(words(detail)) };
    this.#remember(id, outcome);
    this.#untold.set(id, outcome);
    tell();
  }

  async #outcome(command: Command): Promise<{ readonly ok: boolean; readonly detail: string }> {
    const kind = COMMANDS.find((one) => one === command.kind);
    if (kind === undefined)
      return { ok: false, detail: `this version of the agent does not know the command "${command.kind}"` };
    const denied = this.#options.denied(kind);
    if (denied !== undefined) return { ok: false, detail: denied };
    try {
      return { ok: true, detail: await this.#options.carryOut[kind](command) };
    } catch (cause) {
      return { ok: false, detail: cause instanceof ProblemError ? cause.message : String(cause) };
    }
  }

  #remember(id: string | undefined, outcome: CommandOutcome | undefined): void {
    if (id === undefined) return;
    this.#known.delete(id);
    this.#known.set(id, outcome);
    const [oldest] = this.#known.keys();
    if (this.#known.size > REMEMBERED && oldest !== undefined) this.#known.delete(oldest);
  }
}
