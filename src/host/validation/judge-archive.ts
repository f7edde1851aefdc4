import { openArchive } from '../../archive/archive.ts'
import { throwIfErrors } from '../../errors.ts'

/**
 * Checks every byte of an archive, passes 1 to 8, and its manifest.
 *
 * @returns the text of the manifest
 * @throws ZappError everything that is wrong
 */
export async function judgeArchive(file: string): Promise<string> {
  const archive = await openArchive(file)
  try {
    throwIfErrors(await archive.verify())
    return archive.manifestText
  } finally {
    await archive.close()
  }
}
