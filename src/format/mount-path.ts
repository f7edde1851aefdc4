import { fail } from '../errors.ts'

const MOUNT = /^(?:\/[A-Za-z0-9._~!$&'()*+,;=:@-]+)*$/

/** A mount as everything behind it has it: "" for "/". @throws ZappError MOUNT_PATH */
export function judgeMount(mount: string): string {
  if (mount === '/') return ''
  if (MOUNT.test(mount) && !/\/\.\.?(?:\/|$)/.test(mount)) return mount
  throw fail('MOUNT_PATH', '', { got: mount })
}
