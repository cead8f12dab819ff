/** The secrets that sources name, as commands beside the running agent need them: to leave them unsaid, and to say which are not there. */
import { type Finding, fail, ok, warn } from "../doctor/finding.ts";
import { nameOf, referencesIn } from "../secret/reference.ts";
import { openSecrets, type SecretsOptions } from "../secret/secrets.ts";

type Around = Omit<SecretsOptions, "warn">;
type Named = { readonly name: string };

/** What can be read from here is redacted from now on. What cannot, the environment of a service for one, the agent itself left unsaid. */
export async function learnSecrets(around: Around, sources: readonly Named[]): Promise<void> {
  const secrets = openSecrets({ ...around, warn: () => {} });
  for (const { reference } of sources.flatMap((source) => [...referencesIn(source)]))
    await secrets.read(reference).catch(() => undefined);
}

/** One for each reference of each source. */
export async function secretFindings(around: Around, sources: readonly Named[]): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const source of sources)
    for (const { at, reference } of referencesIn(source)) {
      const check = `secret ${source.name}`;
      const warnings: string[] = [];
      const secrets = openSecrets({ ...around, warn: (text) => warnings.push(text) });
      try {
        await secrets.read(reference);
        findings.push(
          ...(warnings.length === 0
            ? [ok(check, `${at}: ${nameOf(reference)} is there`)]
            : warnings.map((text) =>
                warn(check, `${at}: ${text}`, "if others may have read it, change it where it counts"),
              )),
        );
      } catch (error) {
        const said = error instanceof Error ? error.message : String(error);
        const todo =
          "env" in reference
            ? "the service has an environment of its own, and what is set there this check cannot see; set it here too to try it"
            : "the source begins by itself within a minute when it is there";
        findings.push(("env" in reference ? warn : fail)(check, `${at}: ${said}`, todo));
      }
    }
  return findings;
}
