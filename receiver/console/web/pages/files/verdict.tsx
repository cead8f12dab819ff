/** What a receipt is, in words: as the receiver has it, and as the browser found it. */
import { Text } from "@mantine/core";
import type { ReactNode } from "react";
import type { CheckedReceipt } from "../../../../search/receipts.ts";
import { State } from "../../parts/state.tsx";
import { t } from "../../texts.ts";
import type { CheckedHere } from "./receipt.ts";

export function ReceiverSays({ checked }: { readonly checked: CheckedReceipt }) {
  const kind = checked.kind === "genuine" ? checked.stored : checked.kind;
  const severity = { same: "good", other: "attention", none: "attention", foreign: "attention" } as const;
  return (
    <Said by={t.files.ours}>
      <State severity={severity[kind as keyof typeof severity] ?? "trouble"}>{t.files.verdict[kind]}</State>
    </Said>
  );
}

export function BrowserSays({ checked }: { readonly checked: CheckedHere }) {
  return <Said by={t.files.here}>{browserSays(checked)}</Said>;
}

function browserSays(checked: CheckedHere): ReactNode {
  switch (checked.kind) {
    case "unable":
      return <State severity="normal">{t.files.unable}</State>;
    case "no-key":
      return <State severity="trouble">{t.files.noKey(checked.kid)}</State>;
    case "bad":
      return <State severity="trouble">{t.files.badSignature}</State>;
    case "good":
      return (
        <>
          <State severity={checked.differs.length === 0 ? "good" : "trouble"}>
            {t.files.signed(checked.kid)}{" "}
            {checked.differs.length === 0 ? t.files.agrees : t.files.differs(checked.differs.join(", "))}
          </State>
          <Text size="xs" c="dimmed" mt={4}>
            {t.files.proves}
          </Text>
        </>
      );
  }
}

function Said({ by, children }: { readonly by: string; readonly children: ReactNode }) {
  return (
    <div>
      <Text size="xs" c="dimmed">
        {by}
      </Text>
      <Text size="sm" component="div">
        {children}
      </Text>
    </div>
  );
}
