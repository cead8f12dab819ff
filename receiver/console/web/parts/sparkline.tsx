/** A few days as small bars: how much there usually is, at a glance. What it says in numbers is its label. */
export function Sparkline({
  values,
  label,
  width = 96,
  height = 24,
}: {
  readonly values: readonly number[];
  /** Says the numbers. */
  readonly label: string;
  readonly width?: number;
  readonly height?: number;
}) {
  const most = Math.max(1, ...values);
  const step = width / values.length;
  const gap = step > 6 ? 2 : 1;
  return (
    <svg width={width} height={height} role="img" aria-label={label} className="sparkline">
      <title>{label}</title>
      {values.map((value, i) => {
        const tall = value === 0 ? 1 : Math.max(2, (value / most) * height);
        return (
          <rect
            // biome-ignore lint/suspicious/noArrayIndexKey: a day has its place and nothing else
            key={i}
            x={i * step}
            y={height - tall}
            width={step - gap}
            height={tall}
            data-last={i === values.length - 1 || undefined}
            data-none={value === 0 || undefined}
          />
        );
      })}
    </svg>
  );
}
