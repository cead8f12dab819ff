/** How agent.yaml names a secret without holding it. */
import { z } from "zod";

/** What a secret may be called: it stands in files, commands and messages. */
export const secretName = z
  .string()
  .regex(
    /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/,
    "expected a name of at most 63 letters, digits, dots, dashes and underscores",
  );

export type SecretReference =
  | { readonly secret: string }
  | { readonly env: string }
  | { readonly file: string };

const EXPECTED = "expected one of { secret: NAME }, { env: NAME } and { file: PATH }, and nothing beside it";
const PLAIN =
  "a secret never stands in this file itself: put it away with `tributary-agent secret set NAME`, and write { secret: NAME } here (or { env: NAME }, { file: PATH })";

/** Of sources of every kind. No message repeats what stands there: it may be the secret itself, as a value or as a key. */
export const secretReference = z
  .strictObject(
    {
      secret: secretName
        .optional()
        .describe("The name of a secret that `tributary-agent secret set` has put away."),
      env: z
        .string()
        .regex(/^[A-Za-z_][A-Za-z0-9_]*$/, "expected the name of an environment variable")
        .optional()
        .describe("The environment variable of the agent that holds it."),
      file: z
        .string()
        .regex(/^[^\0]+$/, "expected the path of a file")
        .optional()
        .describe("The file that holds it; a relative one begins at the folder of agent.yaml."),
    },
    {
      error: ({ code, input }) => {
        if (code !== "invalid_type") return EXPECTED;
        return input === undefined ? undefined : input === null ? EXPECTED : PLAIN;
      },
    },
  )
  .refine((one) => Object.keys(one).length === 1, EXPECTED)
  .transform((one) => one as SecretReference);

/** The reference in the words of agent.yaml, for messages. */
export function nameOf(reference: SecretReference): string {
  if ("secret" in reference) return `the secret ${reference.secret}`;
  if ("env" in reference) return `the environment variable ${reference.env}`;
  return `the file ${reference.file}`;
}

/** Every reference in the settings of a source, whatever its kind, with the keys that lead to it. */
export function* referencesIn(
  settings: unknown,
  at: readonly string[] = [],
): Generator<{ readonly at: string; readonly reference: SecretReference }> {
  if (typeof settings !== "object" || settings === null) return;
  const parsed = secretReference.safeParse(settings);
  if (parsed.success) yield { at: at.join("."), reference: parsed.data };
  else for (const [key, value] of Object.entries(settings)) yield* referencesIn(value, [...at, key]);
}
