// Plain JavaScript, because worker threads load this file from src/ (under vitest) and from dist/ alike.
import { hash } from 'node:crypto'
import { crc32, deflateRawSync } from 'node:zlib'

/**
 * What stands in the zip for one file.
 *
 * @typedef {object} Compressed
 * @property {'stored' | 'deflate'} method
 * @property {Uint8Array} data the content, or its raw deflate stream
 * @property {number} size bytes of the content
 * @property {number} crc32
 * @property {string} sha256 hex
 */

// Level 5 gave 27.3 MB for 93.2 MB of npm packages where `zip` (level 6) gives 27.9 MB, in 0.8 times the CPU of level 6.
const DEFLATE = { level: 5, memLevel: 9 }

// Readers refuse files over 10 MiB that expand more than 200 times (FORMAT.md §Limits). Such a file is stored.
const RATIO_FROM = 10 * 2 ** 20
const RATIO = 200

/**
 * Compresses where it pays. The result depends on the bytes alone, never on the machine's settings.
 *
 * @param {Uint8Array} bytes
 * @param {boolean} compressible false for media that are compressed already
 * @returns {Compressed}
 */
export function compress(bytes, compressible) {
  const checked = { size: bytes.length, crc32: crc32(bytes), sha256: hash('sha256', bytes, 'hex') }
  const deflated = compressible ? deflate(bytes) : undefined
  return deflated ? { method: 'deflate', data: deflated, ...checked } : { method: 'stored', data: bytes, ...checked }
}

/** @param {Uint8Array} bytes */
function deflate(bytes) {
  if (bytes.length < 2) return undefined
  try {
    // The limit ends the work as soon as the result is not smaller, so that no second copy of a large file is built.
    const data = deflateRawSync(bytes, { ...DEFLATE, maxOutputLength: bytes.length - 1 })
    return bytes.length > RATIO_FROM && bytes.length / data.length > RATIO ? undefined : data
  } catch (error) {
    if (/** @type {NodeJS.ErrnoException} */ (error).code === 'ERR_BUFFER_TOO_LARGE') return undefined
    throw error
  }
}
