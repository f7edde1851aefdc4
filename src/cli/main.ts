import { Command, CommanderError } from 'commander'
import { COMMANDS, defineCommand } from './command-table.ts'
import { EXIT } from './exit-codes.ts'
import type { Io } from './io.ts'
import { reportFailure } from './report.ts'
import { createUi, type Ui } from './ui.ts'
import { usage, usageError } from './usage.ts'

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
export async function run(argv: readonly string[], io: Io): Promise<number> {
  const [words] = splitAtDashes(argv)
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

async function parse(argv: readonly string[], name: string, ui: Ui): Promise<number> {
  let exitCode: number = EXIT.done
  const { stdout, stderr, version } = ui.io
  const program = new Command('zapp')
    .description('One file, any container: pack a web app into one .zapp file, check it, serve it.')
    .version(version, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'show help')
    .helpCommand('help [command]', 'show the help of a command')
    .usage('<command> [options]')
    .addHelpText('after', ROOT_HELP)
    .exitOverride()
    .configureHelp({
      subcommandTerm: (command) => `${command.name()} ${COMMANDS[command.name()]?.args ?? '[command]'}`,
    })
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
    const file = await defineCommand(command, row)
    command.action(async () => {
      const [words, typed] = splitAtDashes(argv)
      // An unset variable in a script must not mean the working folder.
      if (words.includes('')) throw usage('an argument is empty', name)
      exitCode = await file.run(ui, command.processedArgs, command.opts(), typed)
    })
  }
  await program.parseAsync(argv, { from: 'user' })
  return exitCode
}

/** What stands before `--`, and behind. */
function splitAtDashes(argv: readonly string[]): [before: string[], behind: string[]] {
  const at = argv.includes('--') ? argv.indexOf('--') : argv.length
  return [argv.slice(0, at), argv.slice(at + 1)]
}
