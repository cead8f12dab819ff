/** A table of any length: only the rows in sight are made. Rows can be links; columns that have an order sort. */
import { Box, Table, Text, UnstyledButton } from "@mantine/core";
import { useVirtualizer } from "@tanstack/react-virtual";
import { type ReactNode, useMemo, useRef, useState } from "react";
import { useLocation } from "wouter";
import { t } from "../texts.ts";

export interface Column<Row> {
  readonly key: string;
  readonly head: string;
  readonly cell: (row: Row) => ReactNode;
  /** Numbers stand at the right, with figures of one width. */
  readonly numeric?: boolean;
  /** CSS width; without, it takes what is left. */
  readonly width?: string | number;
  /** What its order goes by. */
  readonly order?: (row: Row) => string | number;
  /** Left out where there is little room. */
  readonly wide?: boolean;
}

export interface DataTableProps<Row> {
  readonly label: string;
  readonly columns: readonly Column<Row>[];
  readonly rows: readonly Row[];
  readonly id: (row: Row) => string;
  readonly href?: (row: Row) => string;
  readonly onOpen?: (row: Row) => void;
  readonly empty?: ReactNode;
  readonly sortedBy?: { readonly key: string; readonly descending: boolean };
  /** Below the last row: more is on its way, or asked for. */
  readonly foot?: ReactNode;
  readonly maxHeight?: string;
}

const ROW_PX = 37;
const FEW = 60;

export function DataTable<Row>(props: DataTableProps<Row>) {
  const { label, columns, rows, id, href, onOpen, empty, foot, maxHeight = "calc(100dvh - 260px)" } = props;
  const [sort, setSort] = useState(props.sortedBy);
  const [, go] = useLocation();
  const box = useRef<HTMLElement>(null);
  const sorted = useMemo(() => sortRows(rows, columns, sort), [rows, columns, sort]);
  const many = sorted.length > FEW;
  const virtual = useVirtualizer({
    count: sorted.length,
    getScrollElement: () => box.current,
    estimateSize: () => ROW_PX,
    overscan: 12,
    enabled: many,
  });
  if (rows.length === 0) return <Box py="xl">{empty ?? <Text c="dimmed">{t.nothingHere}</Text>}</Box>;
  const shown = many ? virtual.getVirtualItems() : sorted.map((_, index) => ({ index, start: 0, end: 0 }));
  const before = many ? (shown[0]?.start ?? 0) : 0;
  const after = many ? virtual.getTotalSize() - (shown.at(-1)?.end ?? 0) : 0;
  const open = (row: Row): void => {
    if (onOpen) onOpen(row);
    else if (href) go(href(row));
  };
  return (
    <section
      ref={box}
      className="table-box"
      style={{ maxHeight: many ? maxHeight : undefined }}
      // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be reachable with the keyboard
      tabIndex={0}
      aria-label={label}
    >
      <Table
        highlightOnHover={href !== undefined || onOpen !== undefined}
        stickyHeader
        aria-rowcount={rows.length + 1}
      >
        <Table.Thead>
          <Table.Tr>
            {columns.map((column) => (
              <HeadCell key={column.key} column={column} sort={sort} onSort={setSort} />
            ))}
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {before > 0 && <tr style={{ height: before }} aria-hidden />}
          {shown.map(({ index }) => {
            const row = sorted[index] as Row;
            const opens = href !== undefined || onOpen !== undefined;
            return (
              <Table.Tr
                key={id(row)}
                ref={many ? virtual.measureElement : undefined}
                data-index={index}
                aria-rowindex={index + 2}
                className={opens ? "opens" : undefined}
                onClick={opens ? (event) => void (isPlain(event) && open(row)) : undefined}
              >
                {columns.map((column) => (
                  <Table.Td key={column.key} className={classOf(column)}>
                    {column.cell(row)}
                  </Table.Td>
                ))}
              </Table.Tr>
            );
          })}
          {after > 0 && <tr style={{ height: after }} aria-hidden />}
        </Table.Tbody>
      </Table>
      {foot}
    </section>
  );
}

type Sort = DataTableProps<never>["sortedBy"];

function HeadCell<Row>({
  column,
  sort,
  onSort,
}: {
  readonly column: Column<Row>;
  readonly sort: Sort;
  readonly onSort: (sort: Sort) => void;
}) {
  const own = sort?.key === column.key ? sort : undefined;
  const direction = own === undefined ? undefined : own.descending ? "descending" : "ascending";
  return (
    <Table.Th w={column.width} className={classOf(column)} aria-sort={direction}>
      {column.order === undefined ? (
        column.head
      ) : (
        <UnstyledButton
          fz="inherit"
          fw="inherit"
          c="inherit"
          onClick={() =>
            onSort({
              key: column.key,
              descending: own === undefined ? column.numeric === true : !own.descending,
            })
          }
        >
          {column.head}
          <span aria-hidden> {own === undefined ? "" : own.descending ? "↓" : "↑"}</span>
        </UnstyledButton>
      )}
    </Table.Th>
  );
}

/** A click on what is inside a row (a link, a button), or one that marks text, is not one on the row. */
function isPlain(event: React.MouseEvent): boolean {
  const inner = (event.target as HTMLElement).closest("a,button,input,label");
  return inner === null && (window.getSelection()?.toString() ?? "") === "";
}

function classOf<Row>({ numeric, wide }: Column<Row>): string {
  return [numeric ? "numeric" : "", wide ? "wide" : ""].join(" ").trim();
}

function sortRows<Row>(rows: readonly Row[], columns: readonly Column<Row>[], sort: Sort): readonly Row[] {
  const order = columns.find((column) => column.key === sort?.key)?.order;
  if (order === undefined || sort === undefined) return rows;
  const sign = sort.descending ? -1 : 1;
  return rows.toSorted((a, b) => {
    const [left, right] = [order(a), order(b)];
    if (left === right) return 0;
    return (left < right ? -1 : 1) * sign;
  });
}
