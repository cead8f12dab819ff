/** What an act was done to, with the way to its page. */
import { Anchor, Text } from "@mantine/core";
import { Link } from "wouter";
import type { AuditLine } from "../../../audit/audit.ts";
import { t } from "../texts.ts";
import { Short } from "./copy.tsx";

export function Subject({ line: { subject, client } }: { readonly line: AuditLine }) {
  const href = hrefOf(subject, client);
  const word = t.changes.subjects[subject.kind] ?? subject.kind;
  const name = WORDS.has(subject.kind) ? subject.id : subject.id.slice(0, SHORT);
  return (
    <>
      {word !== "" && `${word} `}
      {href === undefined ? (
        subject.kind !== "site" && <Short text={subject.id} length={24} />
      ) : (
        <Anchor component={Link} href={href} size="sm" title={subject.id}>
          {name}
        </Anchor>
      )}
      {client !== null && subject.kind !== "client" && (
        <Text size="xs" c="dimmed">
          <Anchor component={Link} href={`/clients/${client}`} inherit>
            {client}
          </Anchor>
        </Text>
      )}
    </>
  );
}

/** Kinds whose id is a name. */
const WORDS = new Set(["client", "person", "sftp"]);
const SHORT = 8;

function hrefOf({ kind, id }: AuditLine["subject"], client: string | null): string | undefined {
  switch (kind) {
    case "client":
      return `/clients/${id}`;
    case "agent":
      return `/agents/${id}`;
    case "person":
      return `/settings/people?person=${encodeURIComponent(id)}`;
    case "webhook":
      return `/webhooks?webhook=${id}`;
    case "quarantined":
      return "/quarantine?show=all";
    case "version":
      return `/search?q=${id}`;
    case "site":
      return "/settings/site";
    default:
      return client === null
        ? undefined
        : `/clients/${client}/${kind === "invitation" ? "agents" : "access"}`;
  }
}
