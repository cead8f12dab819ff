/** The packages by their names, as `npm run package` gives them: for which system, in which form, of which version. */

export type System = "linux" | "windows";

/** One form of the agent; what stands before and after the version in the file's name. */
export interface Form {
  readonly system: System;
  readonly kind: "deb" | "rpm" | "tar.gz" | "msi";
  readonly arch: "x64" | "arm64";
  readonly before: string;
  readonly after: string;
}

export const FORMS: readonly Form[] = [
  { system: "linux", kind: "deb", arch: "x64", before: "tributary-agent_", after: "_amd64.deb" },
  { system: "linux", kind: "deb", arch: "arm64", before: "tributary-agent_", after: "_arm64.deb" },
  { system: "linux", kind: "rpm", arch: "x64", before: "tributary-agent-", after: "-1.x86_64.rpm" },
  { system: "linux", kind: "rpm", arch: "arm64", before: "tributary-agent-", after: "-1.aarch64.rpm" },
  { system: "linux", kind: "tar.gz", arch: "x64", before: "tributary-agent-", after: "-linux-x64.tar.gz" },
  {
    system: "linux",
    kind: "tar.gz",
    arch: "arm64",
    before: "tributary-agent-",
    after: "-linux-arm64.tar.gz",
  },
  { system: "windows", kind: "msi", arch: "x64", before: "tributary-agent-", after: "-x64.msi" },
];

/** A package that lies in the folder. The name holds nothing that a shell could take for anything else. */
export interface PackageName {
  readonly name: string;
  readonly form: Form;
  /** Three numbers. */
  readonly version: string;
}

/** A package of which all is known that a script says of it. */
export interface Offer extends PackageName {
  readonly size: number;
  readonly sha256: string;
}

/** How people are told of a form whose package is not there. */
export const anyVersionOf = ({ before, after }: Form): string => `${before}VERSION${after}`;

/** Undefined: not one of our packages, so nothing that is handed out. */
export function packageNamed(name: string): PackageName | undefined {
  for (const form of FORMS) {
    if (!name.startsWith(form.before) || !name.endsWith(form.after)) continue;
    const version = name.slice(form.before.length, -form.after.length);
    if (/^\d{1,9}\.\d{1,9}\.\d{1,9}$/.test(version)) return { name, form, version };
  }
  return undefined;
}

/** The newest package of each form, in the order of the forms. */
export function newestOf(names: readonly PackageName[], system: System): PackageName[] {
  return FORMS.filter((form) => form.system === system).flatMap((form) =>
    names
      .filter((one) => one.form === form)
      .sort((a, b) => compareVersions(b.version, a.version))
      .slice(0, 1),
  );
}

/** By their numbers: 0.10.0 comes after 0.9.1. */
export function compareVersions(a: string, b: string): number {
  const [left, right] = [a.split(".").map(Number), b.split(".").map(Number)];
  return left.map((part, i) => part - (right[i] ?? 0)).find((difference) => difference !== 0) ?? 0;
}
