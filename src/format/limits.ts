/**
 * Quotas that hold for every archive unless a caller sets others. Each has its own code, so that a message can name
 * the one that was hit. FORMAT.md §Limits.
 */
export interface Limits {
  /** Entries, folders included (TOO_MANY). */
  readonly entries: number
  /** Bytes of all files together, unpacked (TOTAL). */
  readonly totalBytes: number
  /** Bytes of one file, unpacked (FILE). */
  readonly fileBytes: number
  /** Unpacked bytes per packed byte (RATIO). */
  readonly ratio: number
  /** Files of at most this many unpacked bytes are exempt from {@link ratio}. */
  readonly ratioFrom: number
  /** Bytes of zapp.json (MANIFEST_TOO_LARGE). */
  readonly manifestBytes: number
  /** Files below the folders of static routes, counted once for each route (MANIFEST_STATIC_FILES). */
  readonly staticFiles: number
}

const MIB = 2 ** 20
const GIB = 2 ** 30

export const DEFAULT_LIMITS: Limits = {
  // What a zip without zip64 can count: 0xffff is the zip64 sentinel.
  entries: 65_534,
  // The largest trees seen (node_modules with native builds) stay below 1 GiB; a zip without zip64 ends at 4 GiB.
  totalBytes: 4 * GIB,
  fileBytes: GIB,
  // Deflate reaches 1032:1. Real files beyond 200:1 are small: sparse tables, generated stubs. Hence the exemption.
  ratio: 200,
  ratioFrom: 10 * MIB,
  // A manifest with 1,000 routes is about 100 KiB.
  manifestBytes: MIB,
  // Four routes to everything that an archive can hold; about 80 MB of memory once it is mounted.
  staticFiles: 4 * 65_536,
}

/** The limits of a caller with the defaults for the rest. `undefined`, as plain JavaScript may pass it, is no limit of its own. */
export function limitsWith(given: Partial<Limits> | undefined): Limits {
  const set = Object.entries(given ?? {}).filter(([, value]) => value !== undefined)
  return { ...DEFAULT_LIMITS, ...Object.fromEntries(set) }
}
