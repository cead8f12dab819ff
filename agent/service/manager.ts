/** The agent as a service of the operating system, in words that mean the same on every system. */

export type ServiceState = "absent" | "stopped" | "starting" | "running" | "stopping" | "failed";

export interface ServiceStatus {
  readonly state: ServiceState;
  /** Of the process that the system started; absent unless it runs. */
  readonly pid?: number;
  /** Whom it runs as. */
  readonly account?: string;
  /** Whether it starts with the system. */
  readonly atBoot?: boolean;
  /** Why it does not run, as the system tells it. */
  readonly why?: string;
}

/** Whom the service runs as instead of the system's own choice. */
export interface Account {
  readonly name: string;
  /** Windows alone asks for one, and not for managed accounts. */
  readonly password?: string;
}

export interface ServiceManager {
  /** Where the system shows what the service says: a command, or a file. */
  readonly log: string;
  /** Throws `usage` when this process may not change services, or the system has none that is known. */
  requireRights(): void;
  status(): ServiceStatus;
  /**
   * Makes the account, the folders with their permissions and the service, which is not started. What is there
   * already stays, or is brought to the same state. `undo` takes away what this call made, and nothing else.
   */
  prepare(account: Account | undefined): { undo(): void };
  /** Lets the service's account read the folder and what is in it, now and later; `write`: also change it. */
  grant(folder: string, write: boolean): void;
  /** True when the account can list and read the folder already; undefined where that cannot be asked. */
  mayRead(folder: string): boolean | undefined;
  /** True when the service has a folder of its own at this place, and so never sees what others put there. */
  hides(folder: string): boolean;
  /** Starts it now and with the system; again when it runs already, so that it sees what changed. */
  start(): void;
  /** Asks it to stop and waits until it has. */
  stop(): void;
  /** Takes the service away; `purge`: also its key, queue, settings and account. Gives what is left to do, a line each. */
  uninstall(purge: boolean): readonly string[];
}
