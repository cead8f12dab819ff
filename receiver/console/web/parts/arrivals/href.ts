/** From an hour of a chart to its deliveries: files alone, since removals are not counted there. */
const HOUR = 3_600_000;

export function hourHref(client?: string): (hour: number) => string {
  const path = client === undefined ? "/deliveries" : `/clients/${client}/deliveries`;
  return (hour) => {
    const range = {
      kind: "version",
      from: new Date(hour).toISOString(),
      to: new Date(hour + HOUR).toISOString(),
    };
    return `${path}?${new URLSearchParams(range)}`;
  };
}
