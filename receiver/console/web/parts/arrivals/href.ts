/** From an hour of a chart to its deliveries. */
const HOUR = 3_600_000;

export function hourHref(client?: string): (hour: number) => string {
  const path = client === undefined ? "/deliveries" : `/clients/${client}/deliveries`;
  return (hour) => {
    const range = { from: new Date(hour).toISOString(), to: new Date(hour + HOUR).toISOString() };
    return `${path}?${new URLSearchParams(range)}`;
  };
}
