import { once } from 'node:events'
import { asZappError, type Finding } from '../../errors.ts'
import { judgeArchive } from './judge-archive.ts'

/** To a validator: the archive to judge. One at a time. */
export interface Question {
  readonly file: string
}

/** Of a validator. */
export type Verdict = { readonly manifestText: string } | { readonly findings: readonly Finding[] }

/** What else is wrong with an archive tells nobody more; each of its 65,534 entries may be. */
const MAX_FINDINGS = 1000

/**
 * A process that judges archives for a host, which asks by messages: what a stranger's file makes of time and memory it
 * takes here (R18). Resolves when the host is gone, or needs it no more.
 */
export async function validate(channel: NodeJS.Process): Promise<void> {
  channel.on('message', async ({ file }: Question) => {
    const verdict: Verdict = await judgeArchive(file).then(
      (manifestText) => ({ manifestText }),
      (error) => ({ findings: asZappError(error).findings.slice(0, MAX_FINDINGS) }),
    )
    if (channel.connected) channel.send?.(verdict)
  })
  if (channel.connected) await once(channel, 'disconnect')
}
