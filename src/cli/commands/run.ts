import { spawn } from 'node:child_process'
import { constants } from 'node:os'
import { openArchive } from '../../archive/archive.ts'
import { fail } from '../../errors.ts'
import { hint } from '../../format/did-you-mean.ts'
import type { Manifest } from '../../format/manifest-types.ts'
import { configFor, readEnvFile } from '../../host/config.ts'
import { type PreparedCommand, prepareCommand } from '../../runtimes/prepare-command.ts'
import { type AppFlags, addAppFlags, appData, appOptions } from '../app-flags.ts'
import { type CliCommand, helpText } from '../command.ts'
import type { Io } from '../io.ts'
import { about } from '../report.ts'
import { archiveSubject } from '../subject.ts'
import { usage } from '../usage.ts'

export const run: CliCommand<[file: string, words: string[]], AppFlags> = {
  define(command) {
    addAppFlags(command.usage('[options] <file> <name>\n       zapp run [options] <file> -- <command...>')).addHelpText(
      'after',
      helpText(
        [
          "Runs in the app's own files, with its configuration and data folders and nothing",
          'else of this environment. <name> is one of its "processes" or "migrate". In what',
          'stands behind --, {node}, {python}, {data.NAME} and {config.NAME} are replaced.',
          "Ends with the command's exit code.",
        ],
        ['zapp run notes.zapp migrate', 'its lifecycle command'],
        ['zapp run shop.zapp -- node', 'a console'],
        ['zapp run notes.zapp -- {python} manage.py shell', 'that of Django'],
      ),
    )
  },

  async run(ui, [file, words], flags, typed) {
    const { envFile, data, ...options } = appOptions(ui, flags, 'run')
    return about(archiveSubject(ui, file), async () => {
      const archive = await openArchive(ui.path(file))
      try {
        const { manifest } = archive
        const argv = commandOf(manifest, words, typed)
        const values = envFile === undefined ? {} : await readEnvFile(envFile)
        const command = await prepareCommand(archive, argv, {
          ...options,
          config: { ...configFor(manifest, values), ...options.config },
          ...(data === undefined ? {} : { data: appData(data, manifest) }),
        })
        try {
          ui.io.signal.throwIfAborted()
          return await start(command, ui.io)
        } finally {
          await command.release()
        }
      } finally {
        await archive.close()
      }
    })
  },
}

/** @param typed what stands behind `--` */
function commandOf(manifest: Manifest, words: readonly string[], typed: readonly string[]): readonly string[] {
  if (typed.length > 0) {
    if (words.length !== typed.length) throw usage(`either a name or a command behind --, got both`, 'run')
    return typed
  }
  const [name, extra] = words
  if (extra !== undefined)
    throw usage(`a command of your own stands behind --, got ${JSON.stringify(words.join(' '))}`, 'run')
  const commands = new Map([...manifest.processes].map(([name, { run }]) => [name, run]))
  if (manifest.migrate) commands.set('migrate', manifest.migrate.run)
  const names = [...commands.keys()]
  const found = name === undefined ? undefined : commands.get(name)
  if (found) return found
  const known = names.length > 0 ? `one of ${names.join(', ')}` : 'a command behind --, as the app declares none'
  throw usage(
    `what to run must be ${known}${name === undefined ? '' : `, got ${JSON.stringify(name)}${hint(name, names)}`}`,
    'run',
  )
}

/** The exit code as a shell would tell it: of a command that a signal ended, 128 and the signal's number. */
function start({ argv: [program = '', ...args], cwd, env }: PreparedCommand, io: Io): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { cwd, env, stdio: 'inherit' })
    io.passSignals((signal) => child.kill(signal))
    child.on('error', (error: NodeJS.ErrnoException) => {
      const isMissing = error.code === 'ENOENT' && !program.includes('/')
      reject(isMissing ? fail('NEED_COMMAND', '', { command: program }, error) : error)
    })
    child.on('close', (code, signal) => resolve(code ?? 128 + constants.signals[signal!]))
  })
}
