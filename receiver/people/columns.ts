/**
 * How our tables and better-auth's words come together: names here, values in `spoken`. Tables keep ms since 1970 and
 * 0 or 1, the same in both databases so that a backup fits either; better-auth speaks in Dates and booleans.
 */
import {
  type KyselyPlugin,
  OperationNodeTransformer,
  type PluginTransformQueryArgs,
  type PluginTransformResultArgs,
  type PrimitiveValueListNode,
  type QueryResult,
  type RootOperationNode,
  type UnknownRow,
  type ValueNode,
} from "kysely";

export const PERSON_FIELDS = {
  ...{ name: "name", email: "email", emailVerified: "email_verified" },
  ...{ createdAt: "created_at", updatedAt: "updated_at" },
} as const;

export const ACCOUNT_FIELDS = {
  ...{ userId: "person", providerId: "provider", accountId: "subject", password: "password_hash" },
  ...{ scope: "scope", createdAt: "created_at", updatedAt: "updated_at" },
} as const;

export const SESSION_FIELDS = {
  ...{ userId: "person", token: "token", ipAddress: "address", userAgent: "device" },
  ...{ createdAt: "created_at", updatedAt: "used_at", expiresAt: "expires_at" },
} as const;

export const VERIFICATION_FIELDS = {
  ...{ identifier: "identifier", value: "value", expiresAt: "expires_at" },
  ...{ createdAt: "created_at", updatedAt: "updated_at" },
} as const;

export const TOTP_FIELDS = {
  ...{ userId: "person", secret: "secret", backupCodes: "backup_codes", verified: "verified" },
  ...{ failedVerificationCount: "failures", lockedUntil: "locked_until" },
} as const;

export const PASSKEY_FIELDS = {
  ...{ userId: "person", name: "name", credentialID: "credential_id", publicKey: "public_key" },
  ...{ counter: "counter", deviceType: "device_type", backedUp: "backed_up", transports: "transports" },
  ...{ aaguid: "aaguid", createdAt: "created_at" },
} as const;

const DATES = new Set([
  ...["created_at", "updated_at", "used_at", "expires_at", "locked_until"],
  ...["disabled_at", "last_login_at"],
]);
const BOOLEANS = new Set(["email_verified", "totp_enabled", "verified", "backed_up"]);

/** For the Kysely instance that better-auth is given, and for no other. */
export const spoken: KyselyPlugin = {
  transformQuery: ({ node }: PluginTransformQueryArgs): RootOperationNode => kept.transformNode(node),
  transformResult: async ({ result }: PluginTransformResultArgs): Promise<QueryResult<UnknownRow>> => ({
    ...result,
    rows: result.rows.map((row) =>
      Object.fromEntries(Object.entries(row).map(([column, value]) => [column, toWords(column, value)])),
    ),
  }),
};

function toWords(column: string, value: unknown): unknown {
  if (typeof value !== "number") return value;
  if (DATES.has(column)) return new Date(value);
  return BOOLEANS.has(column) ? value === 1 : value;
}

function toKept(value: unknown): unknown {
  if (value instanceof Date) return value.getTime();
  return typeof value === "boolean" ? Number(value) : value;
}

class Kept extends OperationNodeTransformer {
  protected override transformValue(node: ValueNode): ValueNode {
    return { ...super.transformValue(node), value: toKept(node.value) };
  }

  protected override transformPrimitiveValueList(node: PrimitiveValueListNode): PrimitiveValueListNode {
    return { ...super.transformPrimitiveValueList(node), values: node.values.map(toKept) };
  }
}

const kept = new Kept();
