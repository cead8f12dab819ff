/**
 * `consoles-open.ts PORT COUNT` with the cookie of a session in TRIBUTARY_COOKIE: as many open consoles at their overview,
 * as far as the receiver sees them: each follows the stream of what happens and asks anew for what it shows, at most
 * every two seconds. What a browser does with the answers is its own host's work. Says "open" once all are, on stdout.
 */
import { consoleVisitor } from "./console-visitor.ts";

const [port = 0, count = 0] = process.argv.slice(2).map(Number);
const cookie = process.env["TRIBUTARY_COOKIE"] ?? "";
/** Of web/live.ts. */
const EVERY_MS = 2000;
const SHOWN = ["/api/overview", "/api/punctuality?limit=50"];

let open = 0;
for (let i = 0; i < count; i += 1) {
  const visitor = consoleVisitor(port, cookie);
  let due = false;
  const look = async (): Promise<void> => {
    due = false;
    const answers = await Promise.all(SHOWN.map((path) => visitor.ask("GET", path)));
    const wrong = answers.find(({ status }) => status !== 200);
    if (wrong !== undefined) throw new Error(`a page was answered ${wrong.status}: ${wrong.body}`);
  };
  void visitor.follow((event) => {
    if (event === "ready") {
      open += 1;
      if (open === count) process.stdout.write("open\n");
    }
    if (due) return;
    due = true;
    setTimeout(() => void look(), EVERY_MS);
  });
}
