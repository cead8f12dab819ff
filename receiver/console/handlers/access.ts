/** Who comes in without an agent: API keys and SFTP accounts. And who is told of arrivals: webhooks. */
import { randomBytes } from "node:crypto";
import { ProblemError } from "@tributary/shared/problems.ts";
import {
  addAccount,
  addKeysToAccount,
  limitAccount,
  removeKeyOfAccount,
  revokeAccount,
  setPasswordOfAccount,
} from "../../administration/accounts.ts";
import { addKey, revokeKey, setKeyLimits } from "../../administration/keys.ts";
import { addWebhook, replayWebhook, revokeWebhook } from "../../administration/webhooks.ts";
import { listApiKeys, parseApiKey } from "../../identity/apikeys.ts";
import { hashPassword } from "../../identity/passwords.ts";
import { listAccounts } from "../../identity/sftp-accounts.ts";
import { parsePublicKeys } from "../../identity/ssh-public-key.ts";
import { writing } from "../../ledger/database.ts";
import { parseUrl } from "../../webhooks/register.ts";
import { listWebhooks, pageOfDeadLetters } from "../../webhooks/standing.ts";
import type { Handlers } from "../console.ts";
import { type HandlerParts, onPage } from "./parts.ts";

type AccessHandlers = Pick<
  Handlers,
  Extract<
    keyof Handlers,
    `keys.${string}` | `accounts.${string}` | `webhooks.${string}` | `deadletters.${string}`
  >
>;

/** Made here, so that nobody thinks one up: 144 random bits. */
const newPassword = (): string => randomBytes(18).toString("base64url");

export function accessHandlers(parts: HandlerParts): AccessHandlers {
  const { db } = parts.database;
  return {
    "keys.list": async ({ client }) => ({ items: await listApiKeys(db, { client }) }),
    "keys.add": async (wanted, asked) => {
      const secret = await addKey(onPage(parts, asked), wanted);
      return { id: parseApiKey(secret)?.id ?? "", secret };
    },
    "keys.bound": async ({ id, ...limits }, asked) => {
      await setKeyLimits(onPage(parts, asked), id, limits);
      return {};
    },
    "keys.revoke": async ({ id }, asked) => {
      await revokeKey(onPage(parts, asked), id);
      return {};
    },

    "accounts.list": async ({ client }) => ({ items: await listAccounts(db, { client }) }),
    "accounts.add": async ({ publicKeys = "", password, ...wanted }, asked) => {
      const made = password ? newPassword() : null;
      const id = await addAccount(onPage(parts, asked), {
        ...wanted,
        keys: publicKeys.trim() === "" ? [] : parsePublicKeys(publicKeys, "the public keys"),
        passwordHash: made === null ? undefined : await hashPassword(made),
      });
      return { id, password: made };
    },
    "accounts.bound": async ({ user, ...limits }, asked) => {
      await limitAccount(onPage(parts, asked), user, limits);
      return {};
    },
    "accounts.credentials": async ({ user, addKeys, removeKey, password }, asked) => {
      const keys = addKeys === undefined ? undefined : parsePublicKeys(addKeys, "the public keys");
      const made = password === "new" ? newPassword() : null;
      const hash = made === null ? null : await hashPassword(made);
      // All that was asked, or nothing: whoever is told that it failed may ask it again as it was.
      await writing(db, async (trx) => {
        const by = { ...onPage(parts, asked), db: trx };
        if (keys !== undefined) await addKeysToAccount(by, user, keys);
        if (removeKey !== undefined) await removeKeyOfAccount(by, user, removeKey);
        if (password !== undefined) await setPasswordOfAccount(by, user, hash);
      });
      return { password: made };
    },
    "accounts.revoke": async ({ user }, asked) => {
      await revokeAccount(onPage(parts, asked), user);
      return {};
    },

    "webhooks.list": async ({ client }) => ({
      items: await listWebhooks(db, client === undefined ? {} : { client }),
    }),
    "webhooks.add": async ({ url: text, ...wanted }, asked) => {
      const url = parseUrl(text);
      const refused = await parts.refusalOf(url);
      if (refused !== undefined) throw new ProblemError("request-invalid", refused);
      const close = await parts.closer();
      return await addWebhook(onPage(parts, asked), { url, ...wanted }, close);
    },
    "webhooks.replay": async ({ id, from, dead }, asked) =>
      await replayWebhook(onPage(parts, asked), id, { from, dead }),
    "webhooks.revoke": async ({ id }, asked) => {
      await revokeWebhook(onPage(parts, asked), id);
      return {};
    },
    "deadletters.list": ({ webhook, after, limit }) => pageOfDeadLetters(db, { webhook, after, limit }),
  };
}
