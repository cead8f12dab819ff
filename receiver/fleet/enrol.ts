/** What an agent is told when its code became it. */
import type { EnrollAnswer, EnrollRequest } from "@tributary/shared/protocol.ts";
import { redeem } from "../identity/invitations.ts";
import { type FleetSettings, HEARTBEAT_SECONDS } from "./heartbeat.ts";

export type Enrol = (request: EnrollRequest) => Promise<EnrollAnswer>;

/** Redeems a code. Throws what `redeem` throws. */
export function enrolOf(settings: FleetSettings): Enrol {
  const { db, keys, now = Date.now, heartbeatSeconds = HEARTBEAT_SECONDS } = settings;
  return async (request) => {
    const { agentId, name, clients, nonce } = await redeem(db, request, now());
    return {
      ...{ agentId, name, site: keys.site, clients: [...clients] },
      ...{ jwks: keys.jwks(), trust: keys.trust(), nonce, heartbeatSeconds },
    };
  };
}
