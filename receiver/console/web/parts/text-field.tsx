/** A text of a filter: it is told with Enter, or when it is left, so that nothing is asked for half of it. */
import { TextInput } from "@mantine/core";
import { useEffect, useState } from "react";

export function TextField(props: {
  readonly label: string;
  readonly value: string;
  readonly onChange: (text: string) => void;
  /** What is wrong with it; undefined: nothing. */
  readonly fault?: (text: string) => string | undefined;
  readonly width?: number;
  readonly mono?: boolean;
}) {
  const [text, setText] = useState(props.value);
  const [error, setError] = useState<string>();
  useEffect(() => {
    setText(props.value);
    setError(undefined);
  }, [props.value]);
  const tell = (): void => {
    const told = text.trim();
    const wrong = told === "" ? undefined : props.fault?.(told);
    setError(wrong);
    if (wrong === undefined && told !== props.value) props.onChange(told);
  };
  return (
    <TextInput
      label={props.label}
      value={text}
      error={error}
      onChange={(event) => setText(event.currentTarget.value)}
      onBlur={tell}
      onKeyDown={(event) => event.key === "Enter" && tell()}
      w={{ base: "100%", xs: props.width ?? 160 }}
      classNames={props.mono ? { input: "mono" } : undefined}
      autoComplete="off"
      spellCheck={false}
    />
  );
}
