import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { makeZapp } from '../../fixtures/make/zapp-maker.ts'
import { openArchive } from '../../src/archive/archive.ts'

const FIXTURES = join(import.meta.dirname, '../../fixtures')

function fixtures(folder: 'accepted' | 'rejected'): Buffer[] {
  const names = readdirSync(join(FIXTURES, folder)).filter((name) => name.endsWith('.zapp'))
  return names.map((name) => readFileSync(join(FIXTURES, folder, name)))
}

export const rejected = () => fixtures('rejected')

/** Endless, and the same in every run: archives of the fixtures with bytes changed, cut, doubled or taken out. */
export function* mutants(): Generator<Buffer> {
  const seeds = [...fixtures('accepted'), ...fixtures('rejected')].filter(({ length }) => length < 64 * 1024)
  const random = generator(18)
  const below = (count: number) => Math.floor(random() * count)
  for (;;) {
    const bytes = Buffer.from(seeds[below(seeds.length)]!)
    const [at, length] = [below(bytes.length), 1 + below(64)]
    switch (below(6)) {
      case 0:
        yield bytes.subarray(0, at)
        break
      case 1:
        yield Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + length)])
        break
      case 2:
        yield Buffer.concat([bytes.subarray(0, at + length), bytes.subarray(at)])
        break
      default:
        // The ends of an archive say where everything is: half of the changes fall there.
        for (let count = 1 + below(4); count > 0 && bytes.length > 0; count--) {
          const where = below(2) === 0 ? below(bytes.length) : Math.max(0, bytes.length - 1 - below(256))
          bytes[where] = below(256)
        }
        yield bytes
    }
  }
}

/** mulberry32: every run tries the same. */
function generator(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
}

/** Archives that take the most work to judge, or to say what is wrong with them. @param entries how many the large have */
export async function heavy(entries: number): Promise<[what: string, bytes: Buffer][]> {
  const files = Array.from({ length: entries }, (_, i) => ({
    name: `public/${i}-${'x'.repeat(100)}.txt`,
    data: `${i}`,
  }))
  const large = makeZapp({ files })
  const wrong = Buffer.from(large)
  for (const { path, dataOffset } of (await openArchive(large)).entries.values()) {
    if (path.startsWith('public/')) wrong[dataOffset] = 0x78
  }
  const routes = Array.from({ length: 8000 }, (_, i) => [
    `/${'a/'.repeat(20)}${i}/*`,
    { redirect: `/${'b'.repeat(40)}` },
  ])
  const keys = Array.from({ length: 40_000 }, (_, i) => [`unknown${i}`, i])
  const deep = `{"zapp":1,"x-deep":${'['.repeat(200_000)}${']'.repeat(200_000)}}`
  const site = { zapp: 1, name: 'hello', version: '1.0.0' }
  return [
    [`${entries} entries`, large],
    [`${entries} entries with wrong content`, wrong],
    ['8,000 routes', makeZapp({ manifest: { ...site, routes: Object.fromEntries(routes) } })],
    ['40,000 unknown keys', makeZapp({ manifest: JSON.stringify({ ...site, ...Object.fromEntries(keys) }) })],
    ['200,000 levels', makeZapp({ manifest: deep })],
  ]
}
