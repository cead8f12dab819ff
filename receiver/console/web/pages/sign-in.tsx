/** The way in: password and second step, passkey, or the company's own login. */
import { Button, Code, Divider, PasswordInput, Stack, Text, TextInput, UnstyledButton } from "@mantine/core";
import { useState } from "react";
import { useSearchParams } from "wouter";
import {
  canUsePasskeys,
  signIn,
  signInWith,
  signInWithPasskey,
  verifyBackupCode,
  verifyTotp,
} from "../auth.ts";
import { useAttempt } from "../parts/attempt.ts";
import { Entry } from "../parts/entry.tsx";
import { Loaded } from "../parts/page.tsx";
import { Refused } from "../parts/refused-alert.tsx";
import { useCall } from "../queries.ts";
import { type Returned, returned } from "../refused.ts";
import { t } from "../texts.ts";

export default function SignIn() {
  const way = useCall("sign-in", {});
  const [params] = useSearchParams();
  // Whoever followed a link to a new password gave it already.
  const [second, setSecond] = useState(params.has("second"));
  // Another site's address would be one that somebody else chose.
  const asked = params.get("to") ?? "/";
  const to = /^\/(?![/\\])/.test(asked) ? asked : "/";
  const enter = (): void => window.location.assign(to);
  return (
    <Entry title={second ? t.signIn.codeTitle : t.signIn.title} site={way.data?.site}>
      <Loaded query={way}>
        {({ providers, passkeys, anybody }) =>
          anybody ? (
            second ? (
              <SecondStep onDone={enter} onAgain={() => setSecond(false)} />
            ) : (
              <Stack>
                <FirstStep
                  before={returned(params)}
                  passkeys={passkeys}
                  onDone={(wantsCode) => (wantsCode ? setSecond(true) : enter())}
                />
                {providers.length > 0 && <Divider label={t.signIn.or} />}
                {providers.map(({ id, name }) => (
                  <WithProvider key={id} id={id} name={name} to={to} />
                ))}
              </Stack>
            )
          ) : (
            <>
              <Text size="sm">{t.signIn.noPeople}</Text>
              <Code block>{t.signIn.noPeopleCommand}</Code>
            </>
          )
        }
      </Loaded>
    </Entry>
  );
}

function WithProvider({ id, name, to }: Record<"id" | "name" | "to", string>) {
  const { busy, error, run } = useAttempt();
  return (
    <>
      <Refused words={error} />
      <Button variant="default" loading={busy} onClick={() => void run(() => signInWith(id, to))}>
        {t.signIn.with(name)}
      </Button>
    </>
  );
}

function FirstStep(props: {
  readonly before: Returned | undefined;
  readonly passkeys: boolean;
  readonly onDone: (wantsCode: boolean) => void;
}) {
  const [email, setEmail] = useState("");
  const [password, setPassword] = useState("");
  const { busy, error, run } = useAttempt(props.before?.words);
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        void run(async () => props.onDone(await signIn(email.trim(), password)));
      }}
    >
      <Stack>
        <TextInput
          label={t.signIn.email}
          type="email"
          value={email}
          onChange={(event) => setEmail(event.currentTarget.value)}
          autoComplete="username webauthn"
          required
          autoFocus
        />
        <PasswordInput
          label={t.signIn.password}
          value={password}
          onChange={(event) => setPassword(event.currentTarget.value)}
          autoComplete="current-password"
          required
        />
        <Refused
          words={error}
          said={
            error === props.before?.words && props.before?.said !== undefined
              ? t.providerSays(props.before.said)
              : undefined
          }
        />
        <Button type="submit" loading={busy}>
          {t.signIn.submit}
        </Button>
        {props.passkeys && canUsePasskeys() && (
          <Button
            variant="default"
            disabled={busy}
            onClick={() =>
              void run(async () => {
                await signInWithPasskey();
                props.onDone(false);
              })
            }
          >
            {t.signIn.passkey}
          </Button>
        )}
        <Text size="xs" c="dimmed">
          {t.signIn.forgotten}
        </Text>
      </Stack>
    </form>
  );
}

function SecondStep({ onDone, onAgain }: { readonly onDone: () => void; readonly onAgain: () => void }) {
  const [code, setCode] = useState("");
  const [backup, setBackup] = useState(false);
  const { busy, error, run } = useAttempt();
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        void run(async () => {
          await (backup ? verifyBackupCode(code.trim()) : verifyTotp(code.replaceAll(/\s/g, "")));
          onDone();
        });
      }}
    >
      <Stack>
        <TextInput
          key={String(backup)}
          label={backup ? t.signIn.backupCode : t.signIn.code}
          value={code}
          onChange={(event) => setCode(event.currentTarget.value)}
          inputMode={backup ? "text" : "numeric"}
          autoComplete="one-time-code"
          required
          autoFocus
        />
        <Refused words={error} />
        <Button type="submit" loading={busy}>
          {t.signIn.trust}
        </Button>
        <UnstyledButton
          fz="sm"
          c="dimmed"
          td="underline"
          onClick={() => {
            setCode("");
            setBackup(!backup);
          }}
        >
          {backup ? t.signIn.useApp : t.signIn.backup}
        </UnstyledButton>
        <UnstyledButton fz="sm" c="dimmed" td="underline" onClick={onAgain}>
          {t.beginAgain}
        </UnstyledButton>
      </Stack>
    </form>
  );
}
