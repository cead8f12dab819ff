/** The stream of what happens: open pages hear of it and fetch anew what they show. */
import { useQueryClient } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { addressOf } from "./api.ts";
import { refresh, refreshAll } from "./queries.ts";
import { type Connection, followStream } from "./stream.ts";

/** Once in the shell. */
export function useLive(): Connection {
  const client = useQueryClient();
  const [connection, setConnection] = useState<Connection>("open");
  useEffect(
    () =>
      followStream({
        open: () => new EventSource(addressOf("live", {})),
        refresh: (names) => void refresh(client, names),
        refreshAll: () => void refreshAll(client),
        onConnection: setConnection,
        hidden: () => document.hidden,
      }),
    [client],
  );
  return connection;
}
