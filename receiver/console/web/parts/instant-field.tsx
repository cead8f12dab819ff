/** A date and a time in the viewer's zone, as the browser has it; what comes out is RFC 3339. */
import { TextInput } from "@mantine/core";
import { useEffect, useState } from "react";

const pad = (value: number, digits = 2): string => String(value).padStart(digits, "0");

/** As an input of `datetime-local` takes it. */
function localText(at: string): string {
  const date = new Date(at);
  if (at === "" || Number.isNaN(date.getTime())) return "";
  const day = `${pad(date.getFullYear(), 4)}-${pad(date.getMonth() + 1)}-${pad(date.getDate())}`;
  return `${day}T${pad(date.getHours())}:${pad(date.getMinutes())}:${pad(date.getSeconds())}`;
}

/** "": none. It is told when it is left, or with Enter: in between, half a date stands there. */
export function InstantField(props: {
  readonly label: string;
  readonly value: string;
  readonly onChange: (at: string) => void;
  readonly hideLabel?: boolean;
}) {
  const { label, value, onChange, hideLabel = false } = props;
  const [text, setText] = useState(localText(value));
  useEffect(() => setText(localText(value)), [value]);
  const tell = (): void => {
    if (text === localText(value)) return;
    const date = new Date(text);
    onChange(text === "" || Number.isNaN(date.getTime()) ? "" : date.toISOString());
  };
  return (
    <TextInput
      type="datetime-local"
      step={1}
      label={hideLabel ? undefined : label}
      aria-label={label}
      value={text}
      onChange={(event) => setText(event.currentTarget.value)}
      onBlur={tell}
      onKeyDown={(event) => event.key === "Enter" && tell()}
      w={{ base: "100%", xs: 220 }}
    />
  );
}
