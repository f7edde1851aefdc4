import { chmod, cp, mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { pack } from '../../../src/pack/pack.ts'
import { tmpDir } from '../../helpers/tmp.ts'

const APPS = join(import.meta.dirname, '../apps')

/** Compresses well. */
const STYLE = Array.from({ length: 200 }, (_, i) => `.note-${i} { margin: ${i}px }\n`).join('')

/** What both notebooks hold besides their code. */
const FILES = {
  'assets/site.css': STYLE,
  'missing.html': '<h1>Not here</h1>\n',
  'kept/0000': 'Buy <milk> & "bread"',
}

/** The notebook of one language, packed as its author would. */
export async function packNotes(language: 'node' | 'python'): Promise<string> {
  const dir = await tmpDir()
  // Servers run as other users.
  await chmod(dir, 0o755)
  const project = join(dir, 'project')
  await cp(join(APPS, `notes-${language}`), project, { recursive: true })
  for (const [path, text] of Object.entries(FILES)) {
    await mkdir(dirname(join(project, path)), { recursive: true })
    await writeFile(join(project, path), text)
  }
  return (await pack(project, { out: join(dir, 'notes.zapp') })).file
}
