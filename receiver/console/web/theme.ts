/** One type scale, an 8-pixel grid, two colours with a meaning (trouble, attention) and one of the house. */
import { createTheme, type MantineColorsTuple } from "@mantine/core";
import { t } from "./texts.ts";

const river: MantineColorsTuple = [
  "#eaf6f8",
  "#d5eaee",
  "#a9d4dc",
  "#79bdca",
  "#52aabb",
  "#3a9eb2",
  "#2a8ea2",
  "#1b7488",
  "#0f5f73",
  "#0a4c5d",
];

export const theme = createTheme({
  primaryColor: "river",
  primaryShade: { light: 8, dark: 7 },
  colors: { river },
  fontFamily: 'system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "DejaVu Sans", sans-serif',
  fontFamilyMonospace: 'ui-monospace, "Cascadia Mono", "Segoe UI Mono", "DejaVu Sans Mono", monospace',
  fontSizes: { xs: "12px", sm: "13px", md: "14px", lg: "16px", xl: "20px" },
  headings: {
    fontWeight: "600",
    sizes: {
      h1: { fontSize: "22px", lineHeight: "1.3" },
      h2: { fontSize: "16px", lineHeight: "1.4" },
      h3: { fontSize: "14px", lineHeight: "1.4" },
    },
  },
  defaultRadius: "sm",
  cursorType: "pointer",
  respectReducedMotion: true,
  components: {
    Button: { defaultProps: { size: "sm" } },
    TextInput: { defaultProps: { size: "sm" } },
    Tooltip: { defaultProps: { withArrow: true, openDelay: 300, multiline: true } },
    Modal: { defaultProps: { centered: true, closeButtonProps: { "aria-label": t.close } } },
    Drawer: { defaultProps: { closeButtonProps: { "aria-label": t.close } } },
  },
});
