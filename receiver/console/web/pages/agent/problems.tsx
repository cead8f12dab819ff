/** What the agent reports as not right, and what to do next, by its code. */
import { Text } from "@mantine/core";
import { nextOfCode } from "../../attention-words.ts";
import { Plain } from "../../parts/plain.tsx";
import { Time } from "../../parts/time.tsx";
import { t } from "../../texts.ts";
import type { Agent } from "./facts-of.ts";

const MOST = 25;

export function Problems({ agent }: { readonly agent: Agent }) {
  const problems = agent.status?.problems ?? [];
  if (problems.length === 0)
    return (
      <Text size="sm" c="dimmed">
        {t.agent.noProblems}
      </Text>
    );
  return (
    <>
      <ul className="rows" aria-label={t.agent.problems}>
        {problems.slice(0, MOST).map(({ source, path, code, detail, since }) => (
          <li key={`${source} ${path} ${code} ${since}`}>
            <span aria-hidden style={{ color: "var(--attention)" }}>
              ◐
            </span>
            <div>
              <Text size="sm" fw={600}>
                {source}
              </Text>
              <Text size="xs" c="dimmed" className="mono">
                {code}
              </Text>
            </div>
            <div>
              <Text size="sm">
                {path !== "" && (
                  <span className="mono">
                    <Plain text={path} />
                    {": "}
                  </span>
                )}
                <Plain text={detail} />
              </Text>
              <Text size="xs" c="dimmed">
                {nextOfCode(code)}
              </Text>
            </div>
            <Text size="xs" c="dimmed">
              <Time at={since} />
            </Text>
          </li>
        ))}
      </ul>
      {problems.length > MOST && (
        <Text size="xs" c="dimmed">
          {t.agent.more(String(problems.length - MOST))}
        </Text>
      )}
    </>
  );
}
