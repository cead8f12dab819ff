/** Where a one-time link leads: the first administrator, an invited person, or a new password. */
import { Button, PasswordInput, Stack, Text, TextInput } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import type { Answers } from "../../answers.ts";
import { ask, Refusal } from "../api.ts";
import { signIn } from "../auth.ts";
import { useAttempt } from "../parts/attempt.ts";
import { Entry } from "../parts/entry.tsx";
import { Loaded } from "../parts/page.tsx";
import { Refused } from "../parts/refused-alert.tsx";
import { inWords } from "../refused.ts";
import { t } from "../texts.ts";

/** Behind the #, so that it is in no log; read once, then out of the address. */
const secret = window.location.hash.slice(1);
if (secret !== "") window.history.replaceState(null, "", "/welcome");

export default function Welcome() {
  const look = useQuery({
    queryKey: ["welcome", secret],
    queryFn: () => ask("welcome.look", { secret }),
    enabled: secret !== "",
    retry: false,
    staleTime: Number.POSITIVE_INFINITY,
  });
  const title = look.data?.kind === "reset" ? t.welcome.reset : t.welcome.title;
  return (
    <Entry title={title} site={look.data?.site}>
      {secret === "" ? (
        <Text>{t.welcome.noLink}</Text>
      ) : look.error instanceof Refusal && look.error.status === 403 ? (
        <Refused words={inWords(look.error)} />
      ) : (
        <Loaded query={look}>{(link) => <Accept link={link} />}</Loaded>
      )}
    </Entry>
  );
}

function Accept({ link }: { readonly link: Answers["welcome.look"] }) {
  const [email, setEmail] = useState(link.email ?? "");
  const [name, setName] = useState(link.name ?? "");
  const [password, setPassword] = useState("");
  const [again, setAgain] = useState("");
  const { busy, error, run } = useAttempt();
  const differs = again !== "" && again !== password;
  const accept = async (): Promise<void> => {
    const given =
      link.kind === "reset"
        ? {}
        : { name: name.trim(), ...(link.email === null ? { email: email.trim() } : {}) };
    const made = await ask("welcome.accept", { secret, password, ...given });
    // The password is there now, whatever comes of signing in with it.
    const wantsCode = await signIn(made.email, password).catch(() => undefined);
    window.location.replace(wantsCode === undefined ? "/sign-in" : wantsCode ? "/sign-in?second" : "/");
  };
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        void run(accept);
      }}
    >
      <Stack>
        <Text size="sm">
          {link.kind === "first"
            ? t.welcome.first
            : link.kind === "reset"
              ? link.email
              : t.welcome.role(link.role, link.site)}
        </Text>
        {link.kind !== "reset" && (
          <>
            <TextInput
              label={t.welcome.name}
              value={name}
              onChange={(event) => setName(event.currentTarget.value)}
              autoComplete="name"
              required
              autoFocus
            />
            <TextInput
              label={t.welcome.email}
              type="email"
              value={email}
              onChange={(event) => setEmail(event.currentTarget.value)}
              autoComplete="username"
              readOnly={link.email !== null}
              required
            />
          </>
        )}
        <PasswordInput
          label={t.welcome.password}
          description={t.welcome.passwordHint}
          value={password}
          onChange={(event) => setPassword(event.currentTarget.value)}
          autoComplete="new-password"
          minLength={12}
          required
        />
        <PasswordInput
          label={t.welcome.repeat}
          value={again}
          onChange={(event) => setAgain(event.currentTarget.value)}
          autoComplete="new-password"
          error={differs ? t.welcome.differs : undefined}
          required
        />
        <Refused words={error} />
        <Button type="submit" loading={busy} disabled={password !== again}>
          {t.welcome.submit}
        </Button>
      </Stack>
    </form>
  );
}
