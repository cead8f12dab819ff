/** The few signs that the pages need, drawn on a grid of 24. */
const icon = (path: string) =>
  function Icon({ size = 16 }: { readonly size?: number }) {
    return (
      <svg
        width={size}
        height={size}
        viewBox="0 0 24 24"
        fill="none"
        stroke="currentColor"
        strokeWidth="1.8"
        strokeLinecap="round"
        strokeLinejoin="round"
        aria-hidden="true"
      >
        <path d={path} />
      </svg>
    );
  };

export const IconCopy = icon("M9 9h10v10H9zM5 15H4V5a1 1 0 0 1 1-1h10v1");
export const IconCheck = icon("M5 12.5l4.5 4.5L19 7.5");
export const IconSearch = icon("M10.5 4a6.5 6.5 0 1 1 0 13 6.5 6.5 0 0 1 0-13M15.5 15.5L20 20");
export const IconOverview = icon("M4 13h6V4H4zM14 20h6v-9h-6zM4 20h6v-3H4zM14 4v3h6V4z");
export const IconClients = icon(
  "M4 20V7l6-3v16M10 20h10V10l-10-2M14 13h2M14 16h2M7 10v.01M7 13v.01M7 16v.01",
);
export const IconDeliveries = icon("M4 5h16M4 12h10M4 19h7M18 11v8M15 16l3 3 3-3");
export const IconAgents = icon("M5 4h14v9H5zM9 20h6M12 13v7M8 8h.01M11 8h5");
export const IconQuarantine = icon("M12 3l8 3v6c0 5-3.5 8-8 9-4.5-1-8-4-8-9V6zM12 9v4M12 16v.01");
export const IconAudit = icon("M7 4h10v16H7zM10 8h4M10 12h4M10 16h2");
export const IconSettings = icon(
  "M12 9a3 3 0 1 1 0 6 3 3 0 0 1 0-6M12 3v3M12 18v3M4.2 7.5l2.6 1.5M17.2 15l2.6 1.5M4.2 16.5L6.8 15M17.2 9l2.6-1.5",
);
export const IconWebhook = icon("M9 8a3 3 0 1 1 4 2.8L9.5 17M6 14a3 3 0 1 0 3 3h8M15 14.5a3 3 0 1 1 1.5 5.5");
export const IconPlus = icon("M12 5v14M5 12h14");
export const IconMoon = icon("M20 14a8 8 0 1 1-10-10 7 7 0 0 0 10 10z");
export const IconSun = icon(
  "M12 8a4 4 0 1 1 0 8 4 4 0 0 1 0-8M12 2v2M12 20v2M4 12H2M22 12h-2M5 5l1.5 1.5M17.5 17.5L19 19M5 19l1.5-1.5M17.5 6.5L19 5",
);
export const IconDown = icon("M6 9l6 6 6-6");
export const IconRight = icon("M9 6l6 6-6 6");
export const IconFolder = icon("M3 6h6l2 2h10v11H3z");
export const IconFile = icon("M6 3h8l4 4v14H6zM14 3v4h4");
export const IconDownload = icon("M12 4v11M7 11l5 5 5-5M4 20h16");
export const IconRefresh = icon("M20 11a8 8 0 1 0-2 6M20 5v6h-6");
