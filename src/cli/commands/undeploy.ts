import { type CliCommand, helpText, JSON_OPTION } from '../command.ts'
import { EXIT } from '../exit-codes.ts'
import { addRemoteFlags, appPath, openRemote, type RemoteFlags } from '../remote-flags.ts'
import { safeText } from '../safe-text.ts'

export const undeploy: CliCommand<[app: string], RemoteFlags & { dropData?: boolean }> = {
  define(command) {
    command.option('--drop-data', "remove the app's data folders too")
    addRemoteFlags(command)
      .option(...JSON_OPTION)
      .addHelpText(
        'after',
        helpText(
          ['The app is named by its id, as zapp list shows it, or by its name.'],
          ['zapp undeploy shop', 'ends it; its data folders are kept'],
          ['zapp undeploy /a/b --drop-data', 'and nothing of it is left'],
        ),
      )
  },

  async run(ui, [app], flags) {
    const remote = await openRemote(ui, flags, 'undeploy')
    const query = flags.dropData === true ? { data: 'drop' } : {}
    await remote.call('DELETE', appPath(app), { query })
    if (ui.json) ui.data({ undeployed: app })
    else ui.say(`${safeText(app)} is undeployed`)
    return EXIT.done
  },
}
