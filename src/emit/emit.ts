import { fail } from '../errors.ts'
import type { EmitSettings, EmitSubject, EmittedFile } from './subject.ts'
import { type EmitTarget, TARGETS, type TargetName } from './targets.ts'

/**
 * The configuration that makes a server run an archive: what `zapp emit` prints, and what the tests run.
 *
 * @throws ZappError EMIT_TARGET for an app that the target cannot run; EMIT_VALUE
 */
export function emit(target: TargetName, subject: EmitSubject, settings: EmitSettings): EmittedFile[] {
  const others = Object.entries<EmitTarget>(TARGETS)
  for (const { name, type } of subject.manifest.entries.values()) {
    if ((TARGETS[target] as EmitTarget).runs.includes(type)) continue
    // First those that run it, then what only stands in front of them.
    const able = others.filter(([, { runs }]) => runs.includes(type)).map(([other]) => other)
    const command = able.includes('systemd') ? 'systemd' : able[0]!
    const args = { entry: name, type, expected: able.join(' or '), target, command, file: subject.file }
    throw fail('EMIT_TARGET', 'zapp.json', args)
  }
  return TARGETS[target].make(subject, settings)
}
