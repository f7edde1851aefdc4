import { readFile } from 'node:fs/promises'
import { describe, type ZappError } from '../errors.ts'
import { shellWord } from '../format/shell-word.ts'
import { errorLines } from '../host/app-error.ts'
import type { StateChange, VersionState } from '../host/app-view.ts'
import type { AppView, HostEvent } from '../host/serve.ts'
import { formatTime } from './format.ts'
import { renderFindings } from './render-finding.ts'
import { safeText } from './safe-text.ts'
import { manifestSubject, NO_SUBJECT, subjectOf } from './subject.ts'
import type { Ui } from './ui.ts'

/** Everything that happens while serving, as lines on stderr; with `--json` too, because stdout is one document. */
export function createHostLog(ui: Ui): (event: HostEvent) => void {
  const { talk } = ui
  return (event) => {
    switch (event.type) {
      case 'access':
        ui.warn(event.lines)
        break
      case 'live':
        ui.warn(
          `${talk.green(event.app.state === 'sleeping' ? 'sleeping' : 'live    ')} ${idOf(event.app)}  ${titleOf(event.app)}  in ${formatTime(event.ms)}`,
        )
        break
      case 'removed':
        ui.warn(`${talk.yellow('removed')}  ${idOf(event.app)}  ${titleOf(event.app)}`)
        break
      case 'repacked': {
        const file = shellWord(ui.name(event.source))
        ui.warn(
          `${talk.yellow('repacked')} ${safeText(file)} for this run; to keep that: zapp repack ${safeText(file)}`,
        )
        break
      }
      case 'shadowed':
        ui.warn(
          `${talk.yellow('left out')} ${safeText(ui.name(event.source))}: ${safeText(ui.name(event.by))} has ${safeText(event.mount || '/')}`,
        )
        break
      case 'failed':
        void warnFailed(ui, event)
        break
      case 'log':
        ui.warn(`${talk.dim(`${safeText(event.name)} |`)} ${safeText(event.line.text)}`)
        break
      case 'error': {
        const [first = '', ...stack] = errorLines(event.where, event.error).map(safeText)
        ui.warn(`${talk.red('error')}    ${safeText(event.name)}  ${first}`, ...stack)
        break
      }
      case 'warned': {
        const { code } = event.finding
        const { message, fix } = describe(event.finding)
        const about = event.name === '' ? '' : `${safeText(event.name)}  `
        ui.warn(`${talk.yellow('warning')}  ${about}${code}: ${safeText(message)}. ${safeText(fix)}`)
        break
      }
      case 'state':
        warnState(ui, event.change)
        break
      case 'rolledback':
        ui.warn(`${talk.yellow('back')}     ${idOf(event.app)}  ${titleOf(event.app)}, because the newer version died`)
        break
      case 'certificate':
        void warnCertificate(ui, event)
        break
      case 'reloaded':
        void warnReloaded(ui, event.error)
    }
  }
}

async function warnFailed(ui: Ui, event: HostEvent & { type: 'failed' }): Promise<void> {
  const { source, name, version } = event.app
  const file = ui.name(source)
  const kept = event.kept ? '; the version before it goes on serving' : ''
  // An upload has no file here.
  const subject = source === '' ? NO_SUBJECT : await subjectOf(ui, [file])
  const lines = await renderFindings(event.error.findings, subject, ui.talk)
  const what = source === '' ? `${name} ${version}` : file
  ui.warn(`${ui.talk.red('failed')}   ${idOf(event.app)}  ${safeText(what)}${kept}`, ...lines)
}

function idOf({ id }: AppView): string {
  return safeText(id)
}

/** Those that no line of another event tells. */
const TOLD: ReadonlySet<VersionState> = new Set(['checked', 'starting', 'live', 'failed'])

function warnState(ui: Ui, { app, name, version, digest, from, to, cause }: StateChange): void {
  // How the versions end with the host is no news.
  if ((TOLD.has(to) && from !== 'sleeping') || (to === 'sleeping' && from === 'starting') || ui.io.signal.aborted)
    return
  const what = `${safeText(app)}  ${safeText(name)} ${safeText(version)} ${digest.slice(0, 19)}: ${safeText(cause)}`
  ui.warn(`${ui.talk.dim(to.padEnd(8))} ${what}`)
}

async function warnCertificate(ui: Ui, { certificate, kept, findings }: HostEvent & { type: 'certificate' }) {
  const { files, names, validTo } = certificate
  const file = safeText(ui.name(files.cert))
  const lines = await renderFindings(findings, NO_SUBJECT, ui.talk)
  const until = validTo.toISOString().slice(0, 10)
  if (kept)
    ui.warn(`${ui.talk.red('refused')}  ${file}: the certificate before, until ${until}, stays in force`, ...lines)
  else
    ui.warn(
      `${ui.talk.green('tls')}      ${file}  ${(files.hosts ?? names).map(safeText).join(', ')}  until ${until}`,
      ...lines,
    )
}

async function warnReloaded(ui: Ui, error: ZappError | undefined): Promise<void> {
  if (!error) return ui.warn('settings read again')
  const [first] = error.findings
  const subject = manifestSubject(
    ui,
    ui.name(first?.path ?? ''),
    await readFile(first?.path ?? '', 'utf8').catch(() => ''),
  )
  const lines = await renderFindings(error.findings, subject, ui.talk)
  ui.warn(`${ui.talk.red('settings')} have mistakes: those before stay in force`, ...lines)
}

/** Name, version and title. */
export function titleOf({ name, version, title }: AppView): string {
  return [`${name} ${version}`, ...(title ? [title] : [])].map(safeText).join('  ')
}
