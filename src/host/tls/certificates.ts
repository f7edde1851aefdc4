import { type StatsListener, unwatchFile, watchFile } from 'node:fs'
import { asZappError, type Finding } from '../../errors.ts'
import type { Certificate, PairFiles } from './certificate.ts'

/** What became of a pair whose files were read. */
export interface CertificateNews {
  /** In force now. */
  readonly certificate: Certificate
  /** What was read is not used: the one before stays in force. */
  readonly kept: boolean
  /** What is wrong with what was read. */
  readonly findings: readonly Finding[]
}

/** Pairs that were read, and are not in force yet. */
export interface ReadCertificates {
  get(files: PairFiles): Certificate
  /** From now on they are in force, and what there is to say about them is said. Nothing, where all was closed meanwhile. */
  apply(): void
}

export interface CertificatesOptions {
  readonly onNews: (news: CertificateNews) => void
  /** A file of those in force has changed. */
  readonly onChange: () => void
}

/**
 * How often files are looked at. Not by events of the system: what is replaced is often a link on the way to the file
 * (by certbot, by Kubernetes), which no watch on the file or its folder sees.
 */
const LOOK_MS = 1000
/** Both files of a pair are replaced, one after the other. */
const QUIET_MS = 500

/** The certificates of all listeners. */
export class Certificates {
  readonly #options: CertificatesOptions
  #inForce: ReadonlyMap<string, Certificate> = new Map()
  readonly #watched = new Map<string, StatsListener>()
  #quiet: NodeJS.Timeout | undefined
  #isClosed = false

  constructor(options: CertificatesOptions) {
    this.#options = options
  }

  get inForce(): readonly Certificate[] {
    return [...this.#inForce.values()]
  }

  /**
   * Reads pairs, also those that are in force. Of one that is not any more what it should be, the one before is kept.
   *
   * @throws ZappError what is wrong with one that was not in force before
   */
  async read(pairs: readonly PairFiles[]): Promise<ReadCertificates> {
    const news = new Map<string, CertificateNews>()
    for (const files of pairs) news.set(keyOf(files), await readOver(this.#inForce.get(keyOf(files)), files))
    return {
      get: (files) => (news.get(keyOf(files)) as CertificateNews).certificate,
      apply: () => {
        if (this.#isClosed) return
        const before = this.#inForce
        this.#inForce = new Map([...news].map(([key, { certificate }]) => [key, certificate]))
        this.#watch(pairs)
        for (const [key, one] of news) {
          if (one.kept || one.certificate !== before.get(key)) this.#options.onNews(one)
        }
      },
    }
  }

  close(): void {
    this.#isClosed = true
    clearTimeout(this.#quiet)
    this.#watch([])
  }

  #watch(pairs: readonly PairFiles[]): void {
    const files = new Set(pairs.flatMap(({ cert, key }) => [cert, key]))
    for (const [file, listener] of this.#watched) {
      if (files.has(file)) continue
      unwatchFile(file, listener)
      this.#watched.delete(file)
    }
    for (const file of files) {
      if (this.#watched.has(file)) continue
      const listener = () => {
        clearTimeout(this.#quiet)
        this.#quiet = setTimeout(this.#options.onChange, QUIET_MS)
      }
      watchFile(file, { interval: LOOK_MS, persistent: false }, listener)
      this.#watched.set(file, listener)
    }
  }
}

async function readOver(before: Certificate | undefined, files: PairFiles): Promise<CertificateNews> {
  // Loaded for those who need it: Node's TLS takes a megabyte.
  const { isValidAt, readCertificate } = await import('./certificate.ts')
  try {
    const read = await readCertificate(files)
    const isSame = before?.pem.cert === read.pem.cert && before.pem.key === read.pem.key
    if (before && isSame) return { certificate: before, kept: false, findings: [] }
    const isWorse = before !== undefined && isValidAt(before) && !isValidAt(read)
    return { certificate: isWorse ? before : read, kept: isWorse, findings: read.warnings }
  } catch (error) {
    if (!before) throw error
    return { certificate: before, kept: true, findings: asZappError(error).findings }
  }
}

function keyOf({ cert, key, hosts }: PairFiles): string {
  return JSON.stringify([cert, key, hosts])
}
