/** One line of the log: what it says first, what else it holds when it is opened. */
import { Anchor, Text } from "@mantine/core";
import { Link } from "wouter";
import type { Level, RememberedLine } from "../../../../lines/memory.ts";
import { Short } from "../../parts/copy.tsx";
import { Plain } from "../../parts/plain.tsx";
import { type Severity, State } from "../../parts/state.tsx";
import { Time } from "../../parts/time.tsx";
import { t } from "../../texts.ts";

const SEVERITY: Readonly<Record<Level, Severity>> = {
  info: "normal",
  warn: "attention",
  error: "trouble",
  fatal: "trouble",
};

/** `linked`: its request's id leads to all lines of it. */
export function Line({ line, linked }: { readonly line: RememberedLine; readonly linked: boolean }) {
  const { at, level, message, requestId, fields } = line;
  return (
    <li>
      <details>
        <summary>
          <span className="log-time">
            <Time at={at} />
          </span>
          <span className="log-level">
            <State severity={SEVERITY[level]}>{t.log.levels[level]}</State>
          </span>
          <span className="log-message">
            <Plain text={message || shortOf(fields)} />
          </span>
        </summary>
        <div className="log-fields">
          <Text size="xs" c="dimmed">
            {at}
            {requestId !== null && (
              <>
                {" · "}
                {t.log.requestId} <Short text={requestId} length={36} />{" "}
                {linked && (
                  <Anchor component={Link} href={`/log?requestId=${encodeURIComponent(requestId)}`} inherit>
                    {t.logOf}
                  </Anchor>
                )}
              </>
            )}
          </Text>
          <dl aria-label={t.log.fields}>
            {Object.entries(fields).map(([name, value]) => (
              <div key={name}>
                <dt>{name}</dt>
                <dd className="mono">{textOf(value)}</dd>
              </div>
            ))}
          </dl>
        </div>
      </details>
    </li>
  );
}

const textOf = (value: unknown): string =>
  typeof value === "string" ? value : JSON.stringify(value, null, 2);

/** Of a line without words. */
const shortOf = (fields: RememberedLine["fields"]): string => JSON.stringify(fields).slice(0, 200);
