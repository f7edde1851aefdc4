import { escapeUnsafe } from '../errors.ts'
import { lines } from './lines.ts'
import { pythonString } from './quote.ts'
import type { EmitSettings, EmitSubject, EmittedFile } from './subject.ts'

/**
 * What lets Python import the loader from the archive. By descriptor: zipimport keeps the directory that it has read, and
 * opens the path again for each module; in between another archive may have taken this one's place.
 */
export const LOADER: readonly string[] = [
  '# The loader is in the archive: nothing has to be installed. By descriptor, as another archive may take its place.',
  'sys.path.insert(0, f"/dev/fd/{os.open(ARCHIVE, os.O_RDONLY)}/ZAPP-INF/lib")',
]

/** Name of the script that servers load which want a file: Apache's mod_wsgi, uWSGI. */
export function scriptName({ manifest }: EmitSubject): string {
  return `${manifest.name}.wsgi`
}

/** A Python file whose `application` is the app. Nothing of it depends on environment, HOME or the working folder. */
export function pythonScript(subject: EmitSubject, settings: EmitSettings): EmittedFile {
  const { secrets } = settings
  const text = lines(
    `# ${titleOf(subject)}: what the server loads. Lies in ${settings.folder}/`,
    '',
    subject.hasLoader && ['import os', 'import sys', ''],
    `ARCHIVE = ${pythonString(subject.file)}`,
    subject.hasLoader && LOADER,
    '',
    subject.hasLoader ? 'import zapp  # noqa: E402' : 'import zapp',
    '',
    `config = {${pairs(settings.config)}}`,
    secrets.length > 0 && [
      `# Lines of NAME=VALUE, for this user's eyes only: ${secrets.join(', ')}`,
      `with open(${pythonString(settings.envFile)}, encoding="utf-8") as file:`,
      '    config.update(line.rstrip("\\r\\n").split("=", 1) for line in file if "=" in line and line[0] != "#")',
      '',
    ],
    'application = zapp.load(',
    '    ARCHIVE,',
    ...loadOptions(settings).map(([name, value]) => `    ${name}=${pythonString(value)},`),
    '    config=config,',
    ')',
  )
  return { name: scriptName(subject), text }
}

/** Arguments of zapp.load() by name. */
export function loadOptions({ mount, cache, data }: EmitSettings): [name: string, value: string][] {
  return [...(mount === '' ? [] : [['mount', mount] as [string, string]]), ['cache', cache], ['data', data]]
}

export function titleOf({ manifest }: EmitSubject): string {
  const { title, name, version } = manifest
  return title === undefined ? `${name} ${version}` : `${escapeUnsafe(title)} (${name} ${version})`
}

/** The folder of the environment that an interpreter belongs to, where it is not the system's. */
export function environmentOf(python: string): string | undefined {
  const home = /^(?<home>\/.+)\/bin\/[^/]+$/.exec(python)?.groups?.home
  return home === '/usr' || home === '/usr/local' ? undefined : home
}

function pairs(config: Readonly<Record<string, string>>): string {
  return Object.entries(config)
    .map(([name, value]) => `${pythonString(name)}: ${pythonString(value)}`)
    .join(', ')
}
