const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/** A whole number without leading zero, and its unit. */
export const DURATION_PATTERN = /^(?:[1-9][0-9]{0,7}(?:ms|s|m|h|d))$/

/** "500ms", "30s", "5m", "1h", "7d" → milliseconds; `undefined` when the text is not a duration. */
export function parseDuration(text: string): number | undefined {
  if (!DURATION_PATTERN.test(text)) return undefined
  const unit = text.replace(/^[0-9]+/, '')
  return Number.parseInt(text, 10) * UNITS[unit]!
}
