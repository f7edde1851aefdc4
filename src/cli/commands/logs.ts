import { InvalidArgumentError } from 'commander'
import { type CliCommand, helpText, JSON_OPTION } from '../command.ts'
import { EXIT } from '../exit-codes.ts'
import { addRemoteFlags, appPath, openRemote, type RemoteFlags } from '../remote-flags.ts'
import { safeText } from '../safe-text.ts'
import type { Style } from '../ui.ts'

interface Line {
  readonly time: string
  readonly version: string
  readonly stream: string
  readonly entry: string
  readonly text: string
}

export const logs: CliCommand<[app: string], RemoteFlags & { follow?: boolean; lines?: string }> = {
  define(command) {
    command
      .option('-f, --follow', 'go on with new lines, until Ctrl+C')
      .option('-n, --lines <count>', 'how many of the last 1,000 lines to begin with; default all', parseCount)
    addRemoteFlags(command)
      .option(...JSON_OPTION)
      .addHelpText(
        'after',
        helpText(
          ['What the app printed, and what became of its versions. With --json, JSON lines.'],
          ['zapp logs shop -n 50', 'the last 50 lines'],
          ['zapp logs shop -f', 'as they come'],
        ),
      )
  },

  async run(ui, [app], { follow, lines, ...flags }) {
    const remote = await openRemote(ui, flags, 'logs')
    const query = { lines, ...(follow === true && { follow: 'true' }) }
    for await (const line of remote.lines<Line>(appPath(app, 'logs'), query)) {
      ui.out(ui.json ? safeText(JSON.stringify(line)) : render(line, ui.paint))
    }
    // Nothing else ends it but the signal, which is thrown.
    if (follow === true) ui.say('the host has ended')
    return EXIT.done
  },
}

function render({ time, version, stream, entry, text }: Line, style: Style): string {
  const who = safeText([entry, version].filter((word) => word !== '').join(' '))
  const paint = stream === 'stderr' ? style.red : stream === 'host' ? style.cyan : (plain: string) => plain
  return `${style.dim(`${time} ${who}`.trimEnd())}  ${paint(safeText(text))}`
}

function parseCount(text: string): string {
  if (!/^[0-9]{1,6}$/.test(text)) throw new InvalidArgumentError('It must be a number.')
  return text
}
