import { InvalidArgumentError } from 'commander'
import type { ArchiveDiff } from '../../archive/diff.ts'
import type { Finding } from '../../errors.ts'
import { isVersion, VERSION_RULE } from '../../host/names.ts'
import { renderChanges } from '../changes.ts'
import { type CliCommand, helpText, JSON_OPTION } from '../command.ts'
import { EXIT } from '../exit-codes.ts'
import { formatTime } from '../format.ts'
import { createProgress } from '../progress.ts'
import type { RemoteCall } from '../remote.ts'
import { addRemoteFlags, openRemote, type RemoteFlags } from '../remote-flags.ts'
import { about, sayFindings } from '../report.ts'
import { safeText } from '../safe-text.ts'
import { archiveSubject } from '../subject.ts'
import type { Ui } from '../ui.ts'
import { type Upload, withUpload } from '../upload.ts'

interface DeployFlags extends RemoteFlags {
  path?: string
  host?: string
  as?: string
  dryRun?: boolean
}

/** What of the answers of `POST /api/apps` and `POST /api/plan` is shown. */
interface Deployed {
  readonly app: { readonly url: string; readonly name: string; readonly version: string }
  readonly previous?: { readonly version: string }
  readonly unchanged: boolean
  readonly ms: number
}
interface Planned {
  readonly id: string
  readonly name: string
  readonly version: string
  readonly live?: { readonly version: string }
  readonly diff?: ArchiveDiff
  readonly findings: readonly Finding[]
}

export const deploy: CliCommand<[file: string], DeployFlags> = {
  define(command) {
    command
      .option('--path <path>', 'the path to answer under; default: by the name of the file and its manifest')
      .option('--as <version>', 'the version, instead of the manifest’s', parseVersion)
      .option('--host <name>', 'the virtual host')
      .option('--dry-run', 'say what would change, and deploy nothing')
    addRemoteFlags(command)
      .option(...JSON_OPTION)
      .addHelpText(
        'after',
        helpText(
          [
            'The new version is started beside the one that serves, and gets its traffic',
            'when it is healthy. One that does not come up changes nothing: exit code 1.',
            'A .zip is repacked for the upload.',
          ],
          ['zapp deploy shop-1.2.0.zapp', 'to the host on this machine'],
          ['zapp deploy shop-1.2.0.zapp --dry-run', 'what would change'],
          ['zapp deploy shop.zapp --path /store', 'at another path'],
        ),
      )
  },

  async run(ui, [file], flags) {
    const remote = await openRemote(ui, flags, 'deploy')
    const { path, as: version, host } = flags
    const send = async ({ name, ...archive }: Upload) => {
      const progress = await createProgress(ui)
      const onProgress = (bytes: number) => progress.update('uploading', bytes, archive.bytes)
      const call: RemoteCall = { file: archive, query: { name, path, version, host }, onProgress }
      try {
        if (flags.dryRun === true) {
          const plan = await remote.call<Planned>('POST', '/api/plan', call)
          progress.stop()
          return await showPlan(ui, file, plan)
        }
        const done = await remote.call<Deployed>('POST', '/api/apps', call)
        progress.stop()
        if (ui.json) ui.data(done)
        else showDeployed(ui, done)
        return EXIT.done
      } finally {
        progress.stop()
      }
    }
    return about(archiveSubject(ui, file), () => withUpload(ui, file, send))
  },
}

function parseVersion(text: string): string {
  if (!isVersion(text)) throw new InvalidArgumentError(`It must be ${VERSION_RULE}.`)
  return text
}

function showDeployed(ui: Ui, { app, previous, unchanged, ms }: Deployed): void {
  const name = safeText(`${app.name} ${app.version}`)
  const before = previous ? `, in place of ${safeText(previous.version)}` : ''
  ui.say(unchanged ? `${name} was live already, byte for byte` : `${name} is live${before}, in ${formatTime(ms)}`)
  ui.out(safeText(app.url))
}

async function showPlan(ui: Ui, file: string, plan: Planned): Promise<number> {
  const code = plan.findings.length > 0 ? EXIT.bad : EXIT.done
  if (ui.json) {
    ui.data(plan)
    return code
  }
  const what = safeText(`${plan.name} ${plan.version}`)
  const place = safeText(plan.id)
  const { diff, live } = plan
  if (!live) ui.out(`${what} would be new at ${place}`)
  else if (diff?.same) ui.out(`${what} has the content of what serves at ${place}`)
  else ui.out(`${what} would take the place of ${safeText(live.version)} at ${place}`)
  if (diff && !diff.same) ui.out(...renderChanges(diff, ui.paint))
  if (plan.findings.length > 0) {
    ui.say('', 'It would not start:')
    await sayFindings(ui, plan.findings, archiveSubject(ui, file))
  }
  return code
}
