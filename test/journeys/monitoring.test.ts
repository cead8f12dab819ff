/**
 * Rules, dashboard and example of docs/monitoring, tried: by promtool, and by a real Prometheus that scrapes a real receiver
 * to which a real agent delivers.
 */
import { execFile } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parse, stringify } from "yaml";
import { PROMETHEUS, PROMTOOL, type Prometheus, startPrometheus } from "../servers/prometheus.ts";
import { describeWithPrograms } from "../servers/servers.ts";
import { caller } from "../site/caller.ts";
import { ROOT, type Running, until } from "../site/process.ts";
import { makeSite, type Site } from "../site/site.ts";

const FOLDER = join(ROOT, "docs", "monitoring");
const RULES = "tributary-alerts.yml";
const TESTS = "tributary-alerts.test.yml";
const EXAMPLE = "prometheus.example.yml";
const read = (name: string): string => readFileSync(join(FOLDER, name), "utf8");

interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly for: string;
  readonly labels: { readonly severity: string };
  readonly annotations: Readonly<Record<string, string>>;
}
const ruleFile = parse(read(RULES)) as { groups: [{ name: string; rules: Rule[] }] };
const { rules } = ruleFile.groups[0];

interface Panel {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly description?: string;
  readonly datasource?: unknown;
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly targets?: readonly {
    readonly refId: string;
    readonly expr: string;
    readonly datasource: unknown;
  }[];
  readonly fieldConfig?: { readonly defaults: { readonly unit?: string } };
  readonly options?: { readonly yAxis?: { readonly unit?: string } };
}
interface Dashboard {
  readonly title: string;
  readonly uid: string;
  readonly templating: {
    readonly list: readonly { name: string; type: string; datasource?: unknown; definition?: string }[];
  };
  readonly panels: readonly Panel[];
}
const dashboard = JSON.parse(read("grafana-dashboard.json")) as Dashboard;
const panels = dashboard.panels.filter(({ type }) => type !== "row");
const expressions = panels.flatMap(({ title, targets = [] }) =>
  targets.map(({ refId, expr }): [string, string] => [`${title} ${refId}`, expr]),
);

/** Names of metrics in an expression; what stands in quotes or labels is none. */
const metricsIn = (expr: string): string[] =>
  expr.replace(/"[^"]*"/g, "").match(/\b(?:tributary|process|nodejs)_\w+/g) ?? [];

/** As Grafana fills in its variables. */
const filledIn = (expr: string): string =>
  expr.replaceAll("$job", "tributary").replaceAll("$instance", ".*").replaceAll("$__rate_interval", "30s");

describe("the dashboard", () => {
  // biome-ignore lint/suspicious/noTemplateCurlyInString: it is Grafana that fills it in
  const datasource = { type: "prometheus", uid: "${datasource}" };

  test("has ids of its own, and rows in the order of their questions", () => {
    const ids = dashboard.panels.map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
    expect(dashboard.panels.filter(({ type }) => type === "row").map(({ title }) => title)).toEqual([
      ...["Now", "Arrivals", "Latency", "Agents", "Queue", "Problems", "Store", "Process"],
    ]);
    expect(dashboard).toMatchObject({ title: "Tributary", uid: "tributary-receiver" });
  });

  test("nothing lies over another, or outside of the 24 columns", () => {
    const taken = new Map<string, string>();
    const over: string[] = [];
    for (const {
      title,
      gridPos: { x, y, w, h },
    } of dashboard.panels) {
      if (x < 0 || x + w > 24 || w < 1 || h < 1) over.push(`${title} lies outside`);
      for (let column = x; column < x + w; column += 1)
        for (let line = y; line < y + h; line += 1) {
          const at = `${column} ${line}`;
          if (taken.has(at)) over.push(`${title} lies over ${taken.get(at)}`);
          taken.set(at, title);
        }
    }
    expect(over).toEqual([]);
  });

  test.for(panels.map((panel): [string, Panel] => [panel.title, panel]))(
    "%s: data source by its variable, unit, description, questions of their own",
    ([, { datasource: own, targets = [], description, fieldConfig, options }]) => {
      expect(own).toEqual(datasource);
      expect(targets.length).toBeGreaterThan(0);
      for (const target of targets) expect(target.datasource).toEqual(datasource);
      expect(new Set(targets.map(({ refId }) => refId)).size).toBe(targets.length);
      expect(fieldConfig?.defaults.unit ?? options?.yAxis?.unit).toMatch(/./);
      expect(description).toMatch(/^\S.{20,}\.$/s);
    },
  );

  test("variables: the data source, the site, the receivers; and no others are asked for", () => {
    const { list } = dashboard.templating;
    expect(list.map(({ name, type }) => `${name} ${type}`)).toEqual([
      ...["datasource datasource", "job query", "instance query"],
    ]);
    for (const { type, datasource: own } of list) if (type === "query") expect(own).toEqual(datasource);
    const used = new Set(expressions.flatMap(([, expr]) => expr.match(/\$\w+/g) ?? []));
    expect([...used].toSorted()).toEqual(["$__rate_interval", "$instance", "$job"]);
    for (const [name, expr] of expressions) expect(expr, name).toContain('job="$job"');
  });

  test("as much is asked of every receiver's numbers as they are of: what is of the site is never added up", () => {
    const ofSite =
      /tributary_(?:agents|sources|quarantine|segments_(?:un|oldest)|webhook_(?:up|lag|waiting|dead)|last_commit|reserve)/;
    for (const [name, expr] of [
      ...expressions,
      ...rules.map(({ alert, expr }): [string, string] => [alert, expr]),
    ])
      if (ofSite.test(expr) && !/tributary_free_bytes/.test(expr))
        expect(expr, name).toMatch(/\b(?:max|min)\b/);
  });
});

describe("the alert rules", () => {
  const tests = parse(read(TESTS)) as {
    tests: { name: string; promql_expr_test: { expr: string; exp_samples: { labels: string }[] }[] }[];
  };

  test.for(rules.map((rule): [string, Rule] => [rule.alert, rule]))(
    "%s says what happened, what to do, and where; and is tried both ways",
    ([alert, { for: waits, labels, annotations }]) => {
      expect(waits).toMatch(/^\d+[mh]$/);
      expect(["critical", "warning", "info"]).toContain(labels.severity);
      expect(annotations["summary"]?.length).toBeLessThan(120);
      expect(annotations["description"]).toMatch(/.{80,}[.?]$|.{80,}`[^`]+`\.?$/s);
      expect(annotations["console"]).toMatch(/^\{\{ \$externalLabels\.tributary_console \}\}\/[a-z]/);
      const samples = tests.tests
        .filter(({ name }) => name.startsWith(`${alert} `))
        .map(({ promql_expr_test: [tried] }) => tried);
      expect(samples.map((tried) => tried?.expr)).toEqual(
        Array.from({ length: 2 }, () => `ALERTS{alertname="${alert}", alertstate="firing"}`),
      );
      const [fires, silent] = samples.map((tried) => tried?.exp_samples ?? []);
      expect([fires?.length, silent?.length]).toEqual([1, 0]);
      // A label that the expression does not keep would be "<no value>" at three in the morning.
      for (const [, label] of Object.values(annotations)
        .join(" ")
        .matchAll(/\$labels\.(\w+)/g))
        expect(fires?.[0]?.labels).toContain(`${label}="`);
    },
  );
});

async function promtool(...args: string[]): Promise<{ readonly code: number; readonly text: string }> {
  return await new Promise((resolve) => {
    execFile(PROMTOOL, args, { timeout: 200_000 }, (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : 1, text: `${stdout}${stderr}` }),
    );
  });
}

describeWithPrograms("monitoring with Prometheus", [PROMETHEUS, PROMTOOL], () => {
  let dir: string;
  beforeAll(() => {
    dir = mkdtempSync(join(tmpdir(), "tributary-monitoring-"));
    for (const name of [RULES, TESTS, EXAMPLE]) copyFileSync(join(FOLDER, name), join(dir, name));
  });
  afterAll(() => rmSync(dir, { recursive: true, force: true }));

  /** The tests of rules, run over others. */
  const tried = async (name: string, change: (rule: Rule) => Rule) => {
    const other = join(dir, name);
    mkdirSync(other);
    const groups = ruleFile.groups.map((group) => ({ ...group, rules: group.rules.map(change) }));
    writeFileSync(join(other, RULES), stringify({ groups }));
    copyFileSync(join(FOLDER, TESTS), join(other, TESTS));
    return await promtool("test", "rules", join(other, TESTS));
  };

  test("the rules are rules, and do what their tests say", { timeout: 240_000 }, async () => {
    expect(await promtool("check", "rules", join(FOLDER, RULES))).toMatchObject({ code: 0 });
    expect(await promtool("test", "rules", join(FOLDER, TESTS))).toMatchObject({ code: 0 });
  });

  test("the tests have teeth: each notices a rule that never fires, and one that always does", {
    timeout: 240_000,
  }, async () => {
    const never = await tried("never", (rule) => ({ ...rule, expr: "vector(1) > 2" }));
    const always = await tried("always", (rule) => ({
      ...rule,
      expr: "vector(1)",
      for: "0m",
      annotations: {},
    }));
    expect([never.code, always.code]).toEqual([1, 1]);
    for (const { alert } of rules) {
      const told = (text: string): number => text.split(`ALERTS{alertname=\\"${alert}\\"`).length - 1;
      expect([alert, told(never.text), told(always.text)]).toEqual([alert, 1, 2]);
    }
  });

  test("the example is a configuration", async () => {
    writeFileSync(join(dir, "tributary-ca.pem"), "");
    const checked = await promtool("check", "config", join(dir, EXAMPLE));
    expect(checked.code, checked.text).toBe(0);
  });

  describe("a receiver that is scraped", () => {
    let site: Site;
    let running: Running[];
    let prometheus: Prometheus;
    let known: ReadonlySet<string>;

    beforeAll(async () => {
      site = await makeSite();
      await site.command("client", "add", "demo");
      const key = await site.command("key", "add", "--client", "demo");
      running = [await site.serve()];
      const folder = join(site.dir, "files");
      mkdirSync(folder);
      writeFileSync(join(folder, "a.csv"), "a");
      const agent = await site.agent("one", {
        clients: ["demo"],
        settings: { sources: [{ name: "files", path: folder, settle: "1s" }] },
      });
      running.push(await agent.run());
      await until("delivered", async () => (await site.history("--client", "demo")).length === 1);
      const api = caller(site, key);
      expect((await api.put("Not-A-Source", "x", Buffer.from("x"))).status).toBe(422);
      const { body } = await api.call("GET", "/metrics");
      known = namesIn(String(body));

      const config = parse(read(EXAMPLE)) as {
        global: Record<string, unknown>;
        rule_files: string[];
        scrape_configs: [{ tls_config: unknown; static_configs: unknown }];
      };
      Object.assign(config.global, { scrape_interval: "1s", evaluation_interval: "1s" });
      Object.assign(config.scrape_configs[0], {
        tls_config: { ca_file: site.ca },
        static_configs: [{ targets: [`127.0.0.1:${site.port}`] }],
      });
      config.rule_files.push("told.yml");
      writeFileSync(join(dir, "told.yml"), stringify({ groups: [{ name: "told", rules: rules.map(told) }] }));
      writeFileSync(join(dir, "prometheus.yml"), stringify(config));
      prometheus = await startPrometheus(join(dir, "prometheus.yml"));
      await until("scraped", async () => (await query("up == 1")).length === 1);
      // Something comes, and is refused, while it looks.
      expect((await api.put("Not-A-Source", "x", Buffer.from("x"))).status).toBe(422);
      await api.close();
      for (let i = 0; i < 5; i += 1) {
        writeFileSync(join(folder, `${i}.csv`), `${i}`);
        await until("delivered", async () => (await site.history("--client", "demo")).length === i + 2);
      }
    });
    afterAll(async () => {
      await prometheus?.stop();
      for (const one of (running ?? []).toReversed()) await one.stop();
      site?.remove();
    });

    const query = async (expr: string): Promise<readonly unknown[]> =>
      ((await prometheus.ask("/api/v1/query", { query: expr })) as { result: unknown[] }).result;

    test("every name of a metric in panels and rules is one of the receiver's", () => {
      const all = [...expressions, ...rules.map(({ alert, expr }): [string, string] => [alert, expr])];
      const strange = all.flatMap(([name, expr]) =>
        metricsIn(expr).flatMap((metric) => (known.has(metric) ? [] : [`${name}: ${metric}`])),
      );
      expect(strange).toEqual([]);
      expect(all.filter(([, expr]) => metricsIn(expr).length === 0).map(([name]) => name)).toEqual([
        "TributaryReceiverDown",
      ]);
    });

    test("and what the receiver tells of its own is all of it looked at somewhere", () => {
      const used = new Set(
        [...expressions, ...rules.map(({ expr }) => ["", expr])].flatMap(([, e]) => metricsIn(String(e))),
      );
      const base = (name: string): string => name.replace(/_(?:bucket|sum|count)$/, "");
      const bases = new Set([...used].map(base));
      const unseen = [...known].filter((name) => name.startsWith("tributary_") && !bases.has(base(name)));
      expect([...new Set(unseen.map(base))].toSorted()).toEqual([
        ...["tributary_quarantine_bytes", "tributary_quarantined_total"],
        ...["tributary_sftp_connections_total", "tributary_webhook_seconds"],
      ]);
    });

    test.for(expressions)("the panel %s is answered, with what there is", async ([, expr]) => {
      const mayBeEmpty = /webhook|inspection|limited|swept|sftp|_gc_|segment_seconds/.test(expr);
      const answer = async (): Promise<number> => (await query(filledIn(expr))).length;
      if (mayBeEmpty) expect(await answer()).toBeGreaterThanOrEqual(0);
      else await until(expr, async () => (await answer()) > 0);
    });

    test("variables of the dashboard find the site and its receiver", async () => {
      const values = async (label: string): Promise<unknown> =>
        await prometheus.ask(`/api/v1/label/${label}/values`, {
          "match[]": 'tributary_info{job="tributary"}',
        });
      expect(await values("job")).toEqual(["tributary"]);
      expect(await values("instance")).toEqual([`127.0.0.1:${site.port}`]);
    });

    test("every rule is evaluated without an error, and none is active where all is well", async () => {
      for (const { expr } of rules) await query(expr);
      const evaluated = await until("evaluated", async () => {
        const { groups } = (await prometheus.ask("/api/v1/rules", { type: "alert" })) as {
          groups: {
            name: string;
            rules: { name: string; health: string; lastError?: string; state: string }[];
          }[];
        };
        const own = groups.find(({ name }) => name === "tributary")?.rules ?? [];
        return own.every(({ health }) => health !== "unknown") && own.length > 0 && own;
      });
      expect(evaluated.filter(({ health, lastError }) => health !== "ok" || lastError)).toEqual([]);
      expect(evaluated.filter(({ state }) => state !== "inactive").map(({ name }) => name)).toEqual([]);
      expect(evaluated).toHaveLength(rules.length);
    });

    test("what an alert says is whole: every word of it, and its link", async () => {
      const firing = await until("told", async () => {
        const { alerts } = (await prometheus.ask("/api/v1/alerts")) as {
          alerts: { labels: Record<string, string>; annotations: Record<string, string> }[];
        };
        const found = alerts.filter(({ labels }) => labels["alertname"]?.startsWith("Told"));
        return found.length === rules.length && found;
      });
      for (const { annotations, labels } of firing) {
        expect(Object.values(annotations).join(" "), labels["alertname"]).not.toMatch(
          /\{\{|<no value>|<error|%!/,
        );
        expect(annotations["console"]).toMatch(/^https:\/\/console\.example\.com\/[a-z]+/);
      }
    });
  });
});

/** The same words, under another name, of an alert that is there. */
function told(rule: Rule): Rule {
  const labels = ["check", "of", "webhook", "code"].reduce(
    (expr, label) => `label_replace(${expr}, "${label}", "some-${label}", "", "")`,
    "4000 * tributary_info",
  );
  return { ...rule, alert: `Told${rule.alert}`, expr: labels, for: "0m" };
}

/** Every name under which Prometheus will know a series. */
function namesIn(text: string): ReadonlySet<string> {
  const types = [...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)];
  return new Set(
    types.flatMap(([, name = "", type]) => {
      if (type === "histogram") return ["_bucket", "_sum", "_count"].map((end) => name + end);
      return type === "summary" ? [name, `${name}_sum`, `${name}_count`] : [name];
    }),
  );
}
