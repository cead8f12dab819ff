/** The tables as Kysely sees them: the same in both dialects. Times in ms since 1970, `*_at` of senders as RFC 3339 text. */
import type { Kysely } from "kysely";

export interface Tables {
  site: {
    id: 1;
    epoch: string;
    last_seq: number;
    last_commit_at: number;
    lake: string | null;
    known_since: number;
  };
  site_keys: { kind: string; fingerprint: string };
  clients: {
    name: string;
    created_at: number;
    suspended_at: number | null;
    quota_stored: number | null;
    quota_day: number | null;
    quota_file: number | null;
    limit_requests: string | null;
    limit_uploads: number | null;
  };
  bearers: {
    bearer: string;
    limit_requests: string | null;
    limit_uploads: number | null;
    quota_day: number | null;
    quota_file: number | null;
    day: string;
    day_bytes: number;
  };
  usage: { client: string; stored_bytes: number; day: string; day_bytes: number };
  entries: {
    seq: number;
    version_id: string;
    kind: "version" | "removal";
    client: string;
    source: string;
    path_encoded: string;
    path_hash: string;
    size: number | null;
    sha256: string | null;
    capture_id: string;
    modified_at: string | null;
    sealed_at: string | null;
    received_at: number;
    channel: string;
    bearer: string;
    lake_key: string | null;
    receipt: string;
    segment_id: string;
  };
  heads: {
    client: string;
    source: string;
    path_hash: string;
    seq: number;
    kind: "version" | "removal";
    version_id: string;
    size: number | null;
    sha256: string | null;
    bearer: string;
  };
  unchanged_captures: {
    client: string;
    capture_id: string;
    source: string;
    path_hash: string;
    kind: "version" | "removal";
    sha256: string | null;
    committed_at: number;
    receipt: string;
  };
  segments: { id: string; date: string; committed_at: number; written_at: number | null };
  uploads: {
    id: string;
    client: string;
    source: string;
    path_encoded: string;
    capture_id: string;
    version_id: string;
    lake_key: string;
    handle: string;
    size: number;
    part_size: number;
    sha256: string;
    modified_at: string | null;
    sealed_at: string | null;
    channel: string;
    bearer: string;
    state: "open" | "completing" | "done" | "aborted";
    lease: string | null;
    created_at: number;
    touched_at: number;
  };
  upload_parts: { upload_id: string; number: number; size: number; sha256: string; tag: string };
  quarantined: {
    id: string;
    client: string;
    source: string;
    path_encoded: string;
    path_hash: string;
    capture_id: string;
    size: number;
    sha256: string;
    modified_at: string | null;
    sealed_at: string | null;
    channel: string;
    bearer: string;
    lake_key: string;
    finding: string;
    arrived_at: number;
    arrived_seq: number;
    state: "held" | "released";
    released_at: number | null;
    released_by: string | null;
    reason: string | null;
  };
  agents: {
    id: string;
    name: string;
    public_key: string;
    state: "active" | "revoked" | "forked";
    created_at: number;
    host: string;
    platform: string;
    version: string;
    nonce: string | null;
    nonce_previous: string | null;
    last_seen_at: number | null;
    status: string | null;
  };
  agent_clients: { agent_id: string; client: string };
  invitations: {
    secret_hash: string;
    name: string | null;
    clients: string;
    replaces: string | null;
    created_at: number;
    expires_at: number;
    used_key: string | null;
    used_agent: string | null;
  };
  api_keys: {
    id: string;
    client: string;
    name: string | null;
    secret_hash: string;
    source: string | null;
    scopes: string;
    created_at: number;
    revoked_at: number | null;
  };
  webhooks: {
    id: string;
    url: string;
    name: string | null;
    client: string | null;
    source: string | null;
    secret: string;
    created_at: number;
    revoked_at: number | null;
    gone_at: number | null;
    epoch: string;
    begins_after: number;
    cursor_seq: number;
    generation: number;
    failures: number;
    failing_since: number | null;
    paused_until: number;
    last_success_at: number | null;
    last_failure_at: number | null;
    last_failure: string | null;
    lease: string | null;
    leased_until: number;
  };
  webhook_events: {
    webhook: string;
    version_id: string;
    seq: number;
    tries: number;
    tried_at: number;
    due_at: number | null;
    failure: string;
  };
}

export type Database = Kysely<Tables>;
