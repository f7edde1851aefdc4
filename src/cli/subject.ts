import { readFile, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import type { Ui } from './ui.ts'

/** What findings are about: how to name it, and where the text is that they point into. */
export interface Subject {
  /** The archive, folder or manifest as the user named it; "" when the finding is about none. */
  readonly file: string
  /** What it would be called on disk, if that is another name: for next steps. */
  readonly local?: string
  /** In a folder, `path` of a finding continues `file`; in an archive it is an entry's name. */
  readonly kind: 'archive' | 'folder' | 'file'
  /** Absolute paths that the library was given → as the user named them. */
  readonly names: ReadonlyMap<string, string>
  /** The text of the file that a finding's `path` names. */
  text(path: string): Promise<string | undefined>
}

export const NO_SUBJECT: Subject = { file: '', kind: 'file', names: new Map(), text: async () => undefined }

/** @param others further arguments whose absolute paths may turn up in messages */
export function archiveSubject(ui: Ui, file: string, ...others: readonly string[]): Subject {
  return {
    file,
    kind: 'archive',
    names: named(ui, [file, ...others]),
    // Asked for only when the manifest of an archive is wrong: then the archive did not open.
    async text(path) {
      const { validateArchive } = await import('../archive/validate.ts')
      return path === 'zapp.json' ? (await validateArchive(ui.path(file))).manifestText : undefined
    },
  }
}

/** @param manifestText as far as it was read */
export function urlSubject(url: string, manifestText?: string): Subject {
  const text = async (path: string) => (path === 'zapp.json' ? manifestText : undefined)
  const local = basename(URL.canParse(url) ? new URL(url).pathname : '') || 'FILE'
  return { file: url, local, kind: 'archive', names: new Map(), text }
}

export function folderSubject(ui: Ui, dir: string, ...others: readonly string[]): Subject {
  const text = (path: string) => readFile(join(ui.path(dir), path), 'utf8').catch(() => undefined)
  return { file: dir, kind: 'folder', names: named(ui, [dir, ...others]), text }
}

export function manifestSubject(ui: Ui, file: string, text?: string): Subject {
  return { file, kind: 'file', names: named(ui, [file]), text: async () => text }
}

function named(ui: Ui, files: readonly string[]): Map<string, string> {
  return new Map(files.map((file) => [ui.path(file), file]))
}

/** Errors of one path are shown with its name; of several, by their own. */
export async function subjectOf(ui: Ui, files: readonly string[]): Promise<Subject> {
  const [file = '.', ...others] = files
  if (others.length > 0) return { ...NO_SUBJECT, names: new Map(files.map((name) => [ui.path(name), name])) }
  const info = await stat(ui.path(file)).catch(() => undefined)
  return info?.isDirectory() ? folderSubject(ui, file) : archiveSubject(ui, file)
}
