/** What agent.yaml says of a container. */
import { z } from "zod";
import { secretReference } from "../../secret/reference.ts";
import { remoteFields } from "../settings.ts";

const managedIdentity = z
  .union(
    [
      z.literal(true),
      z.strictObject({ clientId: z.string().min(1).describe("Which one, where the machine has several.") }),
    ],
    { error: "expected true, or { clientId: ID }" },
  )
  .describe("The identity that Azure gives this machine: no secret at all.");

const prefix = z
  .string()
  .refine((text) => !text.startsWith("/"), "expected no slash in front: names of blobs have none")
  .transform((text) => (text === "" || text.endsWith("/") ? text : `${text}/`))
  .default("")
  .describe("Only what lies in this folder; paths begin below it.");

const endpoint = z
  .url({ protocol: /^https?$/, error: "expected a URL such as https://ACCOUNT.blob.core.windows.net" })
  .refine((text) => !/[?#@]/.test(text), "expected no query and no user: a SAS is given by `sas`")
  .transform((text) => text.replace(/\/+$/, ""))
  .optional()
  .describe("Where the account's blobs are; https://ACCOUNT.blob.core.windows.net without.");

/** Exactly one way to be let in. */
export const azureBlobSettings = z
  .strictObject({
    kind: z.literal("azure-blob").describe("A container of Azure Blob Storage."),
    ...remoteFields,
    account: z
      .string()
      .regex(/^[a-z0-9]{3,24}$/, "expected the name of a storage account: 3 to 24 small letters and digits")
      .describe("The storage account."),
    container: z
      .string()
      .regex(
        /^(\$root|\$web|\$logs|(?=.{3,63}$)[a-z0-9]+(-[a-z0-9]+)*)$/,
        "expected the name of a container: 3 to 63 small letters, digits and single dashes",
      )
      .describe("The container."),
    prefix,
    endpoint,
    accountKey: secretReference.optional().describe("Where one of the account's two keys is kept."),
    sas: secretReference
      .optional()
      .describe("Where a shared access signature is kept, the part of its URL after the question mark."),
    managedIdentity: managedIdentity.optional(),
  })
  .refine(
    ({ accountKey, sas, managedIdentity }) =>
      [accountKey, sas, managedIdentity].filter((one) => one !== undefined).length === 1,
    "expected exactly one of accountKey, sas and managedIdentity",
  )
  .refine(
    ({ endpoint, managedIdentity }) => managedIdentity === undefined || !endpoint?.startsWith("http:"),
    "a managed identity goes over https alone: Azure takes its tokens nowhere else",
  );

export type AzureBlobSettings = z.output<typeof azureBlobSettings>;

/** Without a slash at its end. */
export function endpointOf({ account, endpoint }: AzureBlobSettings): string {
  return endpoint ?? `https://${account}.blob.core.windows.net`;
}

/** For people, and to tell one place from another. */
export function whereIs(settings: AzureBlobSettings): string {
  const { host, pathname } = new URL(endpointOf(settings));
  // Where the account stands in the path (emulators), it is part of the name.
  const account = pathname === "/" ? "" : pathname;
  return `azure-blob://${host}${account}/${settings.container}/${settings.prefix}`;
}
