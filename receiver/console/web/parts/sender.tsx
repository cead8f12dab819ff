/** Who brought something, or tried to: by name, with a link to where it is looked after. */
import { Anchor, Text } from "@mantine/core";
import { Link } from "wouter";
import { t } from "../texts.ts";
import { Short } from "./copy.tsx";

export function Sender(props: {
  readonly kind: string;
  readonly id: string;
  readonly name: string | null;
  readonly client: string;
}) {
  const { kind, id, name, client } = props;
  const word = t.quarantine.senders[kind as keyof typeof t.quarantine.senders] ?? kind;
  const href =
    kind === "agent"
      ? `/agents/${id}`
      : client === "" || word === ""
        ? undefined
        : `/clients/${client}/access`;
  return (
    <>
      {href === undefined ? (
        (name ?? <Short text={id} />)
      ) : (
        <Anchor component={Link} href={href} size="sm">
          {name ?? id.slice(0, 8)}
        </Anchor>
      )}
      {word !== "" && (
        <Text size="xs" c="dimmed">
          {word}
        </Text>
      )}
    </>
  );
}
