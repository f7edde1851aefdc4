import { Command, CommanderError } from 'commander'
import type { CliCommand } from './command.ts'
import { EXIT, type ExitCode } from './exit-codes.ts'
import type { Io } from './io.ts'
import { reportFailure } from './report.ts'
import { createUi, type Ui } from './ui.ts'
import { usage, usageError } from './usage.ts'

interface CommandRow {
  readonly args: string
  readonly summary: string
  readonly load: () => Promise<CliCommand>
}

/** A command's file is imported when it is asked for: `zapp --version` loads neither zod nor a zip library. */
const COMMANDS: Readonly<Record<string, CommandRow>> = {
  pack: {
    args: '[dir]',
    summary: 'build the archive of a project',
    load: async () => (await import('./commands/pack.ts')).pack,
  },
  validate: {
    args: '<path...>',
    summary: 'report everything wrong in archives, projects or manifests',
    load: async () => (await import('./commands/validate.ts')).validate,
  },
  inspect: {
    args: '<file>',
    summary: 'show what an archive holds and needs, running nothing',
    load: async () => (await import('./commands/inspect.ts')).inspect,
  },
  unpack: {
    args: '<file>',
    summary: 'write the files of an archive into a new folder',
    load: async () => (await import('./commands/unpack.ts')).unpack,
  },
  repack: {
    args: '<zip>',
    summary: 'make an archive of any zip that has a zapp.json',
    load: async () => (await import('./commands/repack.ts')).repack,
  },
  serve: {
    args: '[path...]',
    summary: 'serve archives or projects over HTTP',
    load: async () => (await import('./commands/serve.ts')).serve,
  },
}

const ROOT_HELP = `
Examples:
  $ zapp pack                      build an archive of this folder's project
  $ zapp serve shop-1.2.0.zapp     serve it on http://127.0.0.1:8080/
  $ zapp inspect shop-1.2.0.zapp   see what is in it and what it needs

Help of one command: zapp <command> --help
Exit code: 0 done, 1 the thing checked is bad, 2 the command line is wrong`

/**
 * The command line: runs one command and resolves to the exit code. Never exits, never throws.
 * @param argv what stands after `zapp`
 */
export async function run(argv: readonly string[], io: Io): Promise<ExitCode> {
  const words = argv.slice(0, argv.includes('--') ? argv.indexOf('--') : argv.length)
  const ui = createUi(io, words.includes('--json'))
  const debug = words.includes('--debug')
  const [first = '', second] = words.filter((word) => !word.startsWith('-'))
  const [name, line] = first === 'help' && second !== undefined ? [second, [second, '--help']] : [first, argv]
  const known = Object.hasOwn(COMMANDS, name)
  try {
    // commander would show the general help for an unknown command that is followed by --help.
    return await parse(known || line[0] !== name ? line : [name], name, ui)
  } catch (error) {
    if (!(error instanceof CommanderError)) return await reportFailure(ui, error, debug)
    // Help and the version end commander's parsing with an error of exit code 0.
    if (error.exitCode === 0) return EXIT.done
    if (error.code === 'commander.help') return EXIT.usage
    return await reportFailure(ui, usageError(error, known ? name : ''), debug)
  }
}

async function parse(argv: readonly string[], name: string, ui: Ui): Promise<ExitCode> {
  let exitCode: ExitCode = EXIT.done
  const { stdout, stderr, version } = ui.io
  const program = new Command('zapp')
    .description('One file, any container: pack a web app into one .zapp file, check it, serve it.')
    .version(version, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'show help')
    .helpCommand('help [command]', 'show the help of a command')
    .usage('<command> [options]')
    .addHelpText('after', ROOT_HELP)
    .exitOverride()
    .configureHelp({ subcommandTerm: (command) => `${command.name()} ${COMMANDS[command.name()]?.args ?? '[command]'}` })
    .configureOutput({
      writeOut: (text) => stdout.write(text),
      writeErr: (text) => stderr.write(text),
      // Errors are reported by us, in one form with all others.
      outputError: () => {},
      getOutHelpWidth: () => stdout.columns || 80,
      getErrHelpWidth: () => stderr.columns || 80,
      getOutHasColors: () => ui.paint.isColorSupported,
      getErrHasColors: () => ui.talk.isColorSupported,
    })
  for (const [key, row] of Object.entries(COMMANDS)) {
    const command = program.command(key).summary(row.summary)
    if (key !== name) continue
    const file = await row.load()
    command.arguments(row.args).description(`${row.summary[0]?.toUpperCase()}${row.summary.slice(1)}.`)
    file.define(command)
    command.option('--debug', 'show the stack of an error').action(async () => {
      // An unset variable in a script must not mean the working folder.
      if (command.processedArgs.flat().includes('')) throw usage('an argument is empty', name)
      exitCode = await file.run(ui, command.processedArgs, command.opts())
    })
  }
  await program.parseAsync(argv, { from: 'user' })
  return exitCode
}
