/** The page's one style sheet: an 8-pixel grid, one type scale, light and dark as the reader's system is. */
export const STYLE = `
:root {
  --text: #1c2127; --quiet: #5b6673; --paper: #ffffff; --raised: #f5f6f8; --line: #dfe3e8; --link: #0b5cad; --mark: #fff4d1;
  --get: #0b5cad; --put: #8a4b00; --post: #1f6f3f; --delete: #a32020;
}
@media (prefers-color-scheme: dark) {
  :root {
    --text: #e3e7ec; --quiet: #9aa6b4; --paper: #14181d; --raised: #1d232a; --line: #313a44; --link: #7ab8f5; --mark: #3d3417;
    --get: #7ab8f5; --put: #f0b169; --post: #7fd19b; --delete: #f19090;
  }
}
* { box-sizing: border-box; }
html { scroll-padding-top: 64px; -webkit-text-size-adjust: 100%; }
body { margin: 0; background: var(--paper); color: var(--text); font: 16px/1.5 system-ui, "Segoe UI", Roboto, "Liberation Sans", "DejaVu Sans", sans-serif; }
a { color: var(--link); text-decoration-thickness: 1px; text-underline-offset: 2px; }
header { position: sticky; top: 0; z-index: 1; display: flex; gap: 12px; align-items: baseline; padding: 12px 24px; background: var(--paper); border-bottom: 1px solid var(--line); color: var(--quiet); }
header .name { color: var(--text); font-weight: 650; text-decoration: none; }
header .to-contents { margin-left: auto; }
nav { padding: 16px 24px 64px; font-size: 14px; border-top: 1px solid var(--line); }
nav ul { list-style: none; margin: 0; padding: 0; }
nav li a { display: flex; padding: 4px 8px; margin: 0 -8px; border-radius: 4px; color: var(--text); text-decoration: none; }
nav li a:hover { background: var(--raised); }
nav .group { margin-top: 16px; color: var(--quiet); }
nav .group li { color: var(--text); }
nav .verb { flex: none; width: 7.5ch; padding-top: 5px; font-size: 11px; }
main { max-width: 880px; padding: 8px 24px 96px; }
h1 { font-size: 32px; line-height: 40px; margin: 24px 0 16px; font-weight: 650; letter-spacing: -0.01em; }
h2 { font-size: 24px; line-height: 32px; margin: 64px 0 16px; font-weight: 650; }
h3 { font-size: 18px; line-height: 24px; margin: 0 0 8px; font-weight: 650; }
h4 { font-size: 14px; line-height: 24px; margin: 24px 0 8px; color: var(--quiet); font-weight: 600; }
p, .rules { margin: 0 0 16px; max-width: 76ch; }
.rules { padding-left: 20px; } .rules li { margin-bottom: 8px; }
small { font-size: 13px; color: var(--quiet); font-weight: 400; }
code, pre { font: 14px/1.55 ui-monospace, "SFMono-Regular", "Cascadia Mono", Menlo, Consolas, "Liberation Mono", "DejaVu Sans Mono", monospace; font-variant-ligatures: none; }
code { font-size: .875em; overflow-wrap: anywhere; }
p code, li code, dd code, td code { background: var(--raised); border-radius: 4px; padding: 1px 3px; margin: 0 -1px; }
pre { margin: 0 0 16px; padding: 16px; overflow-x: auto; background: var(--raised); border: 1px solid var(--line); border-radius: 8px; tab-size: 2; }
pre code { font-size: 13.5px; overflow-wrap: normal; }
pre.copy { white-space: pre-wrap; } pre.copy code { user-select: all; overflow-wrap: anywhere; }
table { border-collapse: collapse; width: 100%; font-size: 15px; font-variant-numeric: tabular-nums; }
.wide { overflow-x: auto; margin: 0 0 16px; }
th, td { text-align: left; vertical-align: top; padding: 8px 16px 8px 0; border-bottom: 1px solid var(--line); }
th { font-weight: 400; min-width: 11ch; }
thead th { font-size: 13px; color: var(--quiet); padding-bottom: 4px; }
tbody th small { display: block; }
th code { overflow-wrap: normal; white-space: nowrap; }
td:nth-child(2) { min-width: 9ch; } td:last-child { min-width: 24ch; padding-right: 0; }
tr:target { background: var(--mark); }
.example { display: block; color: var(--quiet); font-size: 14px; }
.call, .object { padding: 24px 0 16px; border-top: 1px solid var(--line); }
h2.group + .call { border-top: 0; padding-top: 0; }
.line { font-size: 16px; margin-bottom: 12px; } .line code { background: none; padding: 0; font-size: 15px; }
.verb { font: 600 13px/1 ui-monospace, Menlo, Consolas, "Liberation Mono", "DejaVu Sans Mono", monospace; }
.get { color: var(--get); } .put { color: var(--put); } .post { color: var(--post); } .delete { color: var(--delete); }
.who { color: var(--quiet); }
.answers { display: grid; grid-template-columns: 6ch 1fr; gap: 8px 0; margin: 0 0 16px; font-variant-numeric: tabular-nums; max-width: 76ch; }
.answers dt { font-weight: 600; } .answers dd { margin: 0; min-width: 0; }
.content { color: var(--quiet); }
details > summary { cursor: pointer; padding: 4px 0; }
.problems ul { columns: 3 220px; list-style: none; padding: 8px 0 0; margin: 0; font-size: 14px; }
.problems li { padding: 2px 0; break-inside: avoid; } .problems small { font-variant-numeric: tabular-nums; }
.tabs { display: flex; flex-wrap: wrap; gap: 0 4px; margin-bottom: 24px; }
.tabs > input { position: absolute; opacity: 0; }
.tabs > label { padding: 8px 16px; border-bottom: 2px solid transparent; color: var(--quiet); cursor: pointer; }
.tabs > label:hover { color: var(--text); }
.tabs > input:checked + label { border-color: var(--link); color: var(--text); font-weight: 600; }
.tabs > input:focus-visible + label, a:focus-visible, summary:focus-visible { outline: 2px solid var(--link); outline-offset: 2px; border-radius: 4px; }
.panel { display: none; order: 1; width: 100%; min-width: 0; border-top: 1px solid var(--line); padding-top: 16px; margin-top: -1px; }
.tabs > input:checked + label + .panel { display: block; }
.panel .print { display: none; }
.panel details { margin-bottom: 8px; } .panel details pre { margin-top: 8px; }
@media (min-width: 1100px) {
  body { display: grid; grid-template-columns: 288px minmax(0, 1fr); }
  header { grid-column: 1 / -1; }
  nav { grid-row: 2; grid-column: 1; border-top: 0; position: sticky; top: 50px; align-self: start; max-height: calc(100vh - 50px); overflow-y: auto; padding-bottom: 32px; border-right: 1px solid var(--line); }
  header .to-contents { display: none; } header .raw { margin-left: auto; }
  main { grid-row: 2; grid-column: 2; padding-left: 48px; padding-right: 48px; }
}
@media (max-width: 600px) {
  header, nav, main { padding-left: 16px; padding-right: 16px; }
  header span { display: none; }
  h1 { font-size: 28px; line-height: 36px; }
  .tabs > label { padding: 8px 12px; }
  table:not(.table-problems), table:not(.table-problems) > tbody, table:not(.table-problems) tr, table:not(.table-problems) td, table:not(.table-problems) tbody th { display: block; }
  table:not(.table-problems) thead { display: none; }
  table:not(.table-problems) tr { border-bottom: 1px solid var(--line); padding: 8px 0; }
  table:not(.table-problems) td, table:not(.table-problems) tbody th { border: 0; padding: 0 0 2px; min-width: 0; }
  tbody th small { display: inline; }
  .table-problems, .table-problems thead, .table-problems tbody { display: block; }
  .table-problems tr { display: grid; grid-template-columns: 1fr 6ch 5ch; border-bottom: 1px solid var(--line); padding: 8px 0; }
  .table-problems th, .table-problems td { border: 0; padding: 0; min-width: 0; } .table-problems :is(th, td):last-child { grid-column: 1 / -1; }
}
@media print {
  :root { --text: #000; --quiet: #444; --paper: #fff; --raised: #fff; --link: #000; }
  header, nav { display: none; } body { display: block; font-size: 10.5pt; } main { max-width: none; padding: 0; }
  .panel, .panel .print { display: block; } .tabs { display: block; } .tabs > label { display: none; }
  pre { white-space: pre-wrap; overflow-wrap: anywhere; } tr, pre.copy { break-inside: avoid; } h2, h3, h4 { break-after: avoid; }
}
`;
