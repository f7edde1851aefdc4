import { fail } from '../../errors.ts'
import { type CliCommand, helpText, JSON_OPTION } from '../command.ts'
import { EXIT } from '../exit-codes.ts'
import { addRemoteFlags, appPath, openRemote, type RemoteFlags } from '../remote-flags.ts'
import { safeText } from '../safe-text.ts'

interface App {
  readonly name: string
  readonly version: string
  readonly url: string
  readonly versions: readonly { readonly version: string; readonly digest: string; readonly current: boolean }[]
}

export const rollback: CliCommand<[app: string, version: string | undefined], RemoteFlags> = {
  define(command) {
    addRemoteFlags(command)
      .option(...JSON_OPTION)
      .addHelpText(
        'after',
        helpText(
          [
            'The host keeps the last three versions of an app. It stays at the one that it',
            'went back to, also when it restarts, until other bytes are deployed.',
          ],
          ['zapp rollback shop', 'to the version before'],
          ['zapp rollback shop 1.1.0', 'to that one; the beginning of a digest will do too'],
        ),
      )
  },

  async run(ui, [app, wanted], flags) {
    const remote = await openRemote(ui, flags, 'rollback')
    const digest = wanted === undefined ? undefined : digestOf(await remote.call<App>('GET', appPath(app)), wanted)
    const now = await remote.call<App>('POST', appPath(app, 'rollback'), {
      json: digest === undefined ? {} : { digest },
    })
    if (ui.json) {
      ui.data(now)
    } else {
      ui.say(`${safeText(`${now.name} ${now.version}`)} is live`)
      ui.out(safeText(now.url))
    }
    return EXIT.done
  },
}

/** @throws ZappError VERSION_UNKNOWN */
function digestOf({ name, versions }: App, wanted: string): string {
  const found = versions.find(
    ({ version, digest }) =>
      version === wanted || digest === wanted || (wanted.length >= 6 && digest.startsWith(`sha256:${wanted}`)),
  )
  if (found) return found.digest
  throw fail('VERSION_UNKNOWN', name, { digest: wanted })
}
