/** What agent.yaml says of an FTP source. */
import { z } from "zod";
import { secretReference } from "../../secret/reference.ts";
import { isTimeZone } from "../../source/settings.ts";
import { remoteFields } from "../settings.ts";

const plain = (what: string) => z.string().regex(/^[^\0\r\n]+$/, `expected ${what}`);

export const ftpSettings = z.strictObject({
  ...remoteFields,
  kind: z.literal("ftp").describe("A folder on an FTP or FTPS server."),
  host: z
    .string()
    .regex(/^[^\s/@]+$/, "expected the name or the address of a server, without ftp://")
    .describe("The server's name or address."),
  port: z.int().min(1).max(65_535).optional().describe("Without it 21, and 990 where `tls` is implicit."),
  user: plain("the name of an account").default("anonymous").describe("The account that reads there."),
  password: secretReference.optional().describe("Where its password is."),
  path: plain("a folder of the server")
    .optional()
    .describe("The folder that is captured; without it the one in which the login lands."),
  tls: z
    .enum(["explicit", "implicit", "none"])
    .default("explicit")
    .describe(
      "explicit: encrypted after AUTH TLS; implicit: from the first byte; none: password and files travel in the clear.",
    ),
  ca: z
    .string()
    .min(1)
    .optional()
    .describe(
      "A PEM file with the authority that vouches for the server, or with its own certificate where it is self-signed; without it the authorities of this host, the public ones and `tls.ca`.",
    ),
  serverName: z
    .string()
    .min(1)
    .optional()
    .describe("The name in the server's certificate, where it is not `host`."),
  listTimeZone: z
    .string()
    .refine(isTimeZone, 'expected the name of a time zone, such as "Europe/Berlin"')
    .default("UTC")
    .describe(
      "In which a server tells times that has neither MLSD nor MDTM: for the times of delivered files, and nothing else.",
    ),
});

export type FtpSettings = z.output<typeof ftpSettings>;
