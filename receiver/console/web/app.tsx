/** Addresses and their pages. Each page is a text of its own that is loaded when it is first opened. */
import { MantineProvider } from "@mantine/core";
import { QueryClientProvider } from "@tanstack/react-query";
import { lazy, Suspense, useEffect, useState } from "react";
import { Redirect, Route, Switch } from "wouter";
import { Refusal } from "./api.ts";
import { Failure, Page } from "./parts/page.tsx";
import { queryClient, useCall } from "./queries.ts";
import { Shell } from "./shell.tsx";
import { t } from "./texts.ts";
import { theme } from "./theme.ts";
import { Viewer } from "./viewer.tsx";

const Overview = lazy(() => import("./pages/overview.tsx"));
const Clients = lazy(() => import("./pages/clients.tsx"));
const Client = lazy(() => import("./pages/client.tsx"));
const Agents = lazy(() => import("./pages/agents.tsx"));
const Agent = lazy(() => import("./pages/agent.tsx"));
const Deliveries = lazy(() => import("./pages/deliveries.tsx"));
const Search = lazy(() => import("./pages/search.tsx"));
const Quarantine = lazy(() => import("./pages/quarantine.tsx"));
const Webhooks = lazy(() => import("./pages/webhooks.tsx"));
const Log = lazy(() => import("./pages/log.tsx"));
const Settings = lazy(() => import("./pages/settings.tsx"));
const Audit = lazy(() => import("./pages/audit.tsx"));
const Confined = lazy(() => import("./pages/confined.tsx"));
const SignIn = lazy(() => import("./pages/sign-in.tsx"));
const Welcome = lazy(() => import("./pages/welcome.tsx"));

/** The theme's variables stand in one style element, which the pages' policy lets in by its nonce alone. */
const nonce = document.querySelector<HTMLMetaElement>('meta[name="style-nonce"]')?.content ?? "";
// Where a dialog stops the page behind it from scrolling, a library makes a style element, too, and asks for the nonce here.
(globalThis as { __webpack_nonce__?: string }).__webpack_nonce__ = nonce;

export function App() {
  return (
    <MantineProvider theme={theme} defaultColorScheme="auto" getStyleNonce={() => nonce}>
      <QueryClientProvider client={queryClient}>
        <Suspense fallback={null}>
          <Switch>
            <Route path="/welcome" component={Welcome} />
            <Route path="/sign-in" component={SignIn} />
            {/* Where the login's library sends whoever a provider did not let in. */}
            <Route path="/login">
              <Redirect to={`/sign-in${window.location.search}`} replace />
            </Route>
            <Route component={Inside} />
          </Switch>
        </Suspense>
      </QueryClientProvider>
    </MantineProvider>
  );
}

/** All that takes somebody who is signed in. */
function Inside() {
  const me = useCall("me", {});
  const [confined, setConfined] = useState(false);
  const must = me.data?.mustSetUp === true;
  // It ends by a click and not by itself: what is shown once stays to be read.
  useEffect(() => {
    if (must) setConfined(true);
  }, [must]);
  if (me.error instanceof Refusal && me.error.status === 401) {
    const here = window.location.pathname + window.location.search;
    return <Redirect to={here === "/" ? "/sign-in" : `/sign-in?to=${encodeURIComponent(here)}`} replace />;
  }
  if (me.data === undefined)
    return me.error === null ? null : <Failure error={me.error} onRetry={() => void me.refetch()} />;
  if (must || confined)
    return (
      <Viewer value={me.data}>
        <Suspense fallback={null}>
          <Confined onDone={() => setConfined(false)} />
        </Suspense>
      </Viewer>
    );
  return (
    <Viewer value={me.data}>
      <Shell>
        <Suspense fallback={null}>
          <Switch>
            <Route path="/" component={Overview} />
            <Route path="/clients" component={Clients} />
            <Route path="/clients/:client/:tab?">
              {({ client, tab }) => <Client client={client} tab={tab ?? "overview"} />}
            </Route>
            <Route path="/agents" component={Agents} />
            <Route path="/agents/:id">{({ id }) => <Agent id={id} />}</Route>
            <Route path="/deliveries" component={Deliveries} />
            <Route path="/search" component={Search} />
            <Route path="/quarantine" component={Quarantine} />
            <Route path="/webhooks" component={Webhooks} />
            <Route path="/log" component={Log} />
            <Route path="/settings/:tab?">{({ tab }) => <Settings tab={tab ?? "account"} />}</Route>
            <Route path="/audit" component={Audit} />
            <Route>
              <Page title={t.notFound}>{t.notFoundSays}</Page>
            </Route>
          </Switch>
        </Suspense>
      </Shell>
    </Viewer>
  );
}
