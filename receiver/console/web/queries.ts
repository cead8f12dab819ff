/** Calls as React reads them: kept, fetched anew when the receiver says that something changed. */
import {
  keepPreviousData,
  QueryClient,
  type UseMutationResult,
  type UseQueryResult,
  useMutation,
  useQuery,
  useQueryClient,
} from "@tanstack/react-query";
import type { Answers } from "../answers.ts";
import type { CallName } from "../calls.ts";
import type { Input } from "../inputs.ts";
import { ask } from "./api.ts";
import { mayRetry, retryDelay } from "./retry.ts";

export const queryClient = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 5000,
      refetchOnWindowFocus: true,
      retry: mayRetry,
      retryDelay,
      placeholderData: keepPreviousData,
    },
  },
});

/** What a call answers; `enabled: false` waits. */
export function useCall<K extends CallName>(
  name: K,
  input: Input<K>,
  options: {
    readonly enabled?: boolean;
    readonly refetchInterval?: number;
    readonly staleTime?: number;
    readonly gcTime?: number;
  } = {},
): UseQueryResult<Answers[K], Error> {
  return useQuery({
    queryKey: [name, input],
    queryFn: ({ signal }) => ask(name, input, signal),
    ...options,
  });
}

/** An act. When it is done, whatever is shown of the same nouns is fetched anew. */
export function useAct<K extends CallName>(
  name: K,
  more: readonly string[] = [],
): UseMutationResult<Answers[K], Error, Input<K>> {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (input: Input<K>) => ask(name, input),
    onSuccess: async () => {
      await refresh(client, [nounOf(name), "audit", ...more]);
    },
  });
}

/** Fetches anew what is shown of these nouns or calls: `clients` is `clients.list` and `clients.get`. */
export async function refresh(client: QueryClient, names: readonly string[]): Promise<void> {
  await client.invalidateQueries({
    predicate: ({ queryKey: [name] }) =>
      typeof name === "string" && (names.includes(nounOf(name)) || names.includes(name)),
  });
}

/**
 * Fetches anew whatever is shown, but for looks into files, each of which is written into the audit, and for what was found
 * and is being read.
 */
export async function refreshAll(client: QueryClient): Promise<void> {
  await client.invalidateQueries({
    predicate: ({ queryKey: [name], state }) => {
      const noun = typeof name === "string" ? nounOf(name) : "";
      return noun !== "preview" && !(noun === "search" && state.data !== undefined);
    },
  });
}

const nounOf = (name: string): string => name.split(".")[0] ?? name;
