/** @param {number} bytes */
export function formatBytes(bytes) {
  const units = ['B', 'kB', 'MB', 'GB']
  let value = bytes
  let unit = 0
  for (; value >= 1000 && unit < units.length - 1; unit++) value /= 1000
  return `${value >= 100 || unit === 0 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`
}

/** @param {number | undefined} ms */
export function formatMs(ms) {
  if (ms === undefined) return '–'
  return ms < 10 ? `${ms.toFixed(1)} ms` : ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`
}

/** @param {number | undefined} rate per second */
export function formatRate(rate) {
  if (rate === undefined) return '–'
  return rate === 0 ? '0' : rate < 10 ? rate.toFixed(1) : Math.round(rate).toLocaleString()
}

/** How long ago, in one unit. @param {string} iso */
export function formatAge(iso) {
  const seconds = Math.max(0, (Date.now() - Date.parse(iso)) / 1000)
  for (const [size, unit] of /** @type {const} */ ([
    [86_400, 'd'],
    [3600, 'h'],
    [60, 'min'],
  ])) {
    if (seconds >= size) return `${Math.floor(seconds / size)} ${unit} ago`
  }
  return seconds < 5 ? 'just now' : `${Math.floor(seconds)} s ago`
}

/** The part of a digest that people compare. @param {string} digest */
export function shortDigest(digest) {
  return digest.replace(/^sha256:/, '').slice(0, 12)
}
