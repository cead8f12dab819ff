import { expect, test } from "vitest";
import { strictTransport } from "./strict-transport.ts";

test.each(["lake.example.com", "lake.example.com:8444", "127.0.0.1:8444", "localhost.example.com"])(
  "%s is asked over TLS only from now on",
  (host) => expect(strictTransport(host)).toMatch(/^max-age=\d+$/),
);

test.each(["localhost", "localhost:8444", "LOCALHOST:1", "console.localhost:8444", undefined])(
  "%s is somebody's own machine, and nothing is said of it",
  (host) => expect(strictTransport(host)).toBeUndefined(),
);
