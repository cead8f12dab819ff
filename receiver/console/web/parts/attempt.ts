/** One try at a time of what the login's own routes do, and what came of it in words. */
import { useState } from "react";
import { inWords } from "../refused.ts";

export function useAttempt(before?: string) {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<string | null>(before ?? null);
  /** True: it was done. */
  const run = async (attempt: () => Promise<void>): Promise<boolean> => {
    setBusy(true);
    setError(null);
    try {
      await attempt();
      return true;
    } catch (failure) {
      setError(inWords(failure as Error));
      return false;
    } finally {
      setBusy(false);
    }
  };
  return { busy, error, run };
}
