import { basename } from 'node:path'
import { openArchive } from '../../archive/archive.ts'
import { unpack as unpackArchive } from '../../archive/unpack.ts'
import { type CliCommand, helpText, JSON_OPTION } from '../command.ts'
import { EXIT } from '../exit-codes.ts'
import { formatBytes, formatCount } from '../format.ts'
import { about } from '../report.ts'
import { safeText } from '../safe-text.ts'
import { archiveSubject } from '../subject.ts'
import { usage } from '../usage.ts'

export const unpack: CliCommand<[file: string], { dir?: string; json?: boolean }> = {
  define(command) {
    command
      .option('-d, --dir <dir>', "the folder to make; default: the archive's name without .zapp")
      .option(...JSON_OPTION)
      .addHelpText(
        'after',
        helpText(
          [],
          ['zapp unpack shop-1.2.0.zapp', 'into ./shop-1.2.0'],
          ['zapp unpack shop-1.2.0.zapp -d /srv/shop', 'into a new folder'],
        ),
      )
  },

  async run(ui, [file], { dir }) {
    const target = dir ?? basename(file).replace(/\.(zapp|zip)$/i, '')
    if (target === '' || ui.path(target) === ui.path(file)) {
      throw usage('the folder to unpack into must be named with -d', 'unpack')
    }
    const result = await about(archiveSubject(ui, file, target), async () => {
      const archive = await openArchive(ui.path(file))
      try {
        return await unpackArchive(archive, ui.path(target), { signal: ui.io.signal })
      } finally {
        await archive.close()
      }
    })
    if (ui.json) {
      ui.data({ dir: target, ...result })
    } else {
      ui.say(`${formatCount(result.files, 'file')}, ${formatBytes(result.bytes)}, unpacked into`)
      ui.out(safeText(target))
    }
    return EXIT.done
  },
}
