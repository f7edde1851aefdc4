import { type CliCommand, helpText, JSON_OPTION } from '../command.ts'
import { EXIT } from '../exit-codes.ts'
import { addRemoteFlags, openRemote, type RemoteFlags } from '../remote-flags.ts'
import { safeText } from '../safe-text.ts'
import { renderTable } from '../table.ts'
import type { Style } from '../ui.ts'

/** What of the answer of `GET /api/apps` is shown. */
interface App {
  readonly id: string
  readonly name: string
  readonly version: string
  readonly state: string
  readonly url: string
  readonly error?: { readonly code: string; readonly message: string; readonly fix: string }
  readonly versions: readonly { readonly version: string; readonly current: boolean }[]
}

export const list: CliCommand<[], RemoteFlags> = {
  define(command) {
    addRemoteFlags(command)
      .option(...JSON_OPTION)
      .addHelpText(
        'after',
        helpText(
          ['State, id, version and address of every app, and the versions that are kept.'],
          ['zapp list', 'of the host on this machine'],
          ['zapp list --to http://127.0.0.1:8081/', 'of another'],
        ),
      )
  },

  async run(ui, _, flags) {
    const remote = await openRemote(ui, flags, 'list')
    const apps = await remote.call<App[]>('GET', '/api/apps')
    if (ui.json) {
      ui.data(apps)
      return EXIT.done
    }
    if (apps.length === 0) ui.say('no apps')
    const rows = apps.map((app) => [app.state, app.id, `${app.name} ${app.version}`.trim(), app.url, keptOf(app)])
    const table = renderTable(
      rows.map((row) => row.map(safeText)),
      { indent: 0, paint: (text, row, column) => (column === 0 ? tone(ui.paint, apps[row]!.state)(text) : text) },
    )
    apps.forEach(({ error }, i) => {
      ui.out(table[i]!)
      if (error) ui.out(`  ${ui.paint.red(error.code)}  ${safeText(error.message)}`, `  ${safeText(error.fix)}`)
    })
    return EXIT.done
  },
}

function keptOf({ versions }: App): string {
  const kept = versions.filter(({ current }) => !current).map(({ version }) => version)
  return kept.length > 0 ? `kept: ${kept.join(', ')}` : ''
}

function tone(style: Style, state: string): (text: string) => string {
  if (state === 'live' || state === 'sleeping') return style.green
  return state === 'failed' ? style.red : style.yellow
}
