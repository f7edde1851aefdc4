import { createHash } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { ZipFile } from 'yazl'

export interface WheelSpec {
  readonly name: string
  /** Default: 1.0.0 */
  readonly version?: string
  /** Default: py3-none-any */
  readonly tags?: string
  /** Default: one module that says the version. */
  readonly files?: Readonly<Record<string, string | Uint8Array>>
  /** Lines of METADATA, such as "Requires-Dist: other>=1". */
  readonly metadata?: readonly string[]
  /** Changes the rows of RECORD before they are written. */
  readonly record?: (rows: Map<string, string>) => void
}

/** A wheel as PEP 427 has it, made by hand. */
export async function makeWheel(spec: WheelSpec): Promise<{ file: string; bytes: Buffer }> {
  const { name, version = '1.0.0', tags = 'py3-none-any', metadata = [] } = spec
  const module = name.replaceAll('-', '_')
  const info = `${module}-${version}.dist-info`
  const files: Record<string, string | Uint8Array> = {
    ...(spec.files ?? { [`${module}.py`]: `version = ${JSON.stringify(version)}\n` }),
    [`${info}/METADATA`]: [
      'Metadata-Version: 2.1',
      `Name: ${name}`,
      `Version: ${version}`,
      ...metadata,
      '',
      'Text.',
      '',
    ].join('\n'),
    [`${info}/WHEEL`]: `Wheel-Version: 1.0\nGenerator: by hand\nRoot-Is-Purelib: true\nTag: ${tags}\n`,
  }
  const rows = new Map(Object.entries(files).map(([path, content]) => [path, `sha256=${sha256(content)}`]))
  rows.set(`${info}/RECORD`, '')
  spec.record?.(rows)
  const zip = new ZipFile()
  for (const [path, content] of Object.entries(files)) zip.addBuffer(Buffer.from(content), path)
  const record = [...rows].map(
    ([path, hash]) => `${path},${hash},${hash === '' ? '' : Buffer.from(files[path] ?? '').length}`,
  )
  zip.addBuffer(Buffer.from(`${record.join('\n')}\n`), `${info}/RECORD`)
  zip.end()
  return { file: `${module}-${version}-${tags}.whl`, bytes: await buffer(zip.outputStream) }
}

/** A folder of wheels that pip takes packages from: `--no-index --find-links <folder>`. */
export async function makeWheels(folder: string, specs: readonly WheelSpec[]): Promise<void> {
  mkdirSync(folder, { recursive: true })
  for (const spec of specs) {
    const { file, bytes } = await makeWheel(spec)
    writeFileSync(join(folder, file), bytes)
  }
}

function sha256(content: string | Uint8Array): string {
  return createHash('sha256').update(content).digest('base64url')
}

/** The head of an ELF shared object for a processor: enough to be told by. */
export function sharedObject(machine: 62 | 183 = 62): Uint8Array {
  const bytes = Buffer.alloc(128)
  bytes.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1])
  bytes.writeUInt16LE(3, 16)
  bytes.writeUInt16LE(machine, 18)
  return bytes
}
