import type { Fault } from './fault.ts'

/** One file of the archive, as ZAPP-INF/contents.json lists it. */
export interface ContentsRow {
  readonly path: string
  readonly size: number
  /** 64 lower-case hex digits. */
  readonly sha256: string
  readonly mode: '0644' | '0755'
}

const HEAD = '{"v":1,"entries":['
const TAIL = ']}'
const ROW = /^\{"path":"([^"\\]+)","size":(0|[1-9][0-9]{0,15}),"sha256":"([0-9a-f]{64})","mode":"(0644|0755)"\}(,?)$/

/**
 * The exact bytes of ZAPP-INF/contents.json: `{"v":1,"entries":[`, one row a line, `]}`, each ended by LF; rows in
 * archive order, without contents.json itself and the signature. An entry path never needs an escape: rules A allow
 * neither quotes nor backslashes nor control characters. FORMAT.md §contents.json.
 */
export function formatContents(rows: readonly ContentsRow[]): Uint8Array {
  const lines = rows.map(
    ({ path, size, sha256, mode }) => `{"path":"${path}","size":${size},"sha256":"${sha256}","mode":"${mode}"}`,
  )
  return new TextEncoder().encode(`${HEAD}\n${lines.join(',\n')}\n${TAIL}\n`)
}

/**
 * Reads what {@link formatContents} writes. Anything else is INDEX_MISMATCH, also where a JSON parser would see the
 * same values: contentDigest is the hash of these bytes, so there is one way to write them.
 */
export function parseContents(bytes: Uint8Array): readonly ContentsRow[] | Fault {
  let text: string
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    return mismatch('the encoding', 'UTF-8', 'other bytes')
  }
  const lines = text.split('\n')
  const last = lines.length - 2
  if (lines[0] !== HEAD) return mismatch('line 1', HEAD, lines[0]!)
  if (last < 2 || lines[last] !== TAIL || lines[last + 1] !== '')
    return mismatch('the end', `${TAIL} and LF`, lines.at(-1)!)

  const rows: ContentsRow[] = []
  for (const [index, line] of lines.slice(1, last).entries()) {
    const [, path, size, sha256, mode, comma] = ROW.exec(line) ?? []
    if (path === undefined || (comma === '') !== (index === last - 2)) {
      return mismatch(`line ${index + 2}`, 'one row, and "," where another follows', line)
    }
    rows.push({ path, size: Number(size), sha256: sha256!, mode: mode as ContentsRow['mode'] })
  }
  return rows
}

function mismatch(what: string, expected: string, got: string): Fault {
  return { code: 'INDEX_MISMATCH', args: { what: `contents.json, ${what},`, expected, got: got.slice(0, 200) } }
}
