/** What stands beside a person's password, in words. */
import type { PersonRow } from "../../../answers.ts";
import { t } from "../../texts.ts";

export const factorsOf = (person: PersonRow): readonly string[] => [
  ...(person.totp ? [t.people.factorApp] : []),
  ...(person.passkeys > 0 ? [t.people.factorPasskeys(person.passkeys)] : []),
  ...(person.providers.length > 0 ? [t.people.factorProvider(person.providers.join(", "))] : []),
];
