import { cellWidth } from './safe-text.ts'

/**
 * Breaks safe text at spaces; a word longer than the line stays whole.
 * @param first what stands in front of the first line
 * @param rest what stands in front of the others
 */
export function wrap(text: string, width: number, first: string, rest: string): string[] {
  const lines: string[] = []
  let line = first
  let empty = true
  for (const word of text.split(' ')) {
    if (!empty && cellWidth(line) + 1 + cellWidth(word) > width) {
      lines.push(line)
      line = rest
      empty = true
    }
    line += empty ? word : ` ${word}`
    empty = false
  }
  return [...lines, line]
}
