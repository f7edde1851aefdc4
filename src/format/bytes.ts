const UNITS: Readonly<Record<string, number>> = { K: 2 ** 10, M: 2 ** 20, G: 2 ** 30 }

/** A whole number without leading zero, and its unit, as systemd and Docker write it: powers of 1,024. */
export const BYTES_PATTERN = /^(?:[1-9][0-9]{0,7}[KMG])$/

/** "512M" → bytes; `undefined` when the text is no amount of memory. */
export function parseBytes(text: string): number | undefined {
  if (!BYTES_PATTERN.test(text)) return undefined
  return Number.parseInt(text, 10) * UNITS[text.slice(-1)]!
}

/** Rounded to whole MiB, for people. */
export function mebibytes(bytes: number): number {
  return Math.round(bytes / 2 ** 20)
}
