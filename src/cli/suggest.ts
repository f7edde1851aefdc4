import { ZappError } from '../errors.ts'
import { failureJson, sayFindings } from './report.ts'
import { safeText } from './safe-text.ts'
import type { Subject } from './subject.ts'
import type { Ui } from './ui.ts'

/** Tells why a project needs a manifest of its author's, and what it may look like: the suggestion is on stdout. */
export async function saySuggestion(ui: Ui, thrown: unknown, subject: Subject): Promise<void> {
  if (!(thrown instanceof ZappError) || thrown.code !== 'PACK_NO_MANIFEST') throw thrown
  const suggestion = String(thrown.args.suggestion)
  if (ui.json) {
    ui.data({ ...failureJson(thrown, subject), suggestion: JSON.parse(suggestion) })
    return
  }
  await sayFindings(ui, thrown.findings, subject)
  const because = thrown.args.because as readonly string[]
  if (because.length > 0) ui.say('', 'What was found:', ...because.map((line) => `  ${safeText(line)}`))
  ui.say('', ui.io.stdout.isTTY ? 'The suggested zapp.json:' : 'The suggested zapp.json is on stdout.')
  ui.out(...suggestion.trimEnd().split('\n').map(safeText))
}
