import { join } from 'node:path'
import { compress } from '../../src/archive/compress.js'
import { writeArchive } from '../../src/archive/writer.ts'

export type Files = Readonly<Record<string, string | Uint8Array>>

/**
 * Writes an archive of files that are in memory. `zapp`, `name` and `version` of the manifest have defaults; files whose
 * text begins with "#!" are executable.
 *
 * @returns its path: `<dir>/<name>-<version>-<n>.zapp`
 */
export async function makeArchive(dir: string, manifest: Record<string, unknown>, files: Files = {}): Promise<string> {
  const whole = { zapp: 1, name: 'hello', version: '1.0.0', ...manifest }
  const target = join(dir, `${whole.name}-${whole.version}-${made++}.zapp`)
  const names = [...new Set(Object.keys(files).flatMap((name) => [...foldersOf(name), name]))]
  names.sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
  await writeArchive(target, async (writer) => {
    await writer.text('zapp.json', Buffer.from(JSON.stringify(whole)))
    for (const name of names) {
      const content = files[name]
      if (content === undefined) {
        await writer.folder(name)
        continue
      }
      const bytes = typeof content === 'string' ? Buffer.from(content) : content
      const mode = bytes[0] === 0x23 && bytes[1] === 0x21 ? 0o755 : 0o644
      const ready = compressed.get(bytes) ?? compress(bytes, true)
      compressed.set(bytes, ready)
      await writer.file({ path: name, mode, ...ready })
    }
  })
  return target
}

let made = 0
/** Trees that many archives have in common are compressed once. */
const compressed = new WeakMap<Uint8Array, ReturnType<typeof compress>>()

function foldersOf(name: string): string[] {
  const parts = name.split('/').slice(0, -1)
  return parts.map((_, i) => `${parts.slice(0, i + 1).join('/')}/`)
}
