/**
 * The settings as others may read them. What is a secret the schema says, not the name of a key: whoever adds a secret
 * setting has it hidden here. A key that no schema names is left out.
 */
import type { z } from "zod";
import { secretSettings } from "../config.ts";

export interface OpenSettings {
  readonly settings: unknown;
  /** The texts that were hidden, and the passwords inside them: they must not be anywhere else either. */
  readonly secrets: readonly string[];
}

export function withoutSecrets(schema: z.ZodType, value: unknown): OpenSettings {
  const secrets: string[] = [];
  const settings = look(schema as Inner, value, secrets);
  return { settings, secrets: [...new Set(secrets.filter((one) => one !== ""))] };
}

/** What a schema of zod is made of, as far as it is asked here. */
interface Inner {
  readonly _zod: {
    readonly def: {
      readonly type: string;
      readonly innerType?: Inner;
      readonly in?: Inner;
      readonly shape?: Readonly<Record<string, Inner>>;
      readonly element?: Inner;
      readonly options?: readonly Inner[];
      readonly discriminator?: string;
      readonly values?: readonly unknown[];
    };
  };
}

function look(schema: Inner, value: unknown, secrets: string[]): unknown {
  if (secretSettings.get(schema as unknown as z.ZodType) !== undefined) return hidden(value, secrets);
  const { def } = schema._zod;
  if (def.innerType !== undefined) return look(def.innerType, value, secrets);
  if (def.discriminator !== undefined) {
    const option = def.options?.find((one) => fits(one, def.discriminator as string, value));
    return option === undefined ? null : look(option, value, secrets);
  }
  if (def.shape !== undefined && isRecord(value))
    return Object.fromEntries(
      Object.entries(def.shape).flatMap(([key, inner]) =>
        value[key] === undefined ? [] : [[key, look(inner, value[key], secrets)]],
      ),
    );
  if (def.element !== undefined && Array.isArray(value)) {
    const { element } = def;
    return value.map((one) => look(element, one, secrets));
  }
  // Of what is checked or turned into something else the first schema may be the secret.
  if (def.in !== undefined && isSecret(def.in)) return hidden(value, secrets);
  return withoutLogin(value, secrets);
}

/** A pipe or a wrapper around one. */
function isSecret(schema: Inner): boolean {
  if (secretSettings.get(schema as unknown as z.ZodType) !== undefined) return true;
  const inner = schema._zod.def.innerType ?? schema._zod.def.in;
  return inner !== undefined && isSecret(inner);
}

function fits(option: Inner, discriminator: string, value: unknown): boolean {
  const values = option._zod.def.shape?.[discriminator]?._zod.def.values ?? [];
  return isRecord(value) && values.includes(value[discriminator]);
}

/** With an address a reader sees where it leads to; only where nothing of the login can be taken for a part of it. */
const ADDRESS =
  /^([a-z][a-z0-9+.-]*:\/\/)(?:[^@/?#]*@)?((?:[A-Za-z0-9.-]+|\[[0-9a-fA-F:.]+\])(?::\d+)?(?:\/[\w-]*)?)(?:\?[^@]*)?$/;

function hidden(value: unknown, secrets: string[]): unknown {
  if (typeof value !== "string") return value === undefined || value === null ? value : "(secret)";
  secrets.push(value, ...loginOf(value));
  const [, scheme, place] = (/@.*[/?#].*@|[/?#].*@.*@/.test(value) ? null : ADDRESS.exec(value)) ?? [];
  return scheme === undefined ? "(secret)" : `(secret) ${scheme}${place}`;
}

/** Names and passwords in URLs, as they stand there and as they are meant. */
function loginOf(text: string): string[] {
  const [, login] = /^[a-z][a-z0-9+.-]*:\/\/(.*)@/is.exec(text) ?? [];
  const password = login?.slice(login.indexOf(":") + 1);
  return [...(password === undefined ? [] : [password]), ...askedFor(text)].flatMap((one) => [
    one,
    decoded(one),
  ]);
}

/** The password in the query of an address, where drivers of databases take it as well. */
function askedFor(text: string): string[] {
  return [...text.matchAll(/[?&][^=&#]*(?:pass|secret|token|key)[^=&#]*=([^&#]+)/gi)].map(
    ([, value = ""]) => value,
  );
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** A URL that is no secret may have a login all the same. */
function withoutLogin(value: unknown, secrets: string[]): unknown {
  if (typeof value === "string") {
    secrets.push(...loginOf(value));
    return value.replace(/^([a-z][a-z0-9+.-]*:\/\/).*@/is, "$1");
  }
  if (Array.isArray(value)) return value.map((one) => withoutLogin(one, secrets));
  if (isRecord(value))
    return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, withoutLogin(one, secrets)]));
  return value;
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
