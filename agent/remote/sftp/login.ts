/**
 * How a user proves who he is: by a private key, by a password, by both where the server wants both. The server says
 * first what it takes, so that nothing is tried in vain: many servers lock accounts after some failures.
 */
import type { AnyAuthMethod, ParsedKey } from "ssh2";
import { nameOf, type SecretReference } from "../../secret/reference.ts";
import type { Ssh2 } from "./library.ts";
import { openedKey, withoutSha1 } from "./private-key.ts";

export interface Credentials {
  readonly user: string;
  readonly password?: SecretReference | undefined;
  readonly privateKey?: SecretReference | undefined;
  readonly passphrase?: SecretReference | undefined;
  /** Signatures with SHA-1 are given, too. */
  readonly legacy: boolean;
}

type Method = "publickey" | "password" | "keyboard-interactive";

/** `false`: nothing is left to be tried. */
type Answer = (method: AnyAuthMethod | false) => void;

export type ReadSecret = (reference: SecretReference) => Promise<string>;

export class Login {
  readonly #credentials: Credentials;
  readonly #read: ReadSecret;
  readonly #ssh2: Ssh2;
  readonly #tried: Method[] = [];
  #takes: readonly string[] = [];
  #half = false;
  /** What went wrong on our side. */
  #wrong: string | undefined;

  constructor(credentials: Credentials, read: ReadSecret, ssh2: Ssh2) {
    this.#credentials = credentials;
    this.#read = read;
    this.#ssh2 = ssh2;
  }

  /** `takes` is null before the server was asked. */
  readonly next = (takes: readonly string[] | null, half: boolean | null, answer: Answer): void => {
    if (takes === null) {
      answer({ type: "none", username: this.#credentials.user });
      return;
    }
    this.#takes = takes;
    this.#half ||= half === true;
    const method = this.#wrong === undefined ? this.#nextMethod() : undefined;
    if (method === undefined) {
      answer(false);
      return;
    }
    this.#tried.push(method);
    this.#authentication(method)
      .then(answer)
      .catch((error: Error) => {
        this.#wrong = error.message;
        answer(false);
      });
  };

  #nextMethod(): Method | undefined {
    const { password, privateKey } = this.#credentials;
    const fresh = (method: Method): boolean => this.#takes.includes(method) && !this.#tried.includes(method);
    if (privateKey !== undefined && fresh("publickey")) return "publickey";
    if (password === undefined) return undefined;
    if (fresh("password")) return "password";
    // The same password once more would only count as another failure.
    const refused = this.#tried.includes("password") && !this.#half;
    return fresh("keyboard-interactive") && !refused ? "keyboard-interactive" : undefined;
  }

  async #authentication(method: Method): Promise<AnyAuthMethod> {
    const { user, password, legacy } = this.#credentials;
    if (method === "publickey") {
      const key = await this.#key();
      return {
        type: method,
        username: user,
        key: legacy ? key : withoutSha1(key, (why) => (this.#wrong = why)),
      };
    }
    const secret = await this.#read(password as SecretReference);
    if (method === "password") return { type: method, username: user, password: secret };
    let asked = false;
    return {
      type: method,
      username: user,
      prompt: (_name, _instructions, _language, prompts, finish) => {
        if (prompts.length === 1 && !asked) {
          asked = true;
          return finish([secret]);
        }
        const words = prompts.map(({ prompt }) => JSON.stringify(prompt.slice(0, 100))).join(", ");
        this.#wrong = `the server asks for more than a password: ${words}`;
        finish(prompts.map(() => ""));
      },
    };
  }

  async #key(): Promise<ParsedKey> {
    const { privateKey, passphrase } = this.#credentials;
    const text = await this.#read(privateKey as SecretReference);
    const phrase = passphrase === undefined ? undefined : await this.#read(passphrase);
    return openedKey(this.#ssh2, text, phrase, {
      key: nameOf(privateKey as SecretReference),
      passphrase: passphrase === undefined ? undefined : nameOf(passphrase),
    });
  }

  /** The server wants a new password before it lets anybody in. */
  expired(): void {
    this.#wrong = `the password of user ${this.#credentials.user} has expired: give the account a new one at the server, and put that away here`;
  }

  /** Why the login failed, for people, as the end of a sentence about the server. */
  failure(): string {
    const { user, password, privateKey } = this.#credentials;
    if (this.#wrong !== undefined) return `user ${user} cannot log in: ${this.#wrong}`;
    if (this.#takes.length === 0) return `user ${user} is not let in`;
    const takes = this.#takes.join(", ");
    if (this.#tried.length === 0) {
      const given = [privateKey && "a private key", password && "a password"].filter(Boolean).join(" and ");
      return `the server takes only ${takes} of user ${user}, and ${given} is what is given here`;
    }
    const tried = this.#tried.map((method) => (method === "publickey" ? "private key" : "password"));
    const refused = [...new Set(tried)].join(" and the ");
    if (this.#half)
      return `the server took the first proof of user ${user}, and wants another one (${takes}) that is not given here or was refused`;
    return `the server refused the ${refused} of user ${user}: check the name, the ${refused}, and that the account may log in from this host (it takes: ${takes})`;
  }
}
