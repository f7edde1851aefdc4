import type { Guess, Project } from './detect-project.ts'
import { detectStatic } from './detect-static.ts'

/** Where scripts are, by custom and in the configurations of Apache and Debian. */
const FOLDER = 'cgi-bin'

/** A folder of CGI scripts, beside the files of a static site where there is one. */
export function detectCgi(project: Project): Guess | undefined {
  const scripts = scriptsIn(project, FOLDER)
  if (scripts.length === 0) return undefined
  const site = detectStatic(project)
  const commands = [...new Set(scripts.flatMap(({ program }) => (program === undefined ? [] : [program])))]
  const routes = { [`/${FOLDER}/*`]: { entry: 'main', strip: true }, ...(site?.manifest.routes as object | undefined) }
  return {
    manifest: {
      entry: { type: 'cgi', dir: FOLDER },
      ...site?.manifest,
      routes,
      ...(commands.length > 0 ? { dependencies: { commands: commands.sort() } } : {}),
    },
    because: [
      ...scripts.map(({ path, line }) => `${path} begins with ${JSON.stringify(line)}`),
      ...(site?.because ?? []),
    ],
    ...(site?.doubt === undefined ? {} : { doubt: site.doubt }),
  }
}

interface Script {
  readonly path: string
  readonly line: string
  /** Its interpreter, where that is not the shell that every system has. */
  readonly program: string | undefined
}

function scriptsIn(project: Project, folder: string): Script[] {
  return project.list(folder).flatMap((name): Script[] => {
    const path = `${folder}/${name}`
    if (project.isFolder(path)) return scriptsIn(project, path)
    const [line = ''] = project.read(path).split(/\r?\n/, 1)
    return line.startsWith('#!') ? [{ path, line, program: programIn(line) }] : []
  })
}

/** A name for PATH: the last part of the interpreter's path, or what `env` looks for. */
function programIn(line: string): string | undefined {
  const [file = '', ...words] = line.slice(2).trim().split(/\s+/)
  const named = /\/env$/.test(file) ? words.find((word) => !word.startsWith('-') && !word.includes('=')) : file
  const name = named?.split('/').at(-1)
  return name === undefined || name === '' || name === 'sh' ? undefined : name
}
