import { shellWord } from '../format/shell-word.ts'
import { lines } from './lines.ts'
import type { EmitSettings, EmitSubject } from './subject.ts'

type Step = readonly [string, string]

/** What is done once, as root: the folders that only the app's user may write to, and the file for secrets. */
export function onceSteps({ manifest }: EmitSubject, settings: EmitSettings): Step[] {
  const { user, cache, data, secrets, envFile } = settings
  const folders = manifest.data.size > 0 ? [cache, data] : [cache]
  const steps: Step[] = [['Once', `install -d -m 700 -o ${user} ${folders.map(shellWord).join(' ')}`]]
  if (secrets.length > 0) {
    steps.push(['', `install -m 600 -o ${user} /dev/null ${shellWord(envFile)}, with lines for ${secrets.join(', ')}`])
  }
  return steps
}

/** The new version is renamed over the old one: nobody ever sees half of it, and open files stay as they were. */
export function redeployStep({ file }: EmitSubject, then: string): Step {
  const next = shellWord(`${file}.new`)
  return ['Redeploy', `cp NEW.zapp ${next} && mv ${next} ${shellWord(file)}${then === '' ? '' : ` && ${then}`}`]
}

/** The content of a file of NAME=VALUE lines to fill in. */
export function envTemplate({ manifest }: EmitSubject, secrets: readonly string[]): string {
  return lines(
    secrets.flatMap((name) => {
      const declared = manifest.config.get(name)
      return [...(declared?.description === undefined ? [] : [`# ${declared.description}`]), `${name}=`]
    }),
  )
}
