import { expect, test } from "vitest";
import { named } from "./database.ts";

const failed = (message: string, code?: string): Error => Object.assign(new Error(message), { code });

test.for([
  // `query_timeout` of pg, which has no code.
  failed("Query read timeout"),
  failed("canceling statement due to statement timeout", "57014"),
  failed("terminating connection due to administrator command", "57P01"),
  failed("connect ECONNREFUSED 127.0.0.1:5432", "ECONNREFUSED"),
  failed("Connection terminated unexpectedly"),
  failed("database is locked", "SQLITE_BUSY"),
  new AggregateError([failed("connect ETIMEDOUT", "ETIMEDOUT")]),
])("%s is told as the ledger that does not answer, so that senders come again", async (error) => {
  await expect(named(() => Promise.reject(error))).rejects.toMatchObject({
    code: "ledger-unavailable",
    cause: error,
  });
});

test.for([
  failed("syntax error at or near", "42601"),
  failed("UNIQUE constraint failed", "SQLITE_CONSTRAINT_UNIQUE"),
  new TypeError("x is not a function"),
])("%s is a fault of ours, and stays what it is", async (error) => {
  await expect(named(() => Promise.reject(error))).rejects.toBe(error);
});
