import { describe, type Finding } from '../errors.ts'
import { shellWord } from '../format/shell-word.ts'

/** As {@link describe}, the name of a file as it is typed: the next step may be a command for it. */
export function describeForShell(found: Pick<Finding, 'code' | 'path' | 'args'>): { message: string; fix: string } {
  const { file } = found.args
  return describe(typeof file === 'string' ? { ...found, args: { ...found.args, file: shellWord(file) } } : found)
}
