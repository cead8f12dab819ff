/** What agent.yaml says of a bucket. */
import { z } from "zod";
import { secretReference } from "../../secret/reference.ts";
import { remoteFields } from "../settings.ts";

export const s3Settings = z
  .strictObject({
    ...remoteFields,
    kind: z.literal("s3").describe("A bucket of any S3: Amazon's, Ceph, MinIO, Google's S3 interface."),
    bucket: z
      .string()
      .regex(/^[^/\s]+$/, "expected the name of a bucket alone; what lies deeper is `prefix`")
      .describe("The bucket."),
    prefix: z
      .string()
      .default("")
      .describe("The folder of the bucket that is captured, as in `exports/pos/`; without it all of it."),
    region: z.string().min(1).default("us-east-1").describe("Where the bucket lies."),
    endpoint: z
      .url({ protocol: /^https?$/, error: "expected an address such as https://s3.example.com" })
      .refine((text) => URL.parse(text)?.username === "", "keys do not belong into the address")
      .optional()
      .describe("The S3 server; without it Amazon's of `region`."),
    forcePathStyle: z
      .boolean()
      .optional()
      .describe(
        "The bucket is named in the path and not in the host; without it: yes where `endpoint` is given.",
      ),
    accessKeyId: z
      .union([z.string().min(1), secretReference])
      .optional()
      .describe(
        "The key's id; it is no secret. Without keys: those of the environment, of ~/.aws, of the machine's role.",
      ),
    secretAccessKey: secretReference.optional().describe("The key's secret."),
    sessionToken: secretReference.optional().describe("Of keys that are lent for a time."),
    versions: z
      .boolean()
      .optional()
      .describe("Every version of an object is captured; without it: yes where the bucket keeps versions."),
  })
  .refine((one) => (one.accessKeyId === undefined) === (one.secretAccessKey === undefined), {
    path: ["secretAccessKey"],
    error: "accessKeyId and secretAccessKey belong together",
  })
  .refine((one) => one.sessionToken === undefined || one.accessKeyId !== undefined, {
    path: ["sessionToken"],
    error: "it belongs to an accessKeyId",
  });
export type S3Settings = z.output<typeof s3Settings>;
