/** One call as a section of the page. */
import { PROBLEMS } from "@tributary/shared/problems.ts";
import { type Html, html, prose } from "./html.ts";
import { type Answer, type Content, type Operation, type Parameter, problemsOf } from "./operation.ts";
import { typeOf } from "./page-schema.ts";
import { headerName } from "./parameters.ts";
import { schemaOf } from "./schemas.ts";

export function operationSection(operation: Operation): Html {
  const { id, method, path, summary, description, parameters, body, answers } = operation;
  return html`<section class="call" id="${id}">
<h3>${summary}</h3>
<p class="line"><span class="verb ${method.toLowerCase()}">${method}</span> <code>${pathHtml(path)}</code></p>
${description.map((paragraph) => html`<p>${prose(paragraph)}</p>`)}
<p class="who">${prose(whoMay(operation))}</p>
${parameters.length === 0 ? "" : parameterTable(parameters)}
${body === undefined ? "" : html`<h4>Body</h4><p>${prose(body.description)} ${contentHtml(body.content)}</p>`}
<h4>Answers</h4>
<dl class="answers">${answers.map(answerRow)}</dl>
${problemList(operation)}
</section>`;
}

/** Where a line may break: behind a slash. */
function pathHtml(path: string): Html {
  return html`${path.split(/(?<=\/)/).map((piece) => html`${piece}<wbr>`)}`;
}

function whoMay({ access }: Operation): string {
  switch (access.kind) {
    case "everybody":
      return "For everybody, without credentials.";
    case "agent":
      return "For agents alone, with a signed token.";
    case "credentials":
      if (access.scope === undefined) return "With any API key, or an agent's token.";
      return `With an API key that has the scope \`${access.scope}\`${access.scope === "read" ? "" : ", or an agent's token"}.`;
  }
}

const PLACES = { path: "in the path", query: "in the query", header: "header" } as const;

function parameterTable(parameters: readonly Parameter[]): Html {
  const rows = parameters.map(
    (parameter) =>
      html`<tr><th scope="row"><code>${parameter.name}</code> <small>${PLACES[parameter.in]}${
        parameter.required ? "" : ", optional"
      }</small></th><td>${typeOf(schemaOf(parameter.schema, true))}</td><td>${prose(parameter.description)}${
        parameter.example === undefined
          ? ""
          : html` <span class="example">Such as <code>${parameter.example}</code></span>`
      }</td></tr>`,
  );
  return html`<h4>Parameters</h4><div class="wide"><table><thead><tr><th>name</th><th>type</th><th>meaning</th></tr></thead><tbody>${rows}</tbody></table></div>`;
}

function answerRow({ status, description, content, headers = [], optionalHeaders = [] }: Answer): Html {
  const named = [...headers, ...optionalHeaders].map((name) => html` <code>${headerName(name)}</code>`);
  return html`<dt>${status}</dt><dd>${prose(description)} ${contentHtml(content)}${
    named.length === 0 ? "" : html`<br><small>Headers:${named}</small>`
  }</dd>`;
}

function contentHtml(content: readonly Content[]): Html {
  return html`${content.map((one) => html` <span class="content">${contentText(one)}</span>`)}`;
}

function contentText(content: Content): Html {
  switch (content.kind) {
    case "json":
      return html`JSON: ${typeOf(schemaOf(content.schema, true))}`;
    case "lines":
      return html`<code>${content.type}</code>, a line each: ${typeOf(schemaOf(content.schema, true))}`;
    case "events":
      return html`<code>${content.type}</code>, an event each: ${typeOf(schemaOf(content.schema, true))}`;
    case "text":
    case "bytes":
      return html`<code>${content.type}</code>`;
  }
}

function problemList(operation: Operation): Html {
  const codes = [...problemsOf(operation)].toSorted((a, b) => PROBLEMS[a].status - PROBLEMS[b].status);
  const links = codes.map(
    (code) => html`<li><a href="#problem-${code}"><small>${PROBLEMS[code].status}</small> ${code}</a></li>`,
  );
  return html`<details class="problems"><summary>${codes.length} problems</summary><ul>${links}</ul></details>`;
}
