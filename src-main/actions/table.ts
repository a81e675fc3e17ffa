/** Aligned columns for a terminal; columns of numbers are aligned right. */
export function formatTable(headers: readonly string[], rows: readonly (readonly string[])[]): string {
  const isNumeric = headers.map(
    (_, c) => rows.length > 0 && rows.every((row) => /^[-+]?[\d.]+( ?%)?$|^–?$/.test(row[c])),
  )
  const widths = headers.map((header, c) => Math.max(header.length, ...rows.map((row) => row[c].length)))
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, c) => (isNumeric[c] ? cell.padStart(widths[c]) : cell.padEnd(widths[c])))
      .join('  ')
      .trimEnd()
  return [headers, ...rows].map(line).join('\n')
}
