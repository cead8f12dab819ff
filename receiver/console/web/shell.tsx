/** The frame of all pages: where one can go, the search box, and whether the page is connected. */
import {
  ActionIcon,
  Alert,
  AppShell,
  Burger,
  Group,
  Menu,
  NavLink,
  Text,
  TextInput,
  useComputedColorScheme,
  useMantineColorScheme,
} from "@mantine/core";
import { useDisclosure, useHotkeys } from "@mantine/hooks";
import { type ReactNode, useEffect, useRef, useState } from "react";
import { Link, useLocation, useSearch } from "wouter";
import { signOut } from "./auth.ts";
import { useLive } from "./live.ts";
import { Brand } from "./parts/brand.tsx";
import {
  IconAgents,
  IconAudit,
  IconClients,
  IconDeliveries,
  IconDown,
  IconMoon,
  IconOverview,
  IconQuarantine,
  IconSearch,
  IconSettings,
  IconSun,
  IconWebhook,
} from "./parts/icons.tsx";
import { queryClient } from "./queries.ts";
import { t } from "./texts.ts";
import { useViewer } from "./viewer.tsx";

/** `key`: after a g. */
const PLACES = [
  { href: "/", label: t.nav.overview, icon: IconOverview, key: "o" },
  { href: "/clients", label: t.nav.clients, icon: IconClients, key: "c" },
  { href: "/agents", label: t.nav.agents, icon: IconAgents, key: "a" },
  { href: "/deliveries", label: t.nav.deliveries, icon: IconDeliveries, key: "d" },
  { href: "/quarantine", label: t.nav.quarantine, icon: IconQuarantine, key: "q" },
  { href: "/webhooks", label: t.nav.webhooks, icon: IconWebhook, key: "w" },
  { href: "/audit", label: t.nav.audit, icon: IconAudit, key: "u" },
  { href: "/settings", label: t.nav.settings, icon: IconSettings, key: "s" },
] as const;

export function Shell({ children }: { readonly children: ReactNode }) {
  const [opened, { toggle, close }] = useDisclosure();
  const [path, go] = useLocation();
  const connection = useLive();
  const me = useViewer();
  useGoKeys(go);
  // biome-ignore lint/correctness/useExhaustiveDependencies: the menu closes when one has gone somewhere
  useEffect(close, [path]);
  return (
    <AppShell
      header={{ height: 56 }}
      navbar={{ width: 208, breakpoint: "sm", collapsed: { mobile: !opened } }}
      padding={{ base: "sm", sm: "lg" }}
    >
      <a href="#page" className="skip">
        {t.nav.skip}
      </a>
      <AppShell.Header>
        <Group h="100%" px={{ base: "sm", sm: "md" }} gap="sm" wrap="nowrap">
          <Burger opened={opened} onClick={toggle} hiddenFrom="sm" size="sm" aria-label={t.nav.menu} />
          <Group visibleFrom="sm" w={184} wrap="nowrap">
            <Link href="/" className="brand">
              <Brand site={me.site} />
            </Link>
          </Group>
          <SearchBox />
          <Account />
        </Group>
      </AppShell.Header>
      <AppShell.Navbar p="xs" aria-label={t.nav.label}>
        {PLACES.map(({ href, label, icon: Icon }) => (
          <NavLink
            key={href}
            component={Link}
            href={href}
            label={label}
            className="nav-link"
            leftSection={<Icon size={18} />}
            active={href === "/" ? path === "/" : path.startsWith(href)}
            aria-current={path === href ? "page" : undefined}
          />
        ))}
      </AppShell.Navbar>
      <AppShell.Main id="page">
        {connection === "lost" && (
          <Alert color="orange" variant="light" mb="md" role="status">
            {t.nav.lost}
          </Alert>
        )}
        {children}
      </AppShell.Main>
    </AppShell>
  );
}

/** `/` goes to it from everywhere. */
function SearchBox() {
  const [, go] = useLocation();
  const asked = new URLSearchParams(useSearch()).get("q") ?? "";
  const [text, setText] = useState(asked);
  useEffect(() => setText(asked), [asked]);
  const box = useRef<HTMLInputElement>(null);
  useHotkeys([["/", () => box.current?.focus()]]);
  return (
    <search style={{ flex: 1, maxWidth: 560 }}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (text.trim() !== "") go(`/search?q=${encodeURIComponent(text.trim())}`);
        }}
      >
        <TextInput
          ref={box}
          value={text}
          onChange={(event) => setText(event.currentTarget.value)}
          onKeyDown={(event) => event.key === "Escape" && box.current?.blur()}
          leftSection={<IconSearch />}
          placeholder={t.nav.searchHint}
          aria-label={t.nav.search}
          type="search"
        />
      </form>
    </search>
  );
}

function Account() {
  const me = useViewer();
  const [, go] = useLocation();
  const { setColorScheme } = useMantineColorScheme();
  const scheme = useComputedColorScheme("light");
  const leave = async (): Promise<void> => {
    await signOut();
    queryClient.clear();
    go("/sign-in");
  };
  return (
    <Group gap={4} wrap="nowrap" ml="auto">
      <ActionIcon
        variant="subtle"
        color="gray"
        size="lg"
        onClick={() => setColorScheme(scheme === "dark" ? "light" : "dark")}
        aria-label={scheme === "dark" ? t.nav.light : t.nav.dark}
      >
        {scheme === "dark" ? <IconSun size={18} /> : <IconMoon size={18} />}
      </ActionIcon>
      <Menu position="bottom-end" width={220}>
        <Menu.Target>
          <ActionIcon
            variant="subtle"
            color="gray"
            size="lg"
            w="auto"
            px={8}
            aria-label={t.nav.accountOf(me.name)}
          >
            <Text size="sm" visibleFrom="sm" mr={4} truncate maw={160}>
              {me.name}
            </Text>
            <IconDown />
          </ActionIcon>
        </Menu.Target>
        <Menu.Dropdown>
          <Menu.Label>
            {me.email}, {me.role}
          </Menu.Label>
          <Menu.Item component={Link} href="/settings/account">
            {t.nav.account}
          </Menu.Item>
          <Menu.Item onClick={() => void leave()}>{t.nav.signOut}</Menu.Item>
        </Menu.Dropdown>
      </Menu>
    </Group>
  );
}

/** `g c` goes to the clients, and so on. */
function useGoKeys(go: (to: string) => void): void {
  const waiting = useRef(0);
  useEffect(() => {
    const pressed = (event: KeyboardEvent): void => {
      const target = event.target as HTMLElement;
      if (
        event.ctrlKey ||
        event.metaKey ||
        event.altKey ||
        target.closest("input,textarea,select,[contenteditable]")
      )
        return;
      if (event.key === "g") {
        waiting.current = Date.now();
        return;
      }
      const place = PLACES.find(({ key }) => key === event.key);
      if (place !== undefined && Date.now() - waiting.current < 1500) go(place.href);
      waiting.current = 0;
    };
    document.addEventListener("keydown", pressed);
    return () => document.removeEventListener("keydown", pressed);
  }, [go]);
}
