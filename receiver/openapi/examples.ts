/** The programs of `docs/examples`, which the tests run: the page shows these very texts. */
import { readFileSync } from "node:fs";
import { isPackaged, packagedText } from "@tributary/shared/packaged.ts";

export interface Example {
  readonly file: string;
  readonly title: string;
  readonly language: Language;
}

export const LANGUAGES = ["curl", "PowerShell", "Python", "Node"] as const;
export type Language = (typeof LANGUAGES)[number];

const SEND = "One file";
const FOLLOW = "Follow what arrives";

export const EXAMPLES: readonly Example[] = [
  { file: "send.sh", language: "curl", title: SEND },
  { file: "send-folder.sh", language: "curl", title: "A folder of small files in one request" },
  { file: "send-large.sh", language: "curl", title: "A large file in parts" },
  { file: "send.ps1", language: "PowerShell", title: SEND },
  { file: "send.py", language: "Python", title: SEND },
  { file: "follow.py", language: "Python", title: FOLLOW },
  { file: "send.mjs", language: "Node", title: SEND },
  { file: "follow.mjs", language: "Node", title: FOLLOW },
];

/** How each language is told of the receiver, its key, and its certificate where that is the receiver's own. */
export const SETTING: Readonly<Record<Language, (url: string) => string>> = {
  curl: (url) =>
    `export TRIBUTARY_URL=${url}\nexport TRIBUTARY_KEY=trbk_…\nexport CURL_CA_BUNDLE=ca.pem        # only without a public certificate`,
  PowerShell: (url) =>
    `$env:TRIBUTARY_URL = '${url}'\n$env:TRIBUTARY_KEY = 'trbk_…'\n# only without a public certificate, as an administrator:\nImport-Certificate ca.pem -CertStoreLocation Cert:\\LocalMachine\\Root`,
  Python: (url) =>
    `export TRIBUTARY_URL=${url}\nexport TRIBUTARY_KEY=trbk_…\nexport SSL_CERT_FILE=ca.pem         # only without a public certificate`,
  Node: (url) =>
    `export TRIBUTARY_URL=${url}\nexport TRIBUTARY_KEY=trbk_…\nexport NODE_EXTRA_CA_CERTS=ca.pem   # only without a public certificate`,
};

/** The shortest that works, from a shell. `Invoke-RestMethod` and `curl -T` both send the file with `PUT`. */
export const ONE_LINE = (url: string): string =>
  `curl -H "Authorization: Bearer $TRIBUTARY_KEY" -T sales.csv ${url}/v1/files/pos/sales.csv`;

export function textOf({ file }: Example): string {
  if (isPackaged()) return packagedText(`examples/${file}`);
  return readFileSync(new URL(`../../docs/examples/${file}`, import.meta.url), "utf8");
}
