import { cellWidth, safeText } from './safe-text.ts'

export interface Place {
  /** 1-based. */
  readonly line: number
  /** 1-based, in UTF-16 units. */
  readonly column: number
}

/** What stands under a caret: a string, a number or word, or one character of punctuation. */
const TOKEN = /^(?:"(?:[^"\\]|\\.)*"?|[^\s,:{}[\]"]+|.)/u

/**
 * The line that a finding points into, and carets under the token there:
 *
 *     3 |   "version": "1.2",
 *       |              ^^^^^
 *
 * A line wider than `width` cells is cut on both sides around the token.
 * @returns [source line, caret line] without indentation, or undefined when the text has no such line
 */
export function renderExcerpt(text: string, place: Place, width: number): [string, string] | undefined {
  const source = text.split('\n')[place.line - 1]?.replace(/\r$/, '')
  if (source === undefined) return undefined
  const start = Math.min(place.column - 1, source.length)
  const end = start + (TOKEN.exec(source.slice(start))?.[0].length ?? 0)
  const gutter = String(place.line)
  const room = Math.max(width - gutter.length - 3, 20)

  const cut = show(source.slice(0, start))
  const token = show(source.slice(start, end))
  const rest = show(source.slice(end))
  let before = cut
  // At most half of the room stands in front of the token, so that most of a long value is seen.
  if (cellWidth(cut + token + rest) > room && cellWidth(cut) > room / 2) {
    before = `…${takeLast(cut, Math.floor(room / 2) - 1)}`
  }
  const shown = takeFirst(token, room - cellWidth(before))
  const after = shown === token ? takeFirst(rest, room - cellWidth(before + shown)) : ''
  const carets = '^'.repeat(Math.max(cellWidth(shown), 1))
  return [
    `${gutter} | ${before}${shown}${after}`.trimEnd(),
    `${' '.repeat(gutter.length)} | ${' '.repeat(cellWidth(before))}${carets}`,
  ]
}

function show(text: string): string {
  return safeText(text.replaceAll('\t', '  '))
}

function takeFirst(text: string, cells: number): string {
  if (cellWidth(text) <= cells) return text
  if (cells < 1) return ''
  let out = ''
  for (const char of text) {
    if (cellWidth(out + char) > cells - 1) break
    out += char
  }
  return `${out}…`
}

function takeLast(text: string, cells: number): string {
  // A line may be a megabyte: only its end is looked at.
  const chars = [...text.slice(-4 * cells)].slice(1)
  while (cellWidth(chars.join('')) > cells) chars.shift()
  return chars.join('')
}
