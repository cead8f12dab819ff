import { readdir, readFile } from "node:fs/promises";

/** The processes below one, its children's children too. A server forks one for each connection, in groups of their own. */
export async function descendants(pid: number): Promise<number[]> {
  const parents = new Map<number, number>();
  for (const name of await readdir("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const stat = await readFile(`/proc/${name}/stat`, "utf8").catch(() => "");
    // `pid (name) state ppid …`, proc_pid_stat(5); a name may hold brackets and spaces.
    const parent = stat
      .slice(stat.lastIndexOf(")") + 2)
      .split(" ")
      .at(1);
    if (parent !== undefined) parents.set(Number(name), Number(parent));
  }
  const found: number[] = [];
  const below = (parent: number) => {
    for (const [child, its] of parents)
      if (its === parent) {
        found.push(child);
        below(child);
      }
  };
  below(pid);
  return found;
}
