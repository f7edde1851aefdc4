const UNITS = ['B', 'kB', 'MB', 'GB'] as const

/** `999 B`, `1.2 kB`, `27 MB`: two significant digits or more, powers of 1,000 as file managers show them. */
export function formatBytes(bytes: number): string {
  let value = bytes
  let unit = 0
  while (value >= 999.5 && unit < UNITS.length - 1) {
    value /= 1000
    unit++
  }
  const digits = unit > 0 && value < 9.95 ? value.toFixed(1) : Math.round(value).toLocaleString('en-US')
  return `${digits} ${UNITS[unit]}`
}

/** `1 file`, `1,204 files`. */
export function formatCount(count: number, noun: string, plural = `${noun}s`): string {
  return `${count.toLocaleString('en-US')} ${count === 1 ? noun : plural}`
}

/** `84 ms`, `1.4 s`. */
export function formatTime(ms: number): string {
  return ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`
}
