import type { RequestListener } from 'node:http'
import { createServer, type Server } from 'node:https'
import type { Certificate, PairFiles } from '../tls/certificate.ts'
import { type CertificateNews, Certificates } from '../tls/certificates.ts'
import { Chooser } from '../tls/chooser.ts'

/** The certificates of the admin address. Renewed ones are taken while it listens, as those of apps' listeners are. */
export class AdminTls {
  readonly #pairs: readonly PairFiles[]
  readonly #certificates: Certificates
  #chooser: Chooser | undefined
  #server: Server | undefined

  /** @throws ZappError NOT_FOUND, IO, TLS_CERTIFICATE, TLS_KEY, TLS_MISMATCH */
  static async open(pairs: readonly PairFiles[], onNews: (news: CertificateNews) => void): Promise<AdminTls> {
    const tls = new AdminTls(pairs, onNews)
    await tls.#read()
    return tls
  }

  private constructor(pairs: readonly PairFiles[], onNews: (news: CertificateNews) => void) {
    this.#pairs = pairs
    // Of certificates that are in force reading never fails: it keeps them.
    this.#certificates = new Certificates({ onNews, onChange: () => void this.#read() })
  }

  get inForce(): readonly Certificate[] {
    return this.#certificates.inForce
  }

  /** To be called once. */
  createServer(listener: RequestListener): Server {
    this.#server = createServer(
      {
        ...this.#first.pem,
        SNICallback: (name, choose) => choose(null, this.#chooser?.choose(name).context),
      },
      listener,
    )
    return this.#server
  }

  close(): void {
    this.#certificates.close()
  }

  get #first(): Certificate {
    return (this.#chooser as Chooser).first
  }

  async #read(): Promise<void> {
    const read = await this.#certificates.read(this.#pairs)
    read.apply()
    this.#chooser = new Chooser(this.#pairs.map((files) => read.get(files)))
    this.#server?.setSecureContext(this.#first.pem)
  }
}
