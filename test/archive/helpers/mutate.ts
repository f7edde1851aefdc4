import { crc32, deflateRawSync } from 'node:zlib'
import { makeZapp, SITE, type ZappSpec } from '../../../fixtures/make/zapp-maker.ts'
import type { CentralFields, EntrySpec, HeaderFields } from '../../../fixtures/make/zip-maker.ts'

/** Numbers that are the same in every run for one seed (mulberry32). */
export class Random {
  #state: number

  constructor(seed: number) {
    this.#state = seed
  }

  /** An integer from 0 to below `limit`. */
  below(limit: number): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0
    let t = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) % limit
  }

  of<T>(items: readonly T[]): T {
    return items[this.below(items.length)]!
  }

  bytes(length: number): Buffer {
    return Buffer.from(Array.from({ length }, () => this.below(256)))
  }
}

type Mutator = (bytes: Buffer, random: Random) => Buffer

const NUMBERS = [
  0, 1, 2, 8, 20, 45, 63, 64, 99, 0x7fff, 0x8000, 0xfffe, 0xffff, 0x1_0000, 0x7fff_ffff, 0xffff_fffe, 0xffff_ffff,
]
const SIGNATURES = ['PK\x01\x02', 'PK\x03\x04', 'PK\x05\x06', 'PK\x06\x06', 'PK\x06\x07', 'PK\x07\x08']

/** Changes that know nothing of zip. */
const BLIND: readonly Mutator[] = [
  (bytes, random) => {
    for (let n = 1 + random.below(8); n > 0; n--) bytes[random.below(bytes.length)]! ^= 1 << random.below(8)
    return bytes
  },
  (bytes, random) => {
    bytes[random.below(bytes.length)] = random.below(256)
    return bytes
  },
  (bytes, random) => {
    const at = random.below(bytes.length)
    return Buffer.concat([bytes.subarray(0, at), random.bytes(1 + random.below(40)), bytes.subarray(at)])
  },
  (bytes, random) => {
    const at = random.below(bytes.length)
    return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1 + random.below(60))])
  },
  // A part of it once more, somewhere.
  (bytes, random) => {
    const from = random.below(bytes.length)
    const part = bytes.subarray(from, from + random.below(bytes.length - from + 1))
    const at = random.below(bytes.length)
    return Buffer.concat([bytes.subarray(0, at), part, bytes.subarray(at + (random.below(2) ? part.length : 0))])
  },
  (bytes, random) => bytes.subarray(0, random.below(bytes.length)),
  (bytes, random) => {
    const at = random.below(bytes.length)
    bytes.write(random.of(SIGNATURES), at, 'latin1')
    return bytes
  },
]

/** Offsets and sizes of the fields behind a signature: of directory records, local headers, the end record. */
const FIELDS: Readonly<Record<string, readonly (readonly [offset: number, size: number])[]>> = {
  'PK\x01\x02': [4, 6, 8, 10, 12, 14, [16, 4], [20, 4], [24, 4], 28, 30, 32, 34, 36, [38, 4], [42, 4]].map(field),
  'PK\x03\x04': [4, 6, 8, 10, 12, [14, 4], [18, 4], [22, 4], 26, 28].map(field),
  'PK\x05\x06': [4, 6, 8, 10, [12, 4], [16, 4], 20].map(field),
}

function field(at: number | number[]): readonly [number, number] {
  return typeof at === 'number' ? [at, 2] : [at[0]!, at[1]!]
}

/** Sets a field of a record to a number that is likely to matter, or changes it a little. */
const setField: Mutator = (bytes, random) => {
  const signature = random.of(Object.keys(FIELDS))
  const places: number[] = []
  for (let at = bytes.indexOf(signature, 0, 'latin1'); at >= 0; at = bytes.indexOf(signature, at + 1, 'latin1')) {
    places.push(at)
  }
  if (places.length === 0) return bytes
  const at = random.of(places)
  const [offset, size] = random.of(FIELDS[signature]!)
  if (at + offset + size > bytes.length) return bytes
  const old = bytes.readUIntLE(at + offset, size)
  const value = random.below(2) ? random.of(NUMBERS) : old + random.below(5) - 2
  bytes.writeUIntLE((((value % 2 ** (8 * size)) + 2 ** (8 * size)) % 2 ** (8 * size)) >>> 0, at + offset, size)
  return bytes
}

const NAMES = [
  '../x',
  '/x',
  'a//b',
  'a\\b',
  'public/index.html',
  'PUBLIC/x',
  'mimetype',
  'Zapp.json',
  'con',
  'a.',
  '\u202ea',
  'e\u0301',
  'ZAPP-INF/x',
  'ZAPP-INF/lib/x',
  'ZAPP-INF/contents.json',
  'ZAPP-INF/signature.dsse.json',
  'public',
  'public/index.html/x',
  'x'.repeat(300),
  '\u{1f389}',
  '\0',
  '',
  '__proto__',
  'd/',
  'd//',
]
const TEXTS = ['', 'x', 'Some text, some text.\n', 'x'.repeat(5000)]
const MODES = [0, 0o100644, 0o100755, 0o100600, 0o040755, 0o120777, 0o104755, 0o060644]

/** A whole archive anew, its entries right or wrong at random: what gets past the first passes. */
const rebuild: Mutator = (_, random) => {
  const files = [...SITE]
  for (let n = random.below(4); n > 0; n--) files.splice(random.below(files.length + 1), 0, randomEntry(random))
  const spec: ZappSpec = {
    files,
    ...(random.below(8) === 0 && { prefix: random.of(['#!x\n', '#!x', 'x', `#!${'x'.repeat(130)}\n`]) }),
    ...(random.below(8) === 0 && { contents: (text: string) => scramble(text, random) }),
    ...(random.below(8) === 0 && { manifest: scramble('{"zapp":1,"name":"a","version":"1.0.0","routes":{}}', random) }),
    ...(random.below(8) === 0 && { last: [randomEntry(random)] }),
    ...(random.below(8) === 0 && { arrange: (entries: EntrySpec[]) => swap(entries, random) }),
  }
  return makeZapp(spec)
}

function randomEntry(random: Random): EntrySpec {
  const rare = () => random.below(6) === 0
  const data = random.of(TEXTS)
  const method = random.of([0, 8])
  return {
    name: random.of(NAMES),
    data,
    method,
    mode: random.below(3) === 0 ? random.of(MODES) : 0o100644,
    ...(rare() && { size: random.of(NUMBERS) }),
    ...(rare() && { crc32: crc32(random.of(TEXTS)) }),
    ...(rare() && { flags: random.of([0, 1, 6, 8, 0x800, 0x806, 0xffff]) }),
    ...(rare() && { stored: brokenStream(data, random) }),
    ...(rare() && { local: randomField(random) }),
    ...(rare() && { central: randomField(random) as Partial<CentralFields> }),
    ...(rare() && { only: random.of(['local', 'directory'] as const) }),
    ...(rare() && { after: random.bytes(random.below(20)) }),
  }
}

function randomField(random: Random): Partial<HeaderFields> {
  const key = random.of(['version', 'flags', 'method', 'crc32', 'compressedSize', 'size'] as const)
  const value = random.of(NUMBERS)
  return { [key]: key === 'crc32' || key.endsWith('ize') ? value : value & 0xffff }
}

function brokenStream(data: string, random: Random): Buffer {
  const stream = deflateRawSync(data)
  if (random.below(2) === 0) return random.bytes(random.below(30))
  stream[random.below(stream.length)]! ^= 1 << random.below(8)
  return stream
}

function scramble(text: string, random: Random): string {
  const at = random.below(text.length)
  const insert = random.of(['', '"', '{', '[', ',', '0', '\\', '\n', '"a":1,', '\u0000', '1e999', '"__proto__":{},'])
  return text.slice(0, at) + insert + text.slice(at + random.below(3))
}

function swap(entries: EntrySpec[], random: Random): EntrySpec[] {
  const a = random.below(entries.length)
  const b = random.below(entries.length)
  const swapped = [...entries]
  swapped[a] = entries[b]!
  swapped[b] = entries[a]!
  return swapped
}

/** One of many archives that `bytes` could have become on its way, or in the hands of somebody. */
export function mutate(bytes: Uint8Array, random: Random): Buffer {
  let mutant: Buffer = Buffer.from(bytes)
  for (let n = random.of([1, 1, 1, 2, 3]); n > 0 && mutant.length > 0; n--) {
    const kind = random.below(4)
    const mutator = kind === 0 ? random.of(BLIND) : kind === 1 ? rebuild : setField
    mutant = mutator(mutant, random)
  }
  return mutant
}
