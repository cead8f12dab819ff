/** The way in: password and second step, passkey, or the company's own login. */
import {
  Alert,
  Button,
  Code,
  Divider,
  PasswordInput,
  Stack,
  Text,
  TextInput,
  UnstyledButton,
} from "@mantine/core";
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
import { Entry } from "../parts/entry.tsx";
import { Loaded } from "../parts/page.tsx";
import { useCall } from "../queries.ts";
import { t } from "../texts.ts";

export default function SignIn() {
  const way = useCall("sign-in", {});
  const [params] = useSearchParams();
  const [second, setSecond] = useState(false);
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
              <SecondStep onDone={enter} />
            ) : (
              <Stack>
                <FirstStep
                  refused={params.get("error")}
                  passkeys={passkeys}
                  onDone={(wantsCode) => (wantsCode ? setSecond(true) : enter())}
                />
                {providers.length > 0 && <Divider label={t.signIn.or} />}
                {providers.map(({ id, name }) => (
                  <Button key={id} variant="default" onClick={() => void signInWith(id, to)}>
                    {t.signIn.with(name)}
                  </Button>
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

function FirstStep(props: {
  readonly refused: string | null;
  readonly passkeys: boolean;
  readonly onDone: (wantsCode: boolean) => void;
}) {
  const [email, setEmail] = useState("");
  const [password, setPassword] = useState("");
  const { busy, error, run } = useAttempt(props.refused);
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
        {error && (
          <Alert color="red" variant="light" role="alert">
            {error}
          </Alert>
        )}
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

function SecondStep({ onDone }: { readonly onDone: () => void }) {
  const [code, setCode] = useState("");
  const [backup, setBackup] = useState(false);
  const { busy, error, run } = useAttempt(null);
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
        {error && (
          <Alert color="red" variant="light" role="alert">
            {error}
          </Alert>
        )}
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
      </Stack>
    </form>
  );
}

/** One try at a time, and what came of it in words. */
function useAttempt(before: string | null) {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState(before);
  const run = async (attempt: () => Promise<void>): Promise<void> => {
    setBusy(true);
    setError(null);
    try {
      await attempt();
    } catch (failure) {
      setError((failure as Error).message);
    } finally {
      setBusy(false);
    }
  };
  return { busy, error, run };
}
