import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Answer } from '../../mount/answer.ts'
import type { MemoryCache } from '../../mount/memory-cache.ts'
import type { Mount } from '../../mount/mount.ts'
import { nodeRequest } from '../../mount/node-request.ts'
import { sendAnswer } from '../../mount/node-response.ts'
import type { Earlier } from '../../runtimes/earlier.ts'
import { takesUpgrade, upgradeRefusal } from '../../runtimes/upgrade.ts'
import type { StoredApp } from '../prepare.ts'

export interface ArchiveAnswersOptions {
  readonly mount: string
  /** Archives of earlier versions, the newest first. */
  readonly earlier: readonly string[]
  /** Shared by all apps of the host. */
  readonly memory: MemoryCache
  readonly onError: (error: unknown, where: string) => void
}

/** What an archive answers without its code: static routes, redirects, and what is no route at all. Opened when first asked. */
export class ArchiveAnswers {
  readonly #stored: StoredApp
  readonly #options: ArchiveAnswersOptions
  #opened: Promise<readonly [Mount, Earlier]> | undefined

  constructor(stored: StoredApp, options: ArchiveAnswersOptions) {
    this.#stored = stored
    this.#options = options
  }

  /** @returns false, and has done nothing, for what an entry has to answer */
  async answer(req: IncomingMessage, res: ServerResponse): Promise<boolean> {
    const answer = await this.#ask(req)
    if (answer.kind === 'entry') return false
    await sendAnswer(answer, req, res)
    return true
  }

  /** The status with which an upgrade is refused that no entry takes. */
  async refusal(req: IncomingMessage): Promise<number | undefined> {
    const answer = await this.#ask(req)
    return takesUpgrade(answer, this.#stored.manifest) ? undefined : upgradeRefusal(answer)
  }

  async close(): Promise<void> {
    const [, earlier] = (await this.#opened?.catch(() => undefined)) ?? []
    await earlier?.close()
  }

  async #ask(req: IncomingMessage): Promise<Answer> {
    this.#opened ??= this.#open().catch((error) => {
      // The next request tries again: a descriptor may have been missing for a moment only.
      this.#opened = undefined
      throw error
    })
    const [mount] = await this.#opened
    return mount.answer(nodeRequest(req, this.#options.mount))
  }

  async #open(): Promise<readonly [Mount, Earlier]> {
    // Loaded for those who need it: an app that is awake answers by itself.
    const [archive, { openJudged }, { createMount }, { openEarlier }] = await Promise.all([
      this.#stored.archive(),
      import('../../archive/judged-archive.ts'),
      import('../../mount/mount.ts'),
      import('../../runtimes/earlier.ts'),
    ])
    const { memory, onError } = this.#options
    const earlier = await openEarlier(this.#options.earlier, openJudged, onError)
    const entries = archive.manifest.entries.keys()
    return [await createMount(archive, { entries, earlier: earlier.mounts, memory, onError }), earlier]
  }
}
