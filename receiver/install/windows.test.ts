/** No PowerShell runs here: what can be seen from outside is looked at. */
import { describe, expect, test } from "vitest";
import { packageNamed } from "./packages.ts";
import { windowsLine, windowsScript } from "./windows.ts";

const name = "tributary-agent-0.1.0-x64.msi";
const found = packageNamed(name);
if (found === undefined) throw new Error(name);
const script = windowsScript({ ...found, size: 123, sha256: "ab".repeat(32) });
const code = `trb1_${"eyJ1cmwiOiJodHRwczovLz_-".repeat(10)}`;
const line = (pinned: boolean): string =>
  windowsLine({ url: "https://receiver.example.com:8443/install", pinned, sha256: "cd".repeat(32), code });

/** The text without what stands in quotes and in comments; throws where a quote or a bracket is left open. */
function bare(text: string): string {
  const out: string[] = [];
  const open: string[] = [];
  const pairs: Readonly<Record<string, string>> = { ")": "(", "]": "[", "}": "{" };
  for (let at = 0; at < text.length; at += 1) {
    const c = text[at] as string;
    if (c === "#") {
      at = text.indexOf("\n", at);
      if (at === -1) break;
    } else if (c === "'" || c === '"') {
      let end = text.indexOf(c, at + 1);
      while (text[end + 1] === c) end = text.indexOf(c, end + 2);
      if (end === -1) throw new Error(`left open: ${text.slice(at, at + 40)}`);
      out.push(`${c}${c}`);
      at = end;
    } else {
      if ("([{".includes(c)) open.push(c);
      else if (pairs[c] !== undefined && open.pop() !== pairs[c])
        throw new Error(`"${c}" closes nothing: ${text.slice(at - 40, at)}`);
      out.push(c);
    }
  }
  if (open.length > 0) throw new Error(`left open: ${open.join("")}`);
  return out.join("");
}

describe.for([
  ["the script", script],
  ["the line", line(true)],
  ["the line with a public certificate", line(false)],
] as const)("%s", ([, text]) => {
  test("is ASCII that Windows PowerShell 5.1 reads, closed quotes and brackets", () => {
    expect(text).toMatch(/^[\x20-\x7e\n]*$/);
    const words = bare(text);
    // `??`, `?.`, `&&`, `||`, `? :` came with 7; a backtick at a line's end is lost in copying.
    expect(words).not.toMatch(/\?\?|\?\.|&&|\|\||\s\?\s|`/);
    expect(words).not.toMatch(/\bexit\b/);
  });
});

test("the script names the package; nothing runs before it was compared", () => {
  expect(script).toContain(`$file = '${name}'\n$size = 123\n$sha256 = '${"ab".repeat(32)}'\n`);
  const at = (text: string): number => {
    expect(script.split(text), text).toHaveLength(2);
    return script.indexOf(text);
  };
  expect(at("IsInRole(")).toBeLessThan(at("CreateDirectory($place, $access)"));
  expect(at("CreateDirectory($place, $access)")).toBeLessThan(at("$Client.DownloadFile("));
  expect(at("Get-FileHash")).toBeLessThan(at("Start-Process"));
  expect(at("-Algorithm SHA256).Hash -ne $sha256)) {\n    throw")).toBeLessThan(at("Start-Process"));
});

test("the line is one, short, and says what it believes", () => {
  for (const pinned of [true, false]) {
    expect(line(pinned)).not.toContain("\n");
    expect(line(pinned).length).toBeLessThan(1100);
    expect(line(pinned)).toContain(`-eq '${"cd".repeat(32)}'`);
    expect(line(pinned).endsWith(` -Client $w -Code ${code}`)).toBe(true);
  }
  expect(line(false)).not.toMatch(/Add-Type|Certificate/);
  expect(line(true)).toContain("ServerCertificateValidationCallback=delegate{return true;}");
});
