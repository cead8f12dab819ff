/**
 * The pages as they were built from `web/`: one HTML file for every address, and scripts and styles under names that
 * carry their digest, so that a browser keeps them for good.
 */
import { randomBytes } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import type { IncomingHttpHeaders } from "node:http";
import { join } from "node:path";
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import { isPackaged, packagedTexts } from "@tributary/shared/packaged.ts";
import { ProblemError } from "@tributary/shared/problems.ts";

export interface Pages {
  /** A file of the pages, or their HTML for any address that is none: the page itself knows its addresses. */
  answer(path: string, headers: IncomingHttpHeaders): Promise<Response>;
}

/** Of all that the console answers. Scripts and styles are our own files alone; nothing of it is shown inside another page. */
export const pageHeaders: Readonly<Record<string, string>> = {
  "content-security-policy": policy("'self'"),
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
  "referrer-policy": "no-referrer",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "permissions-policy": "camera=(), microphone=(), geolocation=(), payment=()",
};

/** `styles`: one style element holds the theme's variables, and bears the nonce of its page. */
function policy(styles: string): string {
  return [
    "default-src 'none'",
    "script-src 'self'",
    `style-src ${styles}`,
    "img-src 'self' data:",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'self'",
    "frame-ancestors 'none'",
  ].join("; ");
}

const TYPES: Readonly<Record<string, string>> = {
  html: "text/html; charset=utf-8",
  js: "text/javascript; charset=utf-8",
  css: "text/css; charset=utf-8",
  svg: "image/svg+xml",
};

const INDEX = "index.html";
/** What `web/index.html` has in the place of a nonce. */
const NONCE = "%NONCE%";
const zip = promisify(gzip);

/** Of the checkout, where `npm run pages` made them, or of the package. */
export function readPages(): ReadonlyMap<string, string> {
  if (isPackaged()) return new Map(packagedTexts("pages/").map(({ name, text }) => [name, text]));
  const folder = join(import.meta.dirname, "web/dist");
  if (!existsSync(join(folder, INDEX))) return new Map();
  const names = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
  return new Map(names.map((file) => [file.slice(folder.length + 1), readFileSync(file, "utf8")]));
}

export function openPages(files: ReadonlyMap<string, string>): Pages {
  const zipped = new Map<string, Promise<Buffer>>();
  const small = (name: string, text: string): Promise<Buffer> => {
    const known = zipped.get(name) ?? zip(text, { level: 9 });
    zipped.set(name, known);
    return known;
  };
  return {
    async answer(path, headers) {
      const name = path.slice(1);
      const text = name === INDEX ? undefined : files.get(name);
      if (text === undefined) {
        if (/^\/assets\/|\.\w+$/.test(path))
          throw new ProblemError("not-found", `there is no page ${path.slice(0, 200)}`);
        return index(files.get(INDEX));
      }
      const wanted = {
        "content-type": TYPES[name.split(".").at(-1) ?? ""] ?? "application/octet-stream",
        "cache-control": path.startsWith("/assets/") ? "public, max-age=31536000, immutable" : "no-cache",
        vary: "accept-encoding",
      };
      if (!/\bgzip\b/.test(String(headers["accept-encoding"] ?? "")))
        return new Response(text, { headers: wanted });
      const body = new Uint8Array(await small(name, text));
      return new Response(body, { headers: { ...wanted, "content-encoding": "gzip" } });
    },
  };
}

function index(text: string | undefined): Response {
  if (text === undefined) {
    const why = "the console's pages are not built in this checkout: npm run pages\n";
    return new Response(why, { status: 503, headers: { "content-type": "text/plain; charset=utf-8" } });
  }
  const nonce = randomBytes(16).toString("base64url");
  return new Response(text.replaceAll(NONCE, nonce), {
    headers: {
      "content-type": TYPES.html as string,
      "cache-control": "no-store",
      "content-security-policy": policy(`'self' 'nonce-${nonce}'`),
    },
  });
}
