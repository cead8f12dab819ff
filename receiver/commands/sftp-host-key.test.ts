import { expect, test } from "vitest";
import { sftpPlace } from "./sftp-host-key.ts";

test.for([
  ["0.0.0.0", undefined, "HOST"],
  ["::", undefined, "HOST"],
  ["192.0.2.7", undefined, "192.0.2.7"],
  ["0.0.0.0", "https://in.example:8443", "in.example"],
] as const)("a door at %s of a receiver reached as %s is called %s", ([host, publicUrl, expected]) => {
  const place = sftpPlace({ listen: { sftp: { host, port: 2222 } }, publicUrl });
  expect(place).toEqual({ host: expected, port: 2222 });
});
