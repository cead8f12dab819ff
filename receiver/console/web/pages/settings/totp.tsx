/** The authenticator app: set up in three steps, taken away, and its backup codes. */
import { Button, Group, Modal, PasswordInput, Stack, Text, TextInput } from "@mantine/core";
import { useState } from "react";
import { disableTotp, enableTotp, newBackupCodes, verifyTotp } from "../../auth.ts";
import { useAttempt } from "../../parts/attempt.ts";
import { CopyBlock } from "../../parts/copy.tsx";
import { Once, OnceModal } from "../../parts/once.tsx";
import { Section } from "../../parts/page.tsx";
import { Qr } from "../../parts/qr.tsx";
import { Refused } from "../../parts/refused-alert.tsx";
import { State } from "../../parts/state.tsx";
import { t } from "../../texts.ts";
import { accountChanged, type OwnAccount } from "./own.ts";

export function AuthenticatorApp({ account }: { readonly account: OwnAccount }) {
  return (
    <Section title={t.account.app}>
      <Text size="sm" c="dimmed">
        {t.account.appSays}
      </Text>
      {!account.password ? (
        <Text size="sm">{t.account.appNeedsPassword}</Text>
      ) : (
        <Group>
          <Text size="sm">
            <State severity={account.totp ? "good" : account.mustSetUp ? "attention" : "normal"}>
              {account.totp ? t.account.appOn : t.account.appOff}
            </State>
          </Text>
          <SetUp shown={!account.totp} />
          {account.totp && <OfApp />}
        </Group>
      )}
    </Section>
  );
}

type Step =
  | { readonly kind: "closed" | "password" }
  | { readonly kind: "scan" | "codes"; readonly uri: string; readonly codes: readonly string[] };

/** Stays when the app is on, until its codes were kept. */
function SetUp({ shown }: { readonly shown: boolean }) {
  const [step, setStep] = useState<Step>({ kind: "closed" });
  const close = (): void => setStep({ kind: "closed" });
  return (
    <>
      {shown && (
        <Button variant="default" onClick={() => setStep({ kind: "password" })}>
          {t.account.setUp}
        </Button>
      )}
      <Modal
        opened={step.kind !== "closed"}
        onClose={close}
        title={step.kind === "codes" ? t.account.codes : t.account.setUpTitle}
        closeOnClickOutside={false}
        closeOnEscape={step.kind !== "codes"}
        withCloseButton={step.kind !== "codes"}
        closeButtonProps={{ "aria-label": t.cancel }}
      >
        {step.kind === "password" && (
          <AskPassword
            label={t.account.goOn}
            onGiven={async (password) => {
              const { totpURI, backupCodes } = await enableTotp(password);
              setStep({ kind: "scan", uri: totpURI, codes: backupCodes });
            }}
          />
        )}
        {step.kind === "scan" && (
          <Scan
            uri={step.uri}
            onVerified={() => {
              setStep({ ...step, kind: "codes" });
              void accountChanged();
            }}
          />
        )}
        {step.kind === "codes" && (
          <Once
            text={step.codes.join("\n")}
            label={t.account.codes}
            says={t.account.codesSay}
            done={t.account.kept}
            onDone={close}
          />
        )}
      </Modal>
    </>
  );
}

function Scan({ uri, onVerified }: { readonly uri: string; readonly onVerified: () => void }) {
  const [code, setCode] = useState("");
  const { busy, error, run } = useAttempt();
  const secret = new URL(uri).searchParams.get("secret") ?? "";
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        void run(async () => {
          await verifyTotp(code.replaceAll(/\s/g, ""));
          onVerified();
        });
      }}
    >
      <Stack gap="sm">
        <Text size="sm">{t.account.scan}</Text>
        <Qr text={uri} label={t.account.qr} />
        <Text size="sm">{t.account.typed}</Text>
        <CopyBlock text={secret.replaceAll(/(.{4})(?=.)/g, "$1 ")} label={t.account.typed} />
        <TextInput
          label={t.account.code}
          value={code}
          onChange={(event) => setCode(event.currentTarget.value)}
          inputMode="numeric"
          autoComplete="one-time-code"
          required
          data-autofocus
        />
        <Refused words={error} />
        <Group justify="flex-end">
          <Button type="submit" loading={busy}>
            {t.account.verify}
          </Button>
        </Group>
      </Stack>
    </form>
  );
}

/** When it is on: codes anew, or away with it. */
function OfApp() {
  const [asked, setAsked] = useState<"codes" | "away">();
  const [codes, setCodes] = useState<readonly string[]>();
  const close = (): void => setAsked(undefined);
  return (
    <>
      <Button variant="default" onClick={() => setAsked("codes")}>
        {t.account.newCodes}
      </Button>
      <Button variant="default" onClick={() => setAsked("away")}>
        {t.account.takeAway}
      </Button>
      <Modal
        opened={asked !== undefined}
        onClose={close}
        title={asked === "away" ? t.account.takeAway : t.account.newCodes}
        closeButtonProps={{ "aria-label": t.cancel }}
      >
        <AskPassword
          says={asked === "away" ? t.account.takeAwaySays : t.account.newCodesSay}
          label={asked === "away" ? t.account.takeAway : t.account.newCodes}
          danger={asked === "away"}
          onGiven={async (password) => {
            if (asked === "away") await disableTotp(password);
            else setCodes((await newBackupCodes(password)).backupCodes);
            close();
            await accountChanged();
          }}
        />
      </Modal>
      <OnceModal
        text={codes?.join("\n")}
        label={t.account.codes}
        says={t.account.codesSay}
        done={t.account.kept}
        onDone={() => setCodes(undefined)}
      />
    </>
  );
}

function AskPassword({
  says,
  label,
  danger = false,
  onGiven,
}: {
  readonly says?: string;
  readonly label: string;
  readonly danger?: boolean;
  readonly onGiven: (password: string) => Promise<void>;
}) {
  const [password, setPassword] = useState("");
  const { busy, error, run } = useAttempt();
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        void run(() => onGiven(password));
      }}
    >
      <Stack gap="sm">
        {says !== undefined && <Text size="sm">{says}</Text>}
        <PasswordInput
          label={t.account.yourPassword}
          value={password}
          onChange={(event) => setPassword(event.currentTarget.value)}
          autoComplete="current-password"
          required
          data-autofocus
        />
        <Refused words={error} />
        <Group justify="flex-end">
          <Button type="submit" color={danger ? "red" : undefined} loading={busy}>
            {label}
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
