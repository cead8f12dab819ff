/**
 * The page for people who write programs: the same operations and schemas as the document, with the examples. It runs
 * nothing and loads nothing, so it reads the same from a file, on paper and behind the strictest policy.
 */
import { createHash } from "node:crypto";
import { PROBLEMS } from "@tributary/shared/problems.ts";
import { ROUTE } from "@tributary/shared/protocol.ts";
import { EXAMPLES, LANGUAGES, type Language, ONE_LINE, SETTING, textOf } from "./examples.ts";
import { type Html, html, prose } from "./html.ts";
import type { Operation } from "./operation.ts";
import { operationSection } from "./page-operation.ts";
import { objectSections } from "./page-schema.ts";
import { STYLE } from "./page-style.ts";
import { namedSchemas } from "./schemas.ts";

/** The one style sheet stands in the page; its digest lets it in, and nothing else. */
export const PAGE_POLICY = [
  "default-src 'none'",
  `style-src 'sha256-${createHash("sha256").update(STYLE).digest("base64")}'`,
  ...["base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'"],
].join("; ");

/** The page, once the receiver's address is known. */
export function pageOf(operations: readonly Operation[], version: string): (url: string) => string {
  const calls = callSections(operations);
  const objects = objectSections(namedSchemas(true));
  return (url) => whole(url, version, operations, calls, objects).html;
}

function whole(
  url: string,
  version: string,
  operations: readonly Operation[],
  calls: Html,
  objects: Html,
): Html {
  return html`<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Tributary for programs</title>
${{ html: `<style>${STYLE}</style>` }}
<header><a class="name" href="#top">Tributary</a> <span>for programs, version ${version}</span> <a class="to-contents" href="#contents">Contents</a> <a class="raw" href="${ROUTE.openapi}">openapi.json</a></header>
<main id="top">
${beginning(url)}
${examples(url)}
${RULES}
${calls}
${problems()}
<h2 id="objects">Objects</h2>
<p>Answers may get more members: ignore what you do not know.</p>
${objects}
</main>
${contents(operations)}
</html>
`;
}

function contents(operations: readonly Operation[]): Html {
  const groups = [...Map.groupBy(operations, ({ group }) => group)];
  const link = ({ id, method, summary }: Operation): Html =>
    html`<li><a href="#${id}"><span class="verb ${method.toLowerCase()}">${method}</span> ${summary}</a></li>`;
  return html`<nav id="contents" aria-label="Contents"><ul>
<li><a href="#top">Send a file in one line</a></li>
<li><a href="#credentials">Authentication</a></li>
<li><a href="#examples">Examples</a></li>
<li><a href="#rules">Rules for every call</a></li>
${groups.map(([group, members]) => html`<li class="group">${group}<ul>${members.map(link)}</ul></li>`)}
<li><a href="#problems">Problems</a></li>
<li><a href="#objects">Objects</a></li>
</ul></nav>`;
}

function beginning(url: string): Html {
  return html`<h1>Send a file in one line</h1>
<pre class="copy"><code>${ONE_LINE(url)}</code></pre>
<p>The answer is <code>201</code> with a signed receipt once the bytes are durable, not before. A source (here <code>pos</code>) needs no
setting up: it is there with its first file. The same bytes again are <code>200</code>, <code>unchanged</code>.</p>
<h2 id="credentials">Authentication</h2>
<p>Every call bears an API key. Whoever runs the receiver makes one; it is shown once:</p>
<pre class="copy"><code>tributary-receiver key add --client acme --name till-7 --source pos</code></pre>
<p>${prose("A key writes, and does nothing else, unless it was made with other scopes: `--scope write,read,remove`. With `--source` it is for that source alone. It travels as `Authorization: Bearer trbk_…`; keep it out of command lines that others can see, in the environment or a file. `key revoke` takes effect within 5 seconds, for what is under way too.")}</p>
<p>${prose("A receiver without a public certificate has an authority of its own. Ask for its `ca.pem` (no secret) and name it as below; never turn the check of certificates off.")}</p>`;
}

/** Tabs without a script: a radio button each, and the panel that follows it. */
function examples(url: string): Html {
  return html`<h2 id="examples">Examples</h2>
<p>Whole programs without further parts. Each tries again with the same <code>Idempotency-Key</code>, so that nothing arrives twice.</p>
<div class="tabs">${LANGUAGES.map(
    (
      language,
      i,
    ) => html`<input type="radio" name="language" id="tab-${i}"${{ html: i === 0 ? " checked" : "" }}><label for="tab-${i}">${language}</label>
<div class="panel">${panel(language, url)}</div>`,
  )}</div>`;
}

function panel(language: Language, url: string): Html {
  const own = EXAMPLES.filter((example) => example.language === language);
  return html`<h3 class="print">${language}</h3><pre class="setting"><code>${SETTING[language](url)}</code></pre>${own.map(
    (example, i) =>
      html`<details${{ html: i === 0 ? " open" : "" }}><summary>${example.title} <small>${example.file}</small></summary><pre><code>${textOf(example)}</code></pre></details>`,
  )}`;
}

const RULES = html`<h2 id="rules">Rules for every call</h2>
<ul class="rules">${[
  "HTTPS and HTTP/1.1. JSON in UTF-8, at most 1 MiB. Sizes are bytes, times RFC 3339, digests in JSON SHA-256 in lower-case hex.",
  "Only the answer counts. Without a 2xx and a receipt nothing was promised: send the same again, under the same `Idempotency-Key`. The same id with the same content gives the same receipt; with other content `capture-conflict`.",
  "Every failure is `application/problem+json` (RFC 9457). Match on `code`. Where `retry` is yes, the same request can succeed later; wait for `Retry-After` when it is there.",
  "Large files: `Expect: 100-continue`. The receiver looks at the headers first, so that a refusal costs no upload. Beyond 100 MB behind a proxy, or on a bad line: in parts.",
  "Lists come in pages: ask again with `cursor`. Cursors are opaque and stay right while entries arrive.",
  "Bytes have an `ETag`, which is their SHA-256: `Range`, `If-Range` and `If-None-Match` work as in RFC 9110.",
  "`path` is for reading, `pathEncoded` is the identity: names are bytes, never normalised, their case is kept.",
  "Every answer has `X-Request-Id`, which finds it in the receiver's log. Send your own and it is used.",
].map((rule) => html`<li>${prose(rule)}</li>`)}</ul>`;

function callSections(operations: readonly Operation[]): Html {
  const groups = [...Map.groupBy(operations, ({ group }) => group)];
  return html`${groups.map(
    ([group, members]) => html`<h2 class="group">${group}</h2>${members.map(operationSection)}`,
  )}`;
}

function problems(): Html {
  const rows = Object.entries(PROBLEMS)
    .filter(([, { status }]) => status !== 0)
    .map(
      ([code, { status, retry, title }]) =>
        html`<tr id="problem-${code}"><th scope="row"><code>${code}</code></th><td>${status}</td><td>${retry ? "yes" : "no"}</td><td>${title}</td></tr>`,
    );
  return html`<h2 id="problems">Problems</h2>
<p>${prose("`retry`: the same request can succeed later without anybody changing it.")}</p>
<div class="wide"><table class="table-problems"><thead><tr><th>code</th><th>status</th><th>retry</th><th>what it says</th></tr></thead><tbody>${rows}</tbody></table></div>`;
}
