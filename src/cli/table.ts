import { cellWidth } from './safe-text.ts'

export interface TableOptions {
  /** Columns whose cells stand at the right edge. */
  readonly right?: readonly number[]
  readonly indent?: number
  /** Least width of a column, so that several tables line up. */
  readonly min?: readonly number[]
  /** Applied to a cell's padded text. */
  readonly paint?: (text: string, row: number, column: number) => string
}

/** Rows of safe text as aligned lines, two spaces between columns, nothing at the end of a line. */
export function renderTable(rows: readonly (readonly string[])[], options: TableOptions = {}): string[] {
  const { right = [], indent = 2, min = [], paint = (text) => text } = options
  const widths: number[] = [...min]
  for (const row of rows) {
    row.forEach((cell, i) => {
      widths[i] = Math.max(widths[i] ?? 0, cellWidth(cell))
    })
  }
  return rows.map((row, r) => {
    const last = row.findLastIndex((cell) => cell !== '')
    const cells = row.slice(0, last + 1).map((cell, i) => {
      const space = ' '.repeat((widths[i] ?? 0) - cellWidth(cell))
      if (right.includes(i)) return paint(space + cell, r, i)
      return paint(i === last ? cell : cell + space, r, i)
    })
    return ' '.repeat(indent) + cells.join('  ')
  })
}
