import { escapeUnsafe } from '../errors.ts'

/** Text from archives and command lines on its way to a terminal: unsafe characters as `\uXXXX`. */
export const safeText = escapeUnsafe

/** JSON of two-space indentation that is also safe to print: parsing it gives back the same value. */
export function safeJson(value: unknown): string {
  // The line feeds between members are the only unsafe characters that JSON.stringify puts outside of strings.
  return JSON.stringify(value, null, 2).split('\n').map(escapeUnsafe).join('\n')
}

const WIDE =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\ua960-\ua97c\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{20000}-\u{3fffd}]|\p{Emoji_Presentation}/u
const MARK = /\p{M}/u

/** Terminal cells that safe text takes: 2 for East Asian wide characters and emoji, 0 for combining marks. */
export function cellWidth(text: string): number {
  if (/^[\x20-\x7e]*$/.test(text)) return text.length
  let width = 0
  for (const char of text) width += MARK.test(char) ? 0 : WIDE.test(char) ? 2 : 1
  return width
}
