import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { newSecret, signatureHeaders } from "./signature.ts";

test("the example of the specification", () => {
  const headers = signatureHeaders(
    "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    "msg_p5jXN8AQM9LWM0D4loKWxJek",
    '{"test": 2432232314}',
    1_614_265_330_999,
  );
  expect(headers["webhook-timestamp"]).toBe("1614265330");
  expect(headers["webhook-signature"]).toBe("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
});

test("what the page for receivers shows verifies ours, and nothing else", async () => {
  const page = readFileSync(new URL("../../docs/webhooks.md", import.meta.url), "utf8");
  const code = /```js\n(.*?)```/s.exec(page)?.[1] as string;
  const { verify } = (await import(`data:text/javascript,${encodeURIComponent(code)}`)) as {
    verify: (secret: string, headers: object, body: string) => unknown;
  };
  const [secret, other] = [newSecret(), newSecret()];
  const body = '{"a":"\u00e4"}';
  const signed = signatureHeaders(secret, "1", body, Date.now());
  expect(verify(secret, signed, body)).toEqual({ a: "\u00e4" });
  expect(() => verify(other, signed, body)).toThrow(/not signed/);
  expect(() => verify(secret, signed, `${body} `)).toThrow(/not signed/);
  expect(() => verify(secret, { ...signed, "webhook-id": "2" }, body)).toThrow(/not signed/);
  expect(() => verify(secret, signatureHeaders(secret, "1", body, Date.now() - 301_000), body)).toThrow(
    /too old/,
  );
});
