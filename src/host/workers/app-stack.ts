import { inspect } from 'node:util'

/** Our package. Apps run from their run trees. */
const OWN = new URL('../../../', import.meta.url).href

/** What Node prints of an error that nobody catches. Of the frames those of the app and its dependencies. */
export function inspectError(error: unknown): string {
  return withoutOurs(inspect(error, { customInspect: false }))
}

/** The stack of an error that the app threw; nothing where no frame of it is the app's. */
export function appStack({ stack }: Error): string | undefined {
  const text = withoutOurs(String(stack))
  return /\n +at /.test(text) ? text : undefined
}

/** Without frames of ours and of Node. What inspect() adds begins in the line of the last frame. */
function withoutOurs(text: string): string {
  return text.replace(/\n +at [^\n]*?(?=(?: \{)?$)/gm, (frame) =>
    frame.includes(OWN) || /[ (]node:/.test(frame) ? '' : frame,
  )
}
