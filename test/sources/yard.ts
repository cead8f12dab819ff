/**
 * A yard is the place where the files of a source lie, as tests act on it: past the code under test, with the tools of
 * the place itself. One file for each kind of source; what is asked of all of them is in `sources.test.ts`.
 */
import type { SecretReference } from "../../agent/secret/reference.ts";

/** Undoes what was done. */
export type Back = () => Promise<void>;

export interface Yard {
  /** `kind:` in agent.yaml. */
  readonly kind: "sftp" | "ftp" | "share" | "s3" | "azure-blob";
  /** Whose its files and folders have to be, where they lie in a folder of this machine. */
  readonly owner?: number;
  /** Names may be any bytes; else they are UTF-8. */
  readonly anyBytes: boolean;
  /** Names may have line breaks in them. */
  readonly lineBreaks: boolean;
  /** What agent.yaml says of a source that is this folder of the place, name and schedule aside. */
  source(folder: string, credential?: SecretReference): Readonly<Record<string, unknown>>;
  /** Whole, in place of whatever was there. Paths begin at the place's own root. */
  write(path: string | Buffer, bytes: Buffer): Promise<void>;
  rename(from: string, to: string): Promise<void>;
  remove(path: string): Promise<void>;
  /** Whatever lies in a folder and below, in order. */
  paths(folder: string): Promise<string[]>;
  /** When it was last changed, as the place has it, ms since 1970. */
  modified(path: string | Buffer): Promise<number>;
  /** Nothing can be had of it until it is back. */
  away(): Promise<Back>;
  /** The account may do all but read this one file. */
  deny(path: string): Promise<Back>;
  /** The account may read in this folder, and remove nothing; what its source needs for that in agent.yaml. */
  closed(
    folder: string,
  ): Promise<{ readonly settings: Readonly<Record<string, unknown>>; readonly open: Back }>;
  /** What the account is let in with; undefined where the host itself has been let in. */
  readonly login: Login | undefined;
  /** Bytes that came from it, where they can be counted. */
  received(): number | undefined;
  stop(): Promise<void>;
}

export interface Login {
  /** As it is now: whatever shows it is wrong. */
  secret(): string;
  /** The place takes another one from now on, and has nobody in who came with the one of before. The host's file is changed, too. */
  change(): Promise<void>;
}
