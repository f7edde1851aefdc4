import { repack as repackZip } from '../../archive/repack.ts'
import { type CliCommand, helpText, JSON_OPTION } from '../command.ts'
import { EXIT } from '../exit-codes.ts'
import { formatBytes, formatCount, formatTime } from '../format.ts'
import { renderFindings } from '../render-finding.ts'
import { about } from '../report.ts'
import { safeText } from '../safe-text.ts'
import { archiveSubject } from '../subject.ts'

export const repack: CliCommand<[zip: string], { out?: string; json?: boolean }> = {
  define(command) {
    command
      .option('-o, --out <file>', "default: the zip's name, ending in .zapp")
      .option(...JSON_OPTION)
      .addHelpText(
        'after',
        helpText(
          [],
          ['zapp repack shop.zip', 'writes shop.zapp'],
          ['zapp repack old.zapp -o new.zapp', 'one that a zip tool changed'],
        ),
      )
  },

  async run(ui, [zip], { out }) {
    const subject = archiveSubject(ui, zip, ...(out === undefined ? [] : [out]))
    const result = await about(subject, () =>
      repackZip(ui.path(zip), { ...(out === undefined ? {} : { out: ui.path(out) }), signal: ui.io.signal }),
    )
    const { bytes, files, digest, contentDigest, ms, warnings } = result
    const file = ui.name(result.file)
    ui.warn(...(await renderFindings(warnings, archiveSubject(ui, file), ui.talk)))
    if (ui.json) {
      ui.data({ file, bytes, files, digest, contentDigest, ms })
    } else {
      if (warnings.length > 0) ui.say('')
      ui.say(`${formatCount(files, 'file')} repacked into ${formatBytes(bytes)} in ${formatTime(ms)}`)
      ui.out(safeText(file))
    }
    return EXIT.done
  },
}
