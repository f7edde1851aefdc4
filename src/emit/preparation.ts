import { shellWord } from '../format/shell-word.ts'
import type { EmitSettings, EmitSubject } from './subject.ts'

type Step = readonly [string, string]

/** What is done once, as root: the folders that only the app's user may write to, and the file for secrets. */
export function onceSteps({ user, cache, data, secrets, envFile }: EmitSettings): Step[] {
  const steps: Step[] = [['Once', `install -d -m 700 -o ${user} ${[cache, data].map(shellWord).join(' ')}`]]
  if (secrets.length > 0) {
    steps.push([
      '',
      `install -D -m 600 -o ${user} /dev/null ${shellWord(envFile)}, with lines for ${secrets.join(', ')}`,
    ])
  }
  return steps
}

/** The new version is renamed over the old one: nobody ever sees half of it, and open files stay as they were. */
export function redeployStep({ file }: EmitSubject, then: string): Step {
  const next = shellWord(`${file}.new`)
  return ['Redeploy', `cp NEW.zapp ${next} && mv ${next} ${shellWord(file)}${then === '' ? '' : ` && ${then}`}`]
}
